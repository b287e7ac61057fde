/*
 * DATA: the content, straight from the connection to the queue. Nothing is kept
 * in between: smtp/data.h turns what comes into lines of mail, the intake writes
 * them, and reports what was wrong when the client has sent the end, as it
 * would not listen before.
 *
 * Most of this is about time. A client has to reach the least rate, or its
 * connection ends; one that is slow while others wait may lose its process to
 * them (gate); one that is silent after 354 is parked without one. And when the
 * service stops, a message that has begun may be finished in the grace time.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "intake/edit.h"
#include "server/prefork.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/park.h"

/* Sets the deadline for RECEIVED bytes: otherwise a dripping client could
 * occupy a process for days. */
static void set_deadline(struct smtp_session *s, int64_t start_ms,
			 int64_t received)
{
	if (s->server->min_rate > 0)
		stream_set_deadline(s->io, start_ms + s->server->timeout_ms +
						   received * 1000 /
							   s->server->min_rate);
}

/* Waits for more of the content. A message that has begun may be finished in
 * the grace time; gate may ask for the process of a client that is too slow. */
static int fill(struct smtp_session *s)
{
	for (;;) {
		int err = stream_fill(s->io), why = ERR_OK;

		if (err && err != ERR_STOPPING)
			return err;
		if (err || smtp_may_be_late(s))
			why = smtp_why_stopped(s);
		if (why == ERR_STOPPING)
			stream_set_stop(s->io, -1);
		if (why == ERR_BUSY && smtp_is_late(s))
			return ERR_BUSY;
		if (!err)
			return ERR_OK;
	}
}

/* N bytes have come, which pay for time at RATE per second: moves *AT on by as
 * much, but not beyond MOST. A delay long ago is forgotten. */
static void pay(const struct smtp_session *s, int64_t *at, int64_t n,
		int64_t rate, int64_t most)
{
	int64_t least = most - 3 * s->server->stress_timeout_ms;

	if (*at < least)
		*at = least;
	*at += rate > 0 ? n * 1000 / rate : most - *at;
	if (*at > most)
		*at = most;
}

/* At the higher rate, what came fast pays for a later pause. */
static void note_content(struct smtp_session *s, int64_t n)
{
	int64_t now = clock_ms();

	pay(s, &s->progress_ms, n, s->server->min_rate, now);
	pay(s, &s->hurry_ms, n, s->server->stress_rate,
	    now + s->server->stress_timeout_ms);
}

/* Reads content until its end. ERR_OK or why the client was lost. */
static int read_content(struct smtp_session *s, struct smtp_data_reader *d)
{
	int64_t start = clock_ms(), received = 0;
	int err = ERR_OK;

	smtp_note_progress(s);
	while (!err && d->state != SMTP_DATA_END) {
		size_t n, used;
		const char *w = stream_window(s->io, &n);

		if (n == 0) {
			set_deadline(s, start, received);
			err = fill(s);
			continue;
		}
		/* the intake reports faults at the end */
		err_ignore(smtp_data_read(d, w, n, &used));
		stream_consume(s->io, used);
		received += (int64_t)used;
		note_content(s, (int64_t)used);
	}
	stream_set_deadline(s->io, 0);
	stream_set_stop(s->io, smtp_watch_fd(s));
	return err;
}

static void begin_envelope(struct smtp_session *s)
{
	s->envelope.protocol = smtp_protocol(s);
	s->envelope.client = s->client;
	if (!*s->envelope.client)
		s->envelope.client_name = "";
}

/* In LMTP each recipient gets a separate reply (RFC 2033 section 4.2); SIZE is
 * that of the content. */
static void say_result(struct smtp_session *s, int64_t size,
		       const struct answer *r)
{
	size_t n = s->lmtp ? s->envelope.nrecipients : 1;
	struct answer full;

	for (size_t i = 0; i < n; i++)
		smtp_say(s, "%s",
			 s->lmtp && smtp_is_full(s, i, size, &full) ? full.text
								    : r->text);
}

/* SMTP has one reply for all: a message that only some have room for is
 * delivered, or not, to each. In LMTP these do not get it. */
static void refuse_full(struct smtp_session *s, int64_t size)
{
	size_t n = smtp_count_full(s, size);
	bool all = n == s->envelope.nrecipients;
	struct answer a;

	for (size_t i = 0; n > 0 && i < s->envelope.nrecipients; i++) {
		if (!smtp_is_full(s, i, size, &a))
			continue;
		if (all) {
			intake_refuse(s->intake, "%s", a.text);
			return;
		}
		if (!s->lmtp)
			return;
		smtp_log_refusal(s, "DATA", s->envelope.recipient[i].address,
				 &a);
		/* named twice, it is gone by now */
		intake_remove_recipient(s->intake,
					s->envelope.recipient[i].address);
	}
}

static void lose_content(struct smtp_session *s, int err)
{
	intake_abandon(s->intake);
	smtp_lose(s, err);
}

static void end_content(struct smtp_session *s,
			const struct smtp_data_reader *d)
{
	char client[SMTP_NAME_SIZE + ACCOUNT_USER_SIZE + 100];
	int64_t size = intake_size(s->intake);
	struct answer r;

	snprintf(client, sizeof(client), "client=%s[%s]%s%s", s->client_name,
		 s->client, *s->login ? ", sasl_username=" : "", s->login);
	if (d->bare && !s->server->normalize)
		intake_refuse(s->intake, "550 5.5.2 Error: bare <CR> or <LF> "
					 "received");
	refuse_full(s, size);
	if (intake_end(s->intake, client, &r)) {
		smtp_forgive(s);
		s->accepted++;
	}
	say_result(s, size, &r);
	smtp_reset(s);
	if (prefork_stopping())
		smtp_lose(s, ERR_STOPPING);
}

/* LMTP has one code for this (RFC 2033 section 4.2). */
static const char *no_recipients(const struct smtp_session *s)
{
	if (!s->refused_recipients)
		return "503 5.5.1 Error: need RCPT command";
	return s->lmtp ? "503 5.5.1 Error: no valid recipients"
		       : "554 5.5.1 Error: no valid recipients";
}

/* False, with the reply, if the queue takes nothing. */
static bool begin_intake(struct smtp_session *s, struct answer *r)
{
	begin_envelope(s);
	if (intake_begin(s->intake, s->server->policy->kind(s), &s->envelope,
			 r)) {
		intake_note(s->intake, (enum intake_action)s->fate, s->why);
		intake_note(s->intake, (enum intake_action)s->message_fate,
			    s->message_why);
		return true;
	}
	smtp_log_refusal(s, "DATA", NULL, r);
	return false;
}

static int drop(void *context, const void *data, size_t n)
{
	(void)context;
	(void)data;
	(void)n;
	return ERR_OK;
}

/* Content that the client was invited to send must be read: the reply comes at
 * its end. */
static void refuse_content(struct smtp_session *s, const struct answer *r)
{
	struct smtp_data_reader d;
	int err;

	smtp_data_begin(&d, true, drop, NULL);
	err = read_content(s, &d);
	if (err) {
		lose_content(s, err);
		return;
	}
	say_result(s, 0, r);
	smtp_reset(s);
}

static void take_content(struct smtp_session *s)
{
	struct smtp_data_reader d;
	int err;

	stream_set_timeout(s->io, s->server->timeout_ms);
	smtp_data_begin(&d, true, intake_write, s->intake);
	err = read_content(s, &d);
	if (err)
		lose_content(s, err);
	else
		end_content(s, &d);
}

void smtp_receive_content(struct smtp_session *s)
{
	struct answer r;

	if (begin_intake(s, &r))
		take_content(s);
	else
		refuse_content(s, &r);
}

/* Is the client silent after 354, and its session parked? */
static bool content_is_late(struct smtp_session *s)
{
	size_t n;
	int err;

	stream_window(s->io, &n);
	if (s->gate < 0 || n > 0)
		return false;
	stream_set_timeout(s->io, smtp_linger_ms(s));
	err = stream_fill(s->io);
	if (err == ERR_STOPPING)
		err = smtp_why_stopped(s);
	return (err == ERR_TIMEOUT || err == ERR_BUSY) &&
	       smtp_park(s, SMTP_PARKED_CONTENT);
}

void smtp_run_data(struct smtp_session *s, char *args)
{
	struct answer r;

	if (*args) {
		smtp_say(s, "501 5.5.4 Syntax: DATA");
	} else if (s->envelope.nrecipients == 0) {
		smtp_say(s, "%s", no_recipients(s));
	} else if (!begin_intake(s, &r)) {
		smtp_say(s, "%s", r.text);
	} else {
		smtp_say(s, "354 End data with <CR><LF>.<CR><LF>");
		if (!content_is_late(s))
			take_content(s);
	}
}
