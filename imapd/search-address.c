/*
 * Addresses in SEARCH: the client asks for what ENVELOPE shows it, names
 * decoded, and not for how the field is written.
 */
#include <string.h>

#include "imapd/search.h"
#include "imaptext/imaptext.h"
#include "mime/address.h"
#include "mime/decode.h"

struct looking {
	const struct search_key *key;
	struct buf *text;
	struct buf *folded;
	struct buf *work;
	unsigned best;
};

/* "name <mailbox@host>", "mailbox@host", or the name of a group. */
static void put_address(struct buf *out, const struct mime_address *a)
{
	mime_decode_words(out, a->name.data, a->name.len);
	if (a->kind == MIME_MAILBOX)
		buf_printf(out, out->len > 0 ? " <%s@%s>" : "%s@%s",
			   a->local.data, a->domain.data);
}

static void look(void *context, const struct mime_address *a)
{
	struct looking *l = context;
	unsigned score;

	if (l->best == 100 || a->kind == MIME_GROUP_END)
		return;
	buf_reset(l->text);
	buf_reset(l->folded);
	put_address(l->text, a);
	mime_fold_case(l->folded, l->text->data, l->text->len);
	score = search_holds(l->key, l->folded, l->work);
	l->best = score > l->best ? score : l->best;
}

unsigned search_address(const char *value, size_t n,
			const struct search_key *key, struct buf *text,
			struct buf *folded, struct buf *work)
{
	struct looking l = { key, text, folded, work, 0 };

	if (key->text.n == 0)
		return 100;
	mime_address_list(value, n, IMAP_ADDRESSES_MAX, look, &l);
	return l.best;
}
