#include "table/lookup.h"

#include <string.h>

#include "address/address.h"
#include "base/err.h"

/* The length of the user in LOCAL; all of it if there is no extension. */
static size_t user_length(const char *local, const char *delimiters)
{
	char user[ADDRESS_LOCAL_SIZE], extension[ADDRESS_LOCAL_SIZE];

	address_split(local, delimiters, user, extension);
	return strlen(user);
}

/* One address and what its keys are made of. */
struct asking {
	const struct table_list *maps;
	struct buf *value;
	const char *local;
	size_t user;	    /* length of the user in local */
	size_t full;	    /* length of local */
	const char *domain; /* with its @ */
	bool unsure;	    /* one of the keys is not found for certain */
};

/* Did ERR say that the key is not there? */
static bool missed(struct asking *q, int err)
{
	if (err == ERR_UNSURE)
		q->unsure = true;
	return err == ERR_NOT_FOUND || err == ERR_UNSURE;
}

/* Asks for the first N bytes of the local part with TAIL. */
static int ask(const struct asking *q, size_t n, const char *tail)
{
	char key[ADDRESS_LOCAL_SIZE + ADDRESS_TEXT_SIZE];
	size_t ntail = strlen(tail);

	if (n + ntail + 1 > sizeof(key))
		return ERR_NOT_FOUND;
	memcpy(key, q->local, n);
	memcpy(key + n, tail, ntail + 1);
	return table_list_get_part(q->maps, key, q->value, NULL);
}

/* Local part and TAIL, with the extension and then without it. *STRIPPED
 * tells whether it was found without. */
static int ask_both(struct asking *q, const char *tail, bool *stripped)
{
	int err = ask(q, q->full, tail);

	*stripped = false;
	if (!missed(q, err) || q->user == q->full)
		return err;
	*stripped = true;
	return ask(q, q->user, tail);
}

/* All tables were already asked for the whole address. */
static int ask_parts(struct asking *q, bool bare, bool *stripped)
{
	int err = ERR_NOT_FOUND;

	*stripped = true;
	if (q->user != q->full)
		err = ask(q, q->user, q->domain);
	if (missed(q, err) && bare)
		err = ask_both(q, "", stripped);
	if (missed(q, err) && !q->unsure) {
		*stripped = false;
		err = ask(q, 0, q->domain);
	}
	return missed(q, err) && q->unsure ? ERR_UNSURE : err;
}

int lookup_virtual(const struct table_list *maps, const char *address,
		   const char *delimiters, bool bare, struct buf *value,
		   const char **extension, size_t *extension_n)
{
	struct asking q = { .maps = maps, .value = value };
	const char *at = strrchr(address, '@');
	char local[ADDRESS_LOCAL_SIZE];
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
	q.user = user_length(local, delimiters);
	err = table_list_get(maps, address, value, NULL);
	if (missed(&q, err))
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
	char user[ADDRESS_LOCAL_SIZE];
	bool unsure;
	size_t n;
	int err;

	*extension = "";
	if (maps->n == 0 || strlen(local) >= sizeof(user))
		return ERR_NOT_FOUND;
	err = table_list_get_part(maps, local, value, from);
	n = user_length(local, delimiters);
	unsure = err == ERR_UNSURE;
	if ((err != ERR_NOT_FOUND && !unsure) || local[n] == '\0')
		return err;
	memcpy(user, local, n);
	user[n] = '\0';
	*extension = local + n + 1;
	err = table_list_get_part(maps, user, value, from);
	return err == ERR_NOT_FOUND && unsure ? ERR_UNSURE : err;
}
