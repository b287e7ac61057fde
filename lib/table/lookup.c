#include "table/lookup.h"

#include <string.h>

#include "base/err.h"

#define LOCAL_MAX 1024

static const char *const unsplit[] = { "mailer-daemon", "postmaster",
				       "double-bounce" };

bool lookup_split(const char *local, const char *delimiters, size_t *n)
{
	size_t len = strlen(local);

	*n = len;
	if (*delimiters == '\0')
		return false;
	for (size_t i = 0; i < sizeof(unsplit) / sizeof(unsplit[0]); i++)
		if (str_equal_ci(local, unsplit[i]))
			return false;
	if (strchr(delimiters, '-') &&
	    (str_starts_ci(local, "owner-") || str_ends_ci(local, "-request")))
		return false;
	*n = strcspn(local, delimiters);
	if (*n == 0 || *n == len) {
		*n = len;
		return false;
	}
	return true;
}

/* One address and what its keys are made of. */
struct asking {
	const struct table_list *maps;
	struct buf *value;
	const char *local;
	size_t user;	    /* length of the user in local */
	size_t full;	    /* length of local */
	const char *domain; /* with its @ */
};

/* Asks for the first N bytes of the local part with TAIL. */
static int ask(const struct asking *q, size_t n, const char *tail)
{
	char key[LOCAL_MAX + 512];
	size_t ntail = strlen(tail);

	if (n + ntail + 1 > sizeof(key))
		return ERR_NOT_FOUND;
	memcpy(key, q->local, n);
	memcpy(key + n, tail, ntail + 1);
	return table_list_get_part(q->maps, key, q->value, NULL);
}

/* Local part and TAIL, with the extension and then without it. *STRIPPED
 * tells whether it was found without. */
static int ask_both(const struct asking *q, const char *tail, bool *stripped)
{
	int err = ask(q, q->full, tail);

	*stripped = false;
	if (err != ERR_NOT_FOUND || q->user == q->full)
		return err;
	*stripped = true;
	return ask(q, q->user, tail);
}

/* The whole address, of all tables, has gone before. */
static int ask_parts(const struct asking *q, bool bare, bool *stripped)
{
	int err = ERR_NOT_FOUND;

	*stripped = true;
	if (q->user != q->full)
		err = ask(q, q->user, q->domain);
	if (err == ERR_NOT_FOUND && bare)
		err = ask_both(q, "", stripped);
	if (err == ERR_NOT_FOUND) {
		*stripped = false;
		err = ask(q, 0, q->domain);
	}
	return err;
}

int lookup_virtual(const struct table_list *maps, const char *address,
		   const char *delimiters, bool bare, struct buf *value,
		   const char **extension, size_t *extension_n)
{
	struct asking q = { .maps = maps, .value = value };
	const char *at = strrchr(address, '@');
	char local[LOCAL_MAX];
	bool stripped = false;
	int err;

	if (extension)
		*extension = "";
	if (extension_n)
		*extension_n = 0;
	if (maps->n == 0 || !at || (size_t)(at - address) >= sizeof(local))
		return ERR_NOT_FOUND;
	q.full = (size_t)(at - address);
	memcpy(local, address, q.full);
	local[q.full] = '\0';
	q.local = local;
	q.domain = at;
	lookup_split(local, delimiters, &q.user);
	err = table_list_get(maps, address, value, NULL);
	if (err == ERR_NOT_FOUND)
		err = ask_parts(&q, bare, &stripped);
	if (!err && stripped && q.user < q.full && extension && extension_n) {
		*extension = address + q.user + 1;
		*extension_n = q.full - q.user - 1;
	}
	return err;
}

int lookup_alias(const struct table_list *maps, const char *local,
		 const char *delimiters, struct buf *value,
		 const char **extension, struct table **from)
{
	char user[LOCAL_MAX];
	size_t n;
	int err;

	*extension = "";
	if (maps->n == 0)
		return ERR_NOT_FOUND;
	err = table_list_get_part(maps, local, value, from);
	if (err != ERR_NOT_FOUND || !lookup_split(local, delimiters, &n) ||
	    n >= sizeof(user))
		return err;
	memcpy(user, local, n);
	user[n] = '\0';
	*extension = local + n + 1;
	return table_list_get_part(maps, user, value, from);
}
