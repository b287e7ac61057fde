/*
 * The steps of a conversation with a server, in the order in which they
 * happen: connecting, the greeting, EHLO (or HELO), STARTTLS through the
 * service tls-client and EHLO again, since offers made in clear text do not
 * count under TLS. Each step that fails says what failed and who said so
 * (fault.h).
 */
#include "remote-send/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "client/tls.h"
#include "log/log.h"
#include "io/connect.h"
#include "io/wait.h"

/* "host[ip]" of the relay, for texts. */
#define WHO(s) (int)(strcspn((s)->relay, "]") + 1), (s)->relay

static void fault_of_io(const struct session *s, int err, const char *when,
			struct fault *f)
{
	if (err == ERR_STOPPING)
		fault_set(f, "4.3.2", "nobody waits for the result while %s",
			  when);
	else if (err == ERR_TIMEOUT)
		fault_set(f, "4.4.2",
			  "conversation with %.*s timed out while %s", WHO(s),
			  when);
	else if (err == ERR_TOO_LONG || err == ERR_SYNTAX)
		fault_set(f, "4.5.0", "protocol error of %.*s while %s", WHO(s),
			  when);
	else
		fault_set(f, "4.4.2", "lost connection with %.*s while %s",
			  WHO(s), when);
	str_copy(f->relay, sizeof(f->relay), s->relay);
}

bool session_is_deserted(const struct session *s)
{
	return !s->final && s->client >= 0 &&
	       wait_until(s->client, POLLIN, 0) == ERR_OK;
}

void session_set_final(struct session *s, bool final)
{
	s->final = final;
	if (s->stream)
		stream_set_stop(s->stream, final ? -1 : s->client);
}

/* FD is connected with the host. */
static void begin_stream(struct session *s, int fd)
{
	s->stream = stream_new(fd, REPLY_MAX);
	stream_stop_sends(s->stream);
	session_set_final(s, false);
}

int64_t session_limit(const struct session *s, int64_t ms)
{
	int64_t left = s->patience_ms - clock_ms();

	if (session_is_deserted(s))
		return 1;
	if (!s->patience_ms || left > ms)
		return ms;
	return left > 0 ? left : 1;
}

bool session_is_late(const struct session *s)
{
	return (s->patience_ms && s->patience_ms <= clock_ms()) ||
	       session_is_deserted(s);
}

/* Waits for a whole reply at the front of the window, which it leaves there:
 * *USED bytes. */
static int await_reply(struct session *s, int64_t ms, struct reply *r,
		       size_t *used)
{
	int64_t until = 0;

	ms = session_limit(s, ms);
	stream_set_timeout(s->stream, ms);
	for (;;) {
		size_t n;
		const char *data = stream_window(s->stream, &n);
		enum reply_state state = reply_parse(data, n, used, r);
		int err;

		if (state == REPLY_DONE)
			return ERR_OK;
		if (state == REPLY_BAD)
			return ERR_SYNTAX;
		/* one limit for the whole reply, however it drips */
		if (!until)
			until = clock_ms() + ms;
		stream_set_deadline(s->stream, until);
		err = stream_fill(s->stream);
		if (err)
			return err;
	}
}

bool session_reply(struct session *s, int64_t ms, const char *when,
		   struct reply *r, struct fault *f)
{
	size_t used;
	int err = await_reply(s, ms, r, &used);

	stream_set_deadline(s->stream, 0);
	if (err) {
		fault_of_io(s, err, when, f);
		return false;
	}
	stream_consume(s->stream, used);
	s->ends = s->ends || r->code == 421;
	return true;
}

void session_relay(const struct peer *p, char *out, size_t size)
{
	snprintf(out, size, "%s[%s]:%d", p->name, p->ip, p->port);
}

static bool connect_peer(struct session *s, const struct peer *p,
			 struct fault *f)
{
	int fd;

	session_relay(p, s->relay, sizeof(s->relay));
	fd = connect_to(p->ip, p->port,
			session_limit(s, s->set->connect_ms), s->client);
	if (fd < 0) {
		fault_set(f, "4.4.1", "connect to %s: %s", s->relay,
			  strerror(errno));
		return false;
	}
	begin_stream(s, fd);
	s->features = 0;
	s->uses = 0;
	s->tls = s->reset_due = s->ends = s->only = false;
	s->opened_ms = clock_ms();
	return true;
}

/* A server that does not want to talk is no reason to give up the message:
 * another host may take it, or this one later; except 521, which says that it
 * never takes mail (RFC 7504 section 3). */
static void fault_of_refusal(const struct session *s, const struct reply *r,
			     struct fault *f)
{
	fault_from_reply(f, r, s->relay, "greeting");
	fault_set(f, r->code < 400 ? "4.5.0" : r->dsn,
		  "host %.*s refused to talk to me: %s", WHO(s), r->text);
	str_copy(f->relay, sizeof(f->relay), s->relay);
	str_copy(f->remote, sizeof(f->remote), r->text);
	if (r->code == 521)
		str_copy(f->dsn, sizeof(f->dsn), "5.3.2");
	else
		fault_soften(f);
}

static bool greet(struct session *s, struct fault *f)
{
	struct reply r;

	if (!session_reply(s, s->set->helo_ms,
			   "receiving the initial server "
			   "greeting",
			   &r, f))
		return false;
	if (r.code == 220)
		return true;
	fault_of_refusal(s, &r, f);
	return false;
}

static bool say_helo(struct session *s, struct fault *f)
{
	struct reply r;

	s->features = 0;
	stream_printf(s->stream, "HELO %s\r\n", s->set->myhostname);
	if (!session_reply(s, s->set->helo_ms, "performing the HELO handshake",
			   &r, f))
		return false;
	if (r.code / 100 == 2)
		return true;
	fault_of_refusal(s, &r, f);
	return false;
}

/* EHLO; HELO with a server that does not know it (RFC 5321 section 3.2). */
static bool say_ehlo(struct session *s, struct fault *f)
{
	const char *when = "performing the EHLO handshake";
	struct reply r;
	size_t used, n;
	bool ours;
	int err;

	stream_printf(s->stream, "EHLO %s\r\n", s->set->myhostname);
	err = await_reply(s, s->set->helo_ms, &r, &used);
	stream_set_deadline(s->stream, 0);
	if (err) {
		fault_of_io(s, err, when, f);
		return false;
	}
	ours = r.code / 100 == 2 &&
	       !session_features(s, stream_window(s->stream, &n), used);
	stream_consume(s->stream, used);
	if (ours) {
		fault_loop(f, s->destination);
		str_copy(f->relay, sizeof(f->relay), s->relay);
		f->loop = true;
		return false;
	}
	if (r.code / 100 == 2)
		return true;
	if (r.code / 100 == 5 && r.code != 521)
		return say_helo(s, f);
	fault_of_refusal(s, &r, f);
	return false;
}

static void log_tls(const struct session *s, const struct tls_info *info)
{
	log_info("%s TLS connection established to %s: %s with cipher %s "
		 "(%d/%d bits)",
		 info->verified ? "Verified" : "Untrusted", s->relay,
		 info->version, info->cipher, info->bits, info->bits);
}

/* Hands the connection to tlsproxy, and takes what it gives back. */
static bool handshake(struct session *s, const struct peer *p,
		      const struct tls_need *need, struct fault *f)
{
	const char *const name[] = { p->name };
	struct tls_request q = { .level = need->verify ? TLS_LEVEL_VERIFY
						       : TLS_LEVEL_MAY,
				 .sni = strcmp(p->name, p->ip) ? p->name : "",
				 .names = name,
				 .nnames = 1 };
	struct tls_info info = { .why = "" };
	int fd = stream_release(&s->stream);

	fd = tls_connect(fd, &q, &info, session_limit(s, s->set->helo_ms),
			 s->client);
	if (fd < 0) {
		fault_set(f, need->verify ? "4.7.5" : "4.7.4",
			  "Cannot start TLS with %.*s: %s", WHO(s), info.why);
		str_copy(f->relay, sizeof(f->relay), s->relay);
		f->ours = info.away;
		return false;
	}
	begin_stream(s, fd);
	s->tls = true;
	log_tls(s, &info);
	return true;
}

enum tls_result {
	TLS_GOOD,   /* go on: encrypted, or rightly not */
	TLS_BROKEN, /* this connection is unusable */
	TLS_REFUSED /* without TLS there is no mail to that host */
};

static enum tls_result ask_for_tls(struct session *s, const struct peer *p,
				   const struct tls_need *need, struct fault *f)
{
	struct reply r;
	size_t n;

	stream_puts(s->stream, "STARTTLS\r\n");
	if (!session_reply(s, s->set->helo_ms, "sending STARTTLS", &r, f))
		return TLS_BROKEN;
	if (r.code != 220) {
		fault_from_reply(f, &r, s->relay,
				 "in reply to STARTTLS command");
		fault_soften(f);
		return need->must ? TLS_REFUSED : TLS_GOOD;
	}
	/* anyone could have injected what came before the handshake
	 * (CVE-2011-0411) */
	stream_window(s->stream, &n);
	if (n > 0) {
		fault_of_io(s, ERR_SYNTAX, "sending STARTTLS", f);
		return TLS_BROKEN;
	}
	return handshake(s, p, need, f) ? TLS_GOOD : TLS_BROKEN;
}

static enum tls_result start_tls(struct session *s, const struct peer *p,
				 const struct tls_need *need, struct fault *f)
{
	enum tls_result result;

	if (!need->try)
		return TLS_GOOD;
	if (!(s->features & FEATURE_STARTTLS)) {
		fault_set(f, "4.7.4",
			  "TLS is required, but was not offered by host %.*s",
			  WHO(s));
		str_copy(f->relay, sizeof(f->relay), s->relay);
		return need->must ? TLS_REFUSED : TLS_GOOD;
	}
	result = ask_for_tls(s, p, need, f);
	if (result != TLS_GOOD || !s->tls)
		return result;
	/* RFC 3207 section 4.2: forget all earlier offers */
	return say_ehlo(s, f) ? TLS_GOOD : TLS_BROKEN;
}

bool session_open(struct session *s, const struct peer *peer,
		  const struct tls_need *tls, struct fault *f)
{
	static const struct tls_need plain;
	enum tls_result result = TLS_REFUSED;

	*f = (struct fault){ .set = false };
	if (connect_peer(s, peer, f) && greet(s, f) && say_ehlo(s, f)) {
		result = start_tls(s, peer, tls, f);
		if (result == TLS_GOOD)
			return true;
	}
	session_close(s, result == TLS_REFUSED);
	if (result != TLS_BROKEN || tls->must || session_is_late(s))
		return false;
	/* RFC 7435: if allowed, plain text is better than not at all */
	log_info("%s: %s; trying again without TLS", s->relay, f->text);
	return session_open(s, peer, &plain, f);
}

void session_close(struct session *s, bool polite)
{
	if (s->stream && polite && !s->ends) {
		stream_set_timeout(s->stream, 1000);
		stream_puts(s->stream, "QUIT\r\n");
		err_ignore(stream_flush(s->stream)); /* only courtesy */
	}
	stream_free(&s->stream);
}
