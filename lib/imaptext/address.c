/* Address lists for ENVELOPE (RFC 3501 section 7.4.2). */
#include "imaptext/imaptext.h"

#include "mime/address.h"

struct list {
	struct buf *out;
	bool any;
};

static void put_or_nil(struct buf *out, const struct buf *b)
{
	if (b->len == 0)
		buf_puts(out, "NIL");
	else
		imap_put_string(out, b->data, b->len);
}

/* A NIL host would mean a group, so a missing one is the empty string. */
static void put_mailbox(struct buf *out, const struct mime_address *a)
{
	buf_putc(out, '(');
	put_or_nil(out, &a->name);
	buf_putc(out, ' ');
	put_or_nil(out, &a->route);
	buf_putc(out, ' ');
	imap_put_string(out, a->local.data, a->local.len);
	buf_putc(out, ' ');
	imap_put_string(out, a->domain.data, a->domain.len);
	buf_putc(out, ')');
}

static void put(void *context, const struct mime_address *a)
{
	struct list *l = context;

	if (!l->any)
		buf_putc(l->out, '(');
	l->any = true;
	if (a->kind == MIME_MAILBOX) {
		put_mailbox(l->out, a);
	} else if (a->kind == MIME_GROUP) {
		buf_puts(l->out, "(NIL NIL ");
		imap_put_string(l->out, a->name.data, a->name.len);
		buf_puts(l->out, " NIL)");
	} else {
		buf_puts(l->out, "(NIL NIL NIL NIL)");
	}
}

void imap_addresses(struct buf *out, const char *value, size_t n)
{
	struct list l = { out, false };

	mime_address_list(value, n, IMAP_ADDRESSES_MAX, put, &l);
	buf_puts(out, l.any ? ")" : "NIL");
}
