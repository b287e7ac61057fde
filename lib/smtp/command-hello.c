/* HELO, EHLO, LHLO and STARTTLS. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/wait.h"
#include "log/log.h"
#include "smtp/command.h"
#include "smtp/park.h"

#define HANDSHAKE_MS 60000

/* A host name, an address literal, or whatever people's computers call
 * themselves: any word of printable ASCII is accepted (RFC 5321 section 4.1.4
 * forbids refusing mail because the name is wrong). */
static bool take_name(struct smtp_session *s, const char *word, char *name)
{
	struct answer a;

	for (const char *p = name; *p; p++)
		if (*p == ' ' || !str_isprint((unsigned char)*p))
			*name = '\0';
	if (!*name || !str_copy(s->helo, SMTP_NAME_SIZE, name)) {
		smtp_say(s, "501 5.5.4 Syntax: %s hostname", word);
		return false;
	}
	s->state = SMTP_READY;
	smtp_reset(s);
	if (smtp_ask(s, INTAKE_HELO, NULL, &a))
		return true;
	s->state = SMTP_GREETED;
	smtp_log_refusal(s, word, NULL, &a);
	smtp_say(s, "%s", a.text);
	return false;
}

void smtp_run_helo(struct smtp_session *s, char *args)
{
	if (!take_name(s, "HELO", args))
		return;
	s->esmtp = false;
	smtp_say(s, "250 %s", s->server->hostname);
}

void smtp_run_ehlo(struct smtp_session *s, char *args)
{
	if (!take_name(s, s->lmtp ? "LHLO" : "EHLO", args))
		return;
	s->esmtp = true;
	smtp_say(s, "250-%s", s->server->hostname);
	stream_puts(s->io, "250-PIPELINING\r\n");
	stream_printf(s->io, "250-SIZE %lld\r\n",
		      (long long)s->server->size_limit);
	if (s->server->tls && !s->tls && !s->lmtp)
		stream_puts(s->io, "250-STARTTLS\r\n");
	if (s->speaks_for_others)
		stream_puts(s->io, "250-XCLIENT NAME ADDR PORT PROTO HELO "
				   "LOGIN DESTADDR DESTPORT\r\n");
	if (s->server->policy->extensions)
		s->server->policy->extensions(s);
	stream_puts(s->io, "250-ENHANCEDSTATUSCODES\r\n"
			   "250-8BITMIME\r\n"
			   "250-SMTPUTF8\r\n"
			   "250 DSN\r\n");
}

/* Nothing that was sent in plain text may count (RFC 3207 section 4.2). */
static void start_over(struct smtp_session *s)
{
	s->state = SMTP_GREETED;
	s->esmtp = false;
	*s->helo = *s->login = '\0';
	smtp_reset(s);
}

/* Waits for the end of the handshake at SOCK no longer than for a command: then
 * gate does, without a process. False: the session is over here. */
static bool await_handshake(struct smtp_session *s, int sock)
{
	const int64_t until = clock_ms() + smtp_linger_ms(s);
	int err;

	do
		err = wait_input_beside(sock, smtp_watch_fd(s), until);
	while (err == ERR_STOPPING && (err = smtp_why_stopped(s)) == ERR_OK);
	if (err == ERR_OK)
		return true;
	if (err == ERR_STOPPING || !smtp_park_handshake(s, sock))
		smtp_hang_up(s, "shutdown");
	close(sock);
	return false;
}

/* Gives the plain descriptor; -1, if the session is not over: it failed. */
static int handshake(struct smtp_session *s, struct tls_info *info)
{
	const char *service = s->server->policy->tls_service;
	int fd = stream_fd(s->io), sock = -1;

	if (s->gate >= 0)
		sock = tls_accept_begin(service, fd, HANDSHAKE_MS);
	if (sock >= 0 && await_handshake(s, sock)) {
		close(fd);
		return tls_accept_end(sock, info);
	}
	/* gate asks tlsproxy again when that has time for it */
	if (sock >= 0 || smtp_park(s, SMTP_PARKED_TLS))
		return -1;
	return tls_accept(service, fd, info, HANDSHAKE_MS, -1);
}

/* Puts TLS under the stream. False: the session is over. */
static bool begin_tls(struct smtp_session *s)
{
	struct tls_info info = { .why = "" };
	int fd;

	smtp_local_address(s);
	start_over(s);
	fd = handshake(s, &info);
	if (s->over)
		return false;
	/* input from before the handshake is dropped with the old state */
	stream_replace_fd(s->io, fd);
	if (fd < 0) {
		log_info("TLS handshake with %s[%s] failed: %s", s->client_name,
			 s->client, info.why);
		smtp_hang_up(s, "TLS handshake failed");
		return false;
	}
	s->tls = true;
	tls_describe(&info, s->tls_text, sizeof(s->tls_text));
	return true;
}

bool smtp_session_start_tls(struct smtp_session *s)
{
	if (s->over)
		return false;
	if (s->server->tls)
		return begin_tls(s);
	log_warn("no TLS for %s[%s]: smtpd_tls_cert_file is empty",
		 s->client_name, s->client);
	smtp_hang_up(s, "no TLS");
	return false;
}

void smtp_run_starttls(struct smtp_session *s, char *args)
{
	if (*args)
		smtp_say(s, "501 5.5.4 Syntax: STARTTLS");
	else if (s->tls)
		smtp_say(s, "503 5.5.1 Error: TLS already active");
	else if (!s->server->tls || s->lmtp)
		smtp_say(s, "502 5.5.1 Error: command not implemented");
	else {
		smtp_say(s, "220 2.0.0 Ready to start TLS");
		if (stream_flush(s->io))
			smtp_hang_up(s, "lost connection");
		else
			begin_tls(s);
	}
}
