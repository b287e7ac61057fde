#include "imapd/namespace.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool namespace_is_public(const struct session *s, const char *owner)
{
	return s->public_user && str_equal(owner, s->public_user);
}

bool namespace_has_public(const struct session *s)
{
	return s->public_user && !str_equal(s->user, s->public_user);
}

/* The user in "user/folder"; "" if it is not that. */
static void first_level(const char *text, char owner[ACCOUNT_USER_SIZE])
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : 0;

	if (!slash || !slash[1] || n >= ACCOUNT_USER_SIZE)
		n = 0;
	memcpy(owner, text, n);
	owner[n] = '\0';
}

bool namespace_owner(const struct session *s, const char *name,
		     char owner[ACCOUNT_USER_SIZE])
{
	*owner = '\0';
	if (str_starts(name, OTHERS "/")) {
		first_level(name + strlen(OTHERS "/"), owner);
		/* they have one name */
		if (namespace_is_public(s, owner))
			*owner = '\0';
		return true;
	}
	if (namespace_has_public(s) && str_starts(name, PUBLIC "/")) {
		if (name[strlen(PUBLIC "/")])
			str_copy(owner, ACCOUNT_USER_SIZE, s->public_user);
		return true;
	}
	return str_equal(name, OTHERS) ||
	       (namespace_has_public(s) && str_equal(name, PUBLIC));
}

void namespace_prefix(const struct session *s, const char *owner,
		      char out[NAMESPACE_PREFIX_SIZE])
{
	if (namespace_is_public(s, owner))
		str_copy(out, NAMESPACE_PREFIX_SIZE, PUBLIC "/");
	else
		snprintf(out, NAMESPACE_PREFIX_SIZE, OTHERS "/%s/", owner);
}

bool namespace_may_match(const struct session *s, const char *owner,
			 const char *pattern)
{
	const char *top = namespace_is_public(s, owner) ? PUBLIC "/"
							: OTHERS "/";
	size_t n = strcspn(pattern, "*%"), len = strlen(top);

	return strncmp(pattern, top, n < len ? n : len) == 0 &&
	       (pattern[n] || n >= len - 1);
}
