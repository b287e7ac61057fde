#include "local-deliver/mailbox.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "local-deliver/worker.h"

#define PROLOGUE_MAX 1048576

/* How the codes of deliver_message reach the sender. */
static const struct {
	int err;
	enum result_status status;
	const char *dsn;
	const char *text;
} failures[] = {
	{ ERR_NO_SPACE, RESULT_DEFERRED, "4.2.2",
	  "mailbox full, or no space left on its disk" },
	{ ERR_DENIED, RESULT_DEFERRED, "4.2.0",
	  "the mailbox may not be written by its owner" },
	{ ERR_BUSY, RESULT_DEFERRED, "4.2.0", "the mailbox is locked" },
	{ ERR_NOT_FOUND, RESULT_DEFERRED, "4.2.0", "there is no such folder" },
	{ ERR_TOO_LONG, RESULT_FAILED, "5.2.3",
	  "the message is too large for a mailbox" },
	{ ERR_LIMIT, RESULT_FAILED, "5.2.2", "the mailbox is full" },
	{ ERR_CORRUPT, RESULT_DEFERRED, "4.2.0", "the mailbox is damaged" },
};

/* What to do about it, if it is plain. */
static const char *advice(const struct account *a)
{
	if (!a->virtual_user &&
	    file_owned_dir(a->home, a->uid) == ERR_NOT_FOUND)
		return " (this user has no home of its own: an alias can give "
		       "the mail to somebody else)";
	return "";
}

static void settle_failure(struct recipient *r, const struct account *account,
			   const struct worker_reply *p)
{
	if (p->err == ERR_TEMP) {
		settle_away(r, "the process that delivers ended: see the log");
		return;
	}
	if (p->err == ERR_LIMIT && r->settings->full_tempfail) {
		settle(r, RESULT_DEFERRED, "4.2.2", "local",
		       "the mailbox is full");
		return;
	}
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (failures[i].err != p->err)
			continue;
		settle(r, failures[i].status, failures[i].dsn, "local",
		       "%s%s%s%s", failures[i].text, p->why ? ": " : "",
		       p->why ? p->why : "", advice(account));
		return;
	}
	settle(r, RESULT_DEFERRED, "4.3.0", "local",
	       "cannot deliver to the mailbox: %s%s%s%s", err_text(p->err),
	       p->why ? ": " : "", p->why ? p->why : "", advice(account));
}

/* Adds "NAME value CRLF". The values come from envelopes and are checked
 * there; a line end in one must not begin a field of its own. */
static void add_field(struct buf *b, const char *name, const char *before,
		      const char *value, const char *after)
{
	buf_printf(b, "%s: %s", name, before);
	for (; *value; value++)
		buf_putc(b, (unsigned char)*value < ' ' ? '?' : *value);
	buf_printf(b, "%s\r\n", after);
}

void mailbox_prologue(const struct recipient *r, const char *as, struct buf *b)
{
	const struct job *j = r->message->job;

	add_field(b, "Return-Path", "<", j->sender, ">");
	if (*r->job->original && !str_equal_ci(r->job->original, as))
		add_field(b, "X-Original-To", "", r->job->original, "");
	add_field(b, "Delivered-To", "", as, "");
	buf_puts(b, j->prologue);
}

static void tell_feed(const struct recipient *r, const struct account *account,
		      const struct delivered *delivered)
{
	const struct feed_change c = { .folder = delivered->folder,
				       .what = FEED_ADDED,
				       .uid = delivered->uid,
				       .user = account->user };

	feed_tell(r->settings->feed, &c);
}

/* Might the next message be one too many? */
static void note_room(const struct recipient *r, const struct account *account,
		      int64_t room)
{
	if (room < r->settings->size_limit)
		account_nearly_full(account->user);
}

static void settle_delivered(struct recipient *r, const struct account *account,
			     const struct delivered *delivered)
{
	if (!delivered->duplicate)
		tell_feed(r, account, delivered);
	settle(r, RESULT_SENT, "2.0.0", "local",
	       delivered->duplicate ? "was delivered to maildir before"
				    : "delivered to maildir");
}

static const char *prologue(const struct recipient *r, const char *as)
{
	struct buf b;
	const char *kept;

	buf_init(&b, PROLOGUE_MAX);
	mailbox_prologue(r, as, &b);
	kept = arena_strndup(r->message->arena, b.data, b.len);
	buf_free(&b);
	return kept;
}

void mailbox_ask(struct recipient *r, const struct account *account,
		 const char *as, bool forward)
{
	const struct job *j = r->message->job;
	struct arena *a = r->message->arena;
	struct worker_call *c = arena_alloc(a, sizeof(*c));

	c->arena = a;
	c->account = *account;
	c->request = (struct worker_request){
		.forward = forward,
		.home = c->account.home,
		.quota = c->account.quota,
		.grace = r->settings->quota_grace,
		.levels = r->settings->quota_levels,
		.origin = r->settings->myorigin,
		.extension = c->account.extension,
		.delivery = { .maildir = c->account.maildir,
			      .folder = "INBOX",
			      .prologue = prologue(r, as),
			      .fd = j->fd,
			      .offset = j->offset,
			      .length = j->length,
			      .queue_id = j->id,
			      .recipient = arena_strdup(a, as),
			      .arrival_us = j->arrival_us },
	};
	r->asked = c;
	worker_ask(c);
}

bool mailbox_hear(struct recipient *r, struct alias_target **target, size_t *n)
{
	struct worker_call *c = r->asked;

	r->asked = NULL;
	worker_wait(c);
	note_room(r, &c->account, c->reply.room);
	switch (c->reply.answer) {
	case WORKER_DELIVERED:
		settle_delivered(r, &c->account, &c->reply.delivered);
		return false;
	case WORKER_FAILED:
		settle_failure(r, &c->account, &c->reply);
		return false;
	case WORKER_ROOM:
	case WORKER_FORWARD:
		break;
	}
	*target = c->reply.target;
	*n = c->reply.ntargets;
	return true;
}

bool mailbox_room(struct settings *s, const char *user, int64_t *room)
{
	struct worker_call c = { .arena = arena_new() };
	bool good = account_lookup(user, &c.account) == ACCOUNT_FOUND;

	if (good) {
		c.request = (struct worker_request){
			.measure = true,
			.forward = !c.account.virtual_user,
			.home = c.account.home,
			.extension = "",
			.quota = c.account.quota,
			.grace = s->quota_grace,
			.levels = "",
			.origin = "",
			.delivery = { .maildir = c.account.maildir,
				      .prologue = "",
				      .fd = -1,
				      .queue_id = "",
				      .recipient = "" }
		};
		worker_ask(&c);
		worker_wait(&c);
		good = c.reply.answer != WORKER_FAILED;
	}
	*room = c.reply.answer == WORKER_ROOM ? c.reply.room : INT64_MAX;
	arena_free(&c.arena);
	return good;
}

void mailbox_deliver(struct recipient *r, const struct account *account,
		     const char *as)
{
	struct alias_target *target;
	size_t n;

	mailbox_ask(r, account, as, false);
	mailbox_hear(r, &target, &n);
}
