#include "local-deliver/warning.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "log/log.h"
#include "mailbox/deliver.h"
#include "mailbox/warned.h"

#define TEXT_MAX 16384

static unsigned percent(uint64_t value, int64_t limit)
{
	uint64_t p;

	if (limit <= 0)
		return 0;
	p = (uint64_t)(100.0 * (double)value / (double)limit);
	return p > 999 ? 999 : (unsigned)p;
}

/* The highest threshold of "80 95" that VALUE reaches, or 0. */
static unsigned highest(const char *levels, unsigned value)
{
	unsigned found = 0;

	while (*(levels += strspn(levels, " "))) {
		size_t n = strcspn(levels, " ");
		int64_t level;

		if (str_span_to_int(levels, n, 1, 100, &level) &&
		    value >= level && level > found)
			found = (unsigned)level;
		levels += n;
	}
	return found;
}

static void put_header(struct buf *b, const struct worker_request *q,
		       unsigned level)
{
	char date[64];

	buf_puts(b, "Return-Path: <>\r\n");
	buf_printf(b, "Date: %s\r\n",
		   clock_date(date, sizeof(date), clock_wall()));
	buf_printf(b, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n",
		   q->origin);
	buf_printf(b, "To: <%s>\r\n", q->delivery.recipient);
	buf_printf(b, "Subject: Your mailbox is more than %u %% full\r\n",
		   level);
	buf_printf(b, "Message-ID: <quota.%" PRId64 ".%ld@%s>\r\n",
		   clock_wall_us(), (long)getpid(), q->origin);
	buf_puts(b, "Auto-Submitted: auto-generated\r\n"
		    "MIME-Version: 1.0\r\n"
		    "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
}

static void put_text(struct buf *b, const struct worker_request *q,
		     const struct usage *now)
{
	buf_puts(b, "All folders of your mailbox together hold:\r\n\r\n");
	if (q->quota.bytes > 0)
		buf_printf(b, "  %" PRIu64 " of %" PRId64 " bytes\r\n",
			   now->bytes, q->quota.bytes);
	if (q->quota.messages > 0)
		buf_printf(b, "  %" PRIu64 " of %" PRId64 " messages\r\n",
			   now->messages, q->quota.messages);
	buf_puts(b, "\r\nWhen it is full you get no more mail. Please delete "
		    "what you do not\r\nneed, and empty the trash.\r\n");
}

static int send(const struct worker_request *q, const struct usage *now,
		unsigned level)
{
	struct delivered done;
	struct buf b;
	int err;

	buf_init(&b, TEXT_MAX);
	put_header(&b, q, level);
	put_text(&b, q, now);
	err = b.over ? ERR_TOO_LONG : ERR_OK;
	if (!err) {
		const struct delivery d = {
			.maildir = q->delivery.maildir,
			.folder = "INBOX",
			.prologue = b.data,
			.fd = -1,
			.queue_id = "",
			.recipient = q->delivery.recipient,
			.arrival_us = clock_wall_us(),
		};

		err = deliver_message(&d, &done);
	}
	buf_free(&b);
	return err;
}

/* Only one that is sent is noted: what ends us in between costs a second
 * warning, never the only one. But where nothing can be noted, every delivery
 * would warn: what was noted is noted again first. */
static int warn(const struct worker_request *q, const struct usage *now,
		struct store *s, unsigned level)
{
	unsigned former = store_level(s);
	int err;

	if (level == former)
		return ERR_OK;
	err = store_note_level(s, level < former ? level : former);
	if (err || level < former)
		return err;
	err = send(q, now, level);
	return err ? err : store_note_level(s, level);
}

/* Of two deliveries one warns. */
static int warn_alone(const struct worker_request *q, const struct usage *now,
		      struct store *s, unsigned level)
{
	int err;

	if (level == store_level(s))
		return ERR_OK;
	err = store_quota_hold(s);
	if (err)
		return err;
	err = warn(q, now, s, level);
	store_quota_release(s);
	return err;
}

void warning_consider(const struct worker_request *q, const struct usage *now)
{
	unsigned bytes = percent(now->bytes, q->quota.bytes);
	unsigned messages = percent(now->messages, q->quota.messages);
	unsigned level = highest(q->levels,
				 bytes > messages ? bytes : messages);
	struct store *s;
	int err = store_open(q->delivery.maildir, false, &s);

	if (!err) {
		err = warn_alone(q, now, s, level);
		store_close(&s);
	}
	if (err)
		log_error("%s: cannot warn that the mailbox is nearly full: %s",
			  q->delivery.maildir, err_why(err));
}
