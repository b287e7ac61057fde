#include "local-deliver/mailbox.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "local-deliver/worker.h"

#define PROLOGUE_MAX 1048576

/* How the codes of deliver_message reach the sender. */
static const struct {
	int err;
	enum job_status status;
	const char *dsn;
	const char *text;
} failures[] = {
	{ ERR_NO_SPACE, JOB_DEFERRED, "4.2.2",
	  "mailbox full, or no space left on its disk" },
	{ ERR_DENIED, JOB_DEFERRED, "4.2.0",
	  "the mailbox may not be written by its owner" },
	{ ERR_BUSY, JOB_DEFERRED, "4.2.0", "the mailbox is locked" },
	{ ERR_NOT_FOUND, JOB_DEFERRED, "4.2.0", "there is no such folder" },
	{ ERR_TOO_LONG, JOB_FAILED, "5.2.3",
	  "the message is too large for a mailbox" },
	{ ERR_CORRUPT, JOB_DEFERRED, "4.2.0", "the mailbox is damaged" },
	{ ERR_TEMP, JOB_DEFERRED, "4.3.0",
	  "the process that delivers ended: see the log" },
};

static void settle_failure(struct recipient *r, const struct worker_reply *p)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (failures[i].err != p->err)
			continue;
		settle(r, failures[i].status, failures[i].dsn, "local",
		       "%s%s%s", failures[i].text, p->why ? ": " : "",
		       p->why ? p->why : "");
		return;
	}
	settle(r, JOB_DEFERRED, "4.3.0", "local",
	       "cannot deliver to the mailbox: %s%s%s", err_text(p->err),
	       p->why ? ": " : "", p->why ? p->why : "");
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

static void settle_delivered(struct recipient *r,
			     const struct delivered *delivered)
{
	if (!delivered->duplicate)
		notify_changed(r->settings->notify, delivered->dev,
			       delivered->ino);
	settle(r, JOB_SENT, "2.0.0", "local",
	       delivered->duplicate ? "was delivered to maildir before"
				    : "delivered to maildir");
}

bool mailbox_deliver(struct recipient *r, const struct account *account,
		     const char *as, bool forward, struct alias_target **target,
		     size_t *n)
{
	const struct job *j = r->message->job;
	struct worker_reply reply;
	struct buf prologue;
	struct worker_request q = {
		.account = account,
		.forward = forward,
		.delivery = { .maildir = account->maildir,
			      .folder = "INBOX",
			      .fd = j->fd,
			      .offset = j->offset,
			      .length = j->length,
			      .queue_id = j->id,
			      .recipient = as,
			      .arrival_us = j->arrival_us },
	};

	buf_init(&prologue, PROLOGUE_MAX);
	mailbox_prologue(r, as, &prologue);
	q.delivery.prologue = prologue.data;
	worker_deliver(r->message->arena, &q, &reply);
	buf_free(&prologue);
	switch (reply.answer) {
	case WORKER_DELIVERED:
		settle_delivered(r, &reply.delivered);
		return false;
	case WORKER_FAILED:
		settle_failure(r, &reply);
		return false;
	case WORKER_FORWARD:
		break;
	}
	*target = reply.target;
	*n = reply.ntargets;
	return true;
}
