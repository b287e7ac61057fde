#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/flags.h"
#include "imapd/set.h"
#include "imapd/update.h"

static const struct {
	const char *name;
	enum mailbox_store_how how;
	bool silent;
} items[] = {
	{ "FLAGS", MAILBOX_SET, false },
	{ "FLAGS.SILENT", MAILBOX_SET, true },
	{ "+FLAGS", MAILBOX_ADD, false },
	{ "+FLAGS.SILENT", MAILBOX_ADD, true },
	{ "-FLAGS", MAILBOX_REMOVE, false },
	{ "-FLAGS.SILENT", MAILBOX_REMOVE, true },
};

#define ITEMS (sizeof(items) / sizeof(*items))

static void tell(struct session *s, const uint32_t *seq, size_t n)
{
	struct buf *b = &s->out;
	size_t i;

	update_keywords(s);
	buf_reset(b);
	for (i = 0; i < n; i++) {
		struct mailbox_message m = mailbox_get(s->box, seq[i]);

		if (!m.gone)
			update_put_fetch_flags(s, b, seq[i], &m);
	}
	stream_put(s->c.io, b->data, b->len);
}

static bool any_gone(const struct session *s, const uint32_t *seq, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (mailbox_get(s->box, seq[i]).gone)
			return true;
	return false;
}

static void store(struct session *s, size_t item, const struct flags *f,
		  const uint32_t *seq, size_t n)
{
	uint64_t keywords;
	int code;

	code = flags_bits(s->box, f, items[item].how != MAILBOX_REMOVE,
			  &keywords);
	if (code == ERR_OK && n > 0)
		code = mailbox_store(s->box, seq, n, items[item].how, f->flags,
				     keywords, UINT64_MAX, NULL);
	if (code == ERR_LIMIT) {
		session_reply(s, "NO [LIMIT] Too many keywords.");
		return;
	}
	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	if (n > 0)
		session_changed(s, FEED_FLAGS);
	if (!items[item].silent)
		tell(s, seq, n);
	/* a client that did not want to be told of flags need not be told
	 * that some messages are gone (RFC 2180 section 4.2.1) */
	if (!items[item].silent && any_gone(s, seq, n))
		session_reply(s, "NO [EXPUNGEISSUED] Some messages are gone.");
	else
		session_reply(s, "OK Store completed.");
}

void cmd_store(struct session *s)
{
	const struct arg *a = s->c.args;
	struct flags f;
	const char *why;
	uint32_t *seq;
	size_t n, item;

	for (item = 0; item < ITEMS; item++)
		if (arg_is(&a[1], items[item].name))
			break;
	why = item < ITEMS ? flags_parse(&a[2], &f) : "Unknown store item.";
	if (why) {
		conn_bad(&s->c, why);
		return;
	}
	if (set_messages(s, &a[0], &seq, &n))
		store(s, item, &f, seq, n);
}
