/* The caller: the default sender and the full name. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pickup/sendmail.h"

const char *sendmail_caller(const struct sendmail *s)
{
	struct passwd *p = getpwuid(getuid());

	return p ? sendmail_address(s, p->pw_name) : NULL;
}

/* The first part of the GECOS field, where "&" stands for the login name. */
static const char *gecos_name(const struct sendmail *s, const struct passwd *p)
{
	struct buf name;
	const char *result;

	buf_init(&name, 512);
	for (const char *g = p->pw_gecos; *g && *g != ','; g++) {
		if (*g != '&') {
			buf_putc(&name, *g);
			continue;
		}
		buf_putc(&name, (char)str_toupper(*p->pw_name));
		buf_puts(&name, *p->pw_name ? p->pw_name + 1 : "");
	}
	result = name.len && !name.over ? arena_strdup(s->arena, name.data)
					: NULL;
	buf_free(&name);
	return result;
}

const char *sendmail_full_name(const struct sendmail *s)
{
	const char *env = getenv("NAME");
	struct passwd *p;

	if (s->options->name)
		return *s->options->name ? s->options->name : NULL;
	if (env && *env)
		return env;
	p = getpwuid(getuid());
	return p ? gecos_name(s, p) : NULL;
}
