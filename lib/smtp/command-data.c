/* DATA: the content, straight from the connection to the queue. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "server/prefork.h"
#include "smtp/command.h"
#include "smtp/data.h"

/* The end of the time that RECEIVED bytes may take: a client that drips
 * would hold a process for days otherwise. */
static void set_deadline(struct smtp_session *s, int64_t start_ms,
			 int64_t received)
{
	if (s->server->min_rate > 0)
		stream_set_deadline(s->io, start_ms + s->server->timeout_ms +
						   received * 1000 /
							   s->server->min_rate);
}

/* Reads content until its end. ERR_OK or why the client was lost. */
static int read_content(struct smtp_session *s, struct smtp_data_reader *d)
{
	int64_t start = clock_ms(), received = 0;
	int err = ERR_OK;

	/* what has been begun may be finished in the time of grace */
	stream_set_stop(s->io, -1);
	while (d->state != SMTP_DATA_END) {
		size_t n, used;
		const char *w = stream_window(s->io, &n);

		if (n == 0) {
			set_deadline(s, start, received);
			err = stream_fill(s->io);
			if (err)
				break;
			continue;
		}
		smtp_data_read(d, w, n, &used);
		stream_consume(s->io, used);
		received += (int64_t)used;
	}
	stream_set_deadline(s->io, 0);
	stream_set_stop(s->io, prefork_stop_fd());
	return err;
}

static void begin_envelope(struct smtp_session *s)
{
	s->envelope.protocol = smtp_protocol(s);
	s->envelope.client = s->client;
	if (!*s->envelope.client)
		s->envelope.client_name = "";
}

/* In LMTP each recipient gets a reply of its own (RFC 2033 section 4.2). */
static void say_result(struct smtp_session *s, const struct smtp_reply *r)
{
	size_t n = s->lmtp ? s->envelope.nrecipients : 1;

	while (n-- > 0)
		smtp_say(s, "%s", r->text);
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
	struct smtp_reply r;

	snprintf(client, sizeof(client), "client=%s[%s]%s%s", s->client_name,
		 s->client, *s->login ? ", sasl_username=" : "", s->login);
	if (d->bare && !s->server->normalize)
		intake_refuse(s->intake, "550 5.5.2 Error: bare <CR> or <LF> "
					 "received");
	if (intake_end(s->intake, client, &r))
		smtp_forgive(s);
	say_result(s, &r);
	smtp_reset(s);
	if (prefork_stopping())
		smtp_lose(s, ERR_STOPPING);
}

/* LMTP knows one code for this (RFC 2033 section 4.2). */
static const char *no_recipients(const struct smtp_session *s)
{
	if (!s->refused_recipients)
		return "503 5.5.1 Error: need RCPT command";
	return s->lmtp ? "503 5.5.1 Error: no valid recipients"
		       : "554 5.5.1 Error: no valid recipients";
}

void smtp_run_data(struct smtp_session *s, char *args)
{
	struct smtp_data_reader d;
	struct smtp_reply r;
	int err;

	if (*args) {
		smtp_say(s, "501 5.5.4 Syntax: DATA");
		return;
	}
	if (s->envelope.nrecipients == 0) {
		smtp_say(s, "%s", no_recipients(s));
		return;
	}
	begin_envelope(s);
	if (!intake_begin(s->intake, s->server->policy->kind(s), &s->envelope,
			  &r)) {
		smtp_log_refusal(s, "DATA", NULL, &r);
		smtp_say(s, "%s", r.text);
		return;
	}
	smtp_say(s, "354 End data with <CR><LF>.<CR><LF>");
	smtp_data_begin(&d, true, intake_write, s->intake);
	err = read_content(s, &d);
	if (err)
		lose_content(s, err);
	else
		end_content(s, &d);
}
