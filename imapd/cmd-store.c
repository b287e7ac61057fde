#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/flags.h"
#include "imapd/rights.h"
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

/* A STORE while it is done. */
struct storing {
	struct session *s;
	size_t item;
	struct flags f;
	uint32_t *seq;
	size_t n;
	uint64_t unchanged_since; /* UINT64_MAX: it is not conditional */
	bool *failed;		  /* for each: it changed since, or is gone */
};

/* "(UNCHANGEDSINCE n)" (RFC 7162 section 3.1.3). */
static bool parse_modifiers(const struct arg *list, uint64_t *unchanged_since)
{
	return arg_is(&list[0], "UNCHANGEDSINCE") &&
	       arg_number(&list[1], 0, unchanged_since) &&
	       list[2].type == ARG_END;
}

/* NULL, or what is wrong. */
static const char *parse(const struct arg *a, struct storing *t)
{
	t->unchanged_since = UINT64_MAX;
	if (a->type == ARG_LIST &&
	    !parse_modifiers((a++)->list, &t->unchanged_since))
		return "Invalid store modifier.";
	for (t->item = 0; t->item < ITEMS; t->item++)
		if (arg_is(a, items[t->item].name))
			return flags_parse(a + 1, &t->f);
	return "Unknown store item.";
}

/* What has failed is shown as it is now, so that the client need not ask. */
static void tell(const struct storing *t)
{
	struct session *s = t->s;
	struct buf *b = &s->out;
	size_t i;

	update_keywords(s);
	buf_reset(b);
	for (i = 0; i < t->n; i++) {
		struct mailbox_message m = mailbox_get(s->box, t->seq[i]);

		if (!m.gone)
			update_put_fetch_flags(s, b, t->seq[i], &m,
					       items[t->item].silent &&
						       !t->failed[i]);
	}
	stream_put(s->c.io, b->data, b->len);
}

/* "[MODIFIED set] " with what has changed since, and *GONE if any is gone. */
static void put_modified(const struct storing *t, struct buf *out, bool *gone)
{
	uint32_t *number =
		arena_alloc(t->s->c.arena, (t->n + 1) * sizeof(*number));
	size_t i, n = 0;

	*gone = false;
	for (i = 0; i < t->n; i++) {
		struct mailbox_message m = mailbox_get(t->s->box, t->seq[i]);

		*gone |= m.gone;
		if (t->failed[i] && !m.gone)
			number[n++] = t->s->by_uid ? m.uid : t->seq[i];
	}
	if (n == 0)
		return;
	buf_puts(out, "[MODIFIED ");
	set_put(out, number, n);
	buf_puts(out, "] ");
}

static void report(struct storing *t)
{
	bool silent = items[t->item].silent, gone;
	struct session *s = t->s;
	struct buf modified;

	tell(t);
	buf_init(&modified, 64 << 20);
	put_modified(t, &modified, &gone);
	/* a client that did not want to be told of flags need not be told
	 * that some messages are gone (RFC 2180 section 4.2.1) */
	if (gone && (!silent || modified.len > 0))
		session_reply(s, "NO %sSome messages are gone.",
			      modified.len ? modified.data
					   : "[EXPUNGEISSUED] ");
	else
		session_reply(s, "OK %s%s", modified.data,
			      modified.len ? "Some have changed."
					   : "Store completed.");
	buf_free(&modified);
}

/* Leaves out the flags to which the client has no right; false: to none of
 * them. */
static bool limit(struct storing *t)
{
	bool some = t->f.flags || t->f.nkeywords > 0;

	t->f.flags &= rights_flags(t->s->rights);
	if (!rights_may(t->s, ACL_WRITE))
		t->f.nkeywords = 0;
	return t->f.flags || t->f.nkeywords > 0 || !some;
}

/* Sets the flags to which the client has a right, and leaves the others: first
 * removes what is not wanted. */
static int set_some(struct storing *t, uint64_t keywords)
{
	const unsigned may = rights_flags(t->s->rights) & MAILBOX_FLAGS_ALL;
	uint64_t others = rights_may(t->s, ACL_WRITE) ? ~keywords : 0;
	uint32_t *left = arena_alloc(t->s->c.arena, (t->n + 1) * sizeof(*left));
	size_t i, n = 0;
	int code = mailbox_store(t->s->box, t->seq, t->n, MAILBOX_REMOVE,
				 may & ~t->f.flags, others, t->unchanged_since,
				 t->failed);

	for (i = 0; i < t->n; i++)
		if (!t->failed[i])
			left[n++] = t->seq[i];
	return code || n == 0
		       ? code
		       : mailbox_store(t->s->box, left, n, MAILBOX_ADD,
				       t->f.flags, keywords, UINT64_MAX, NULL);
}

static int store_flags(struct storing *t, uint64_t keywords)
{
	enum mailbox_store_how how = items[t->item].how;

	if (how == MAILBOX_SET && t->s->visitor)
		return set_some(t, keywords);
	return mailbox_store(t->s->box, t->seq, t->n, how, t->f.flags, keywords,
			     t->unchanged_since, t->failed);
}

static void store(struct storing *t)
{
	struct session *s = t->s;
	uint64_t keywords;
	int code;

	code = flags_bits(s->box, &t->f, items[t->item].how != MAILBOX_REMOVE,
			  &keywords);
	if (code == ERR_OK && t->n > 0)
		code = store_flags(t, keywords);
	if (code == ERR_LIMIT) {
		session_reply(s, "NO [LIMIT] Too many keywords.");
		return;
	}
	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	if (t->n > 0)
		session_changed(s, FEED_FLAGS);
	report(t);
}

void cmd_store(struct session *s)
{
	struct storing t = { .s = s };
	const char *why = parse(&s->c.args[1], &t);

	if (why) {
		conn_bad(&s->c, why);
		return;
	}
	if (!set_messages(s, &s->c.args[0], &t.seq, &t.n))
		return;
	if (!limit(&t)) {
		session_reply(s, "NO [NOPERM] You may not change these flags.");
		return;
	}
	t.failed = arena_alloc(s->c.arena, t.n + 1);
	if (t.unchanged_since != UINT64_MAX)
		enable(s, ENABLED_CONDSTORE);
	store(&t);
}
