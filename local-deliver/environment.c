/* A command's environment, of local-deliver/command.h. */
#include <paths.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "local-deliver/command.h"

#define VARIABLES_MAX 24

struct environment {
	const struct recipient *r;
	char **variable;
	size_t n;
};

static void add(struct environment *e, const char *name, const char *value)
{
	e->variable[e->n++] =
		arena_printf(e->r->message->arena, "%s=%s", name, value);
}

/* Adds a value that a stranger chose: all but these characters become '_', so
 * that a careless script does not run it. It may not look like an option. */
static void add_foreign(struct environment *e, const char *name,
			const char *value)
{
	static const char fine[] = "1234567890!@%-_=+:,./"
				   "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char *copy = arena_strdup(e->r->message->arena, value);

	for (char *p = copy; *p; p++)
		if (!strchr(fine, *p))
			*p = '_';
	if (*copy == '-')
		*copy = '_';
	add(e, name, copy);
}

static void add_inherited(struct environment *e, const char *name)
{
	const char *value = getenv(name);

	if (value)
		add(e, name, value);
}

char **command_environment(const struct recipient *r,
			   const struct identity *who)
{
	struct environment e = { .r = r };
	char user[ADDRESS_LOCAL_SIZE], extension[ADDRESS_LOCAL_SIZE];

	e.variable = arena_alloc(r->message->arena,
				 VARIABLES_MAX * sizeof(*e.variable));
	address_split(r->address.local, r->settings->delimiters, user,
		      extension);
	add(&e, "PATH", _PATH_DEFPATH);
	add(&e, "SHELL", _PATH_BSHELL);
	add(&e, "HOME", who->home);
	add(&e, "USER", who->user);
	add(&e, "LOGNAME", who->user);
	add_inherited(&e, "TZ");
	add_inherited(&e, "LANG");
	add_foreign(&e, "SENDER", r->message->job->sender);
	add_foreign(&e, "RECIPIENT", r->text);
	add_foreign(&e, "ORIGINAL_RECIPIENT", r->job->original);
	add_foreign(&e, "LOCAL", r->address.local);
	add_foreign(&e, "DOMAIN", r->address.domain);
	if (*extension)
		add_foreign(&e, "EXTENSION", extension);
	add(&e, "QUEUE_ID", r->message->job->id);
	e.variable[e.n] = NULL;
	return e.variable;
}
