/* PREVIEW (RFC 8970). */
#include "base/err.h"
#include "imapd/fetch.h"
#include "imaptext/imaptext.h"
#include "mime/preview.h"

#define LAZY_MAX (64 << 10) /* bytes of a message that are read at once */
#define PREVIEW_BYTES (MIME_PREVIEW_MAX * 4)

int fetch_put_preview(struct session *s, uint32_t seq, bool lazy)
{
	struct mailbox_message m = mailbox_get(s->box, seq);
	struct buf text;
	int code;

	if (lazy && (m.size == 0 || m.size > LAZY_MAX)) {
		buf_puts(&s->out, "PREVIEW NIL ");
		return ERR_OK;
	}
	code = fetch_load(s, seq);
	if (code != ERR_OK)
		return code;
	buf_init(&text, PREVIEW_BYTES);
	mime_preview(&text, s->body.text.data, s->body.text.len);
	buf_puts(&s->out, "PREVIEW ");
	imap_put_string(&s->out, text.data, text.len);
	buf_putc(&s->out, ' ');
	buf_free(&text);
	return ERR_OK;
}
