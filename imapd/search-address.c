/*
 * Addresses in SEARCH: the field is converted to the form that ENVELOPE shows,
 * and searched as the client sees it.
 */
#include <string.h>

#include "imapd/args.h"
#include "imapd/search.h"
#include "imaptext/imaptext.h"
#include "mime/decode.h"

/* (name route mailbox host) */
enum { NAME, ROUTE, MAILBOX, HOST, ADDRESS_PARTS };

static bool holds(const struct arg *address, const struct search_key *key)
{
	const struct arg *part = address->list;
	struct buf text, folded;
	bool found;

	if (address->type != ARG_LIST || args_count(part) != ADDRESS_PARTS ||
	    part[HOST].type != ARG_STRING) /* the start or end of a group */
		return false;
	buf_init(&text, IMAP_TEXT_MAX);
	buf_init(&folded, 8 * IMAP_TEXT_MAX);
	buf_printf(&text, "%s@%s", part[MAILBOX].s, part[HOST].s);
	mime_fold_case(&folded, text.data, text.len);
	found = memmem(folded.data, folded.len, key->text, key->ntext);
	buf_free(&text);
	buf_free(&folded);
	return found;
}

bool search_address(const char *value, size_t n, const struct search_key *key)
{
	const struct args_limits limits = { .depth = 2,
					    .args = (ADDRESS_PARTS + 1) *
						    (IMAP_ADDRESSES_MAX + 1) };
	struct arena *a = arena_new();
	const struct arg *all = NULL;
	const char *why;
	struct buf list;
	bool found = false;

	buf_init(&list, IMAP_TEXT_MAX);
	imap_addresses(&list, value, n);
	if (!list.over)
		all = args_parse(a, list.data, list.len, &limits, &why);
	if (all && all->type == ARG_LIST)
		for (all = all->list; all->type != ARG_END && !found; all++)
			found = holds(all, key);
	buf_free(&list);
	arena_free(&a);
	return found;
}
