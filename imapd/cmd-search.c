#include "imapd/commands.h"
#include "imapd/search.h"
#include "mime/decode.h"

static void search(struct session *s, const struct search_key *key)
{
	struct search *m = search_new(s);
	uint32_t count = mailbox_count(s->box), seq;
	struct buf *b = &s->out;

	buf_reset(b);
	buf_puts(b, "* SEARCH");
	for (seq = 1; seq <= count; seq++)
		if (search_match(m, key, seq)) {
			buf_putc(b, ' ');
			buf_put_uint(b, s->by_uid ? mailbox_uid(s->box, seq)
						  : seq);
		}
	buf_puts(b, "\r\n");
	stream_put(s->c.io, b->data, b->len);
	if (search_unread(m) > 0)
		conn_put(&s->c, "* NO [UNAVAILABLE] %zu messages could not be "
				"read, and are not among them.",
			 search_unread(m));
	search_free(&m);
	session_reply(s, "OK Search completed.");
}

void cmd_search(struct session *s)
{
	const struct arg *a = s->c.args;
	const char *charset = "UTF-8";
	struct search_key *key;

	if (arg_is(a, "CHARSET")) {
		charset = arg_astring(&a[1]);
		if (!charset) {
			conn_bad(&s->c, "CHARSET takes a name.");
			return;
		}
		if (!mime_charset_known(charset)) {
			conn_reply(&s->c, "NO [BADCHARSET (US-ASCII UTF-8 "
					  "ISO-8859-1 ISO-8859-15)] Unknown "
					  "charset.");
			return;
		}
		a += 2;
	}
	key = search_parse(s, a, charset);
	if (key)
		search(s, key);
}
