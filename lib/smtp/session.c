/*
 * A session from start to end: who the client is, its lines, the table row of
 * each command, and how the session ends.
 *
 * The loop is in smtp_session_run, at the end. A line is read by await_line,
 * which is also where a session from gate is parked (smtp/park.h); run_line
 * finds the command, run_row decides whether it may come now. What commands do
 * is in the files named after them. Every session ends through smtp_hang_up or
 * smtp_lose, which record the reason for the log.
 */
#include "smtp/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/dns.h"
#include "log/log.h"
#include "server/prefork.h"
#include "smtp/command.h"
#include "smtp/park.h"

#define NAME_MS 10000 /* for the name of a client */
#define STRESS_NAME_MS 1000
#define LOOK_MS 100 /* a silence after which gate may ask for the process */

const char *smtp_local_address(struct smtp_session *s)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss);

	if (!*s->local &&
	    getsockname(stream_fd(s->io), (struct sockaddr *)&ss, &n) == 0)
		address_ip(&ss, s->local);
	return s->local;
}

static void find_address(struct smtp_session *s)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss);

	if (!*s->client &&
	    getpeername(stream_fd(s->io), (struct sockaddr *)&ss, &n) == 0)
		address_ip(&ss, s->client);
}

void smtp_find_trust(struct smtp_session *s)
{
	s->trusted = !*s->client ||
		     address_networks_have(s->server->networks, s->client);
}

void smtp_find_rights(struct smtp_session *s)
{
	s->speaks_for_others =
		address_networks_have(s->server->xclients, s->client);
}

void smtp_find_client(struct smtp_session *s)
{
	const struct dns_patience p = { s->stress ? STRESS_NAME_MS : NAME_MS,
					smtp_gives_way, s };
	const char *name = "localhost";
	bool temp;

	find_address(s);
	if (*s->client)
		name = dns_client_name(s->memory, s->client, &p, &temp);
	if (!name || !str_copy(s->client_name, SMTP_NAME_SIZE, name))
		str_copy(s->client_name, SMTP_NAME_SIZE, "unknown");
	smtp_find_trust(s);
	log_info("connect from %s[%s]", s->client_name, s->client);
}

void smtp_note_progress(struct smtp_session *s)
{
	s->progress_ms = s->hurry_ms = clock_ms();
}

void smtp_session_begin(struct smtp_session *s,
			const struct smtp_server *server, struct intake *intake,
			int fd, int gate)
{
	*s = (struct smtp_session){ .server = server,
				    .intake = intake,
				    .gate = gate,
				    .state = SMTP_GREETED,
				    .after = "CONNECT" };
	s->memory = arena_new();
	s->io = stream_new(fd, SMTP_WINDOW);
	stream_set_timeout(s->io, server->timeout_ms);
	stream_set_stop(s->io, smtp_watch_fd(s));
	if (gate >= 0)
		stream_set_look(s->io, LOOK_MS);
	smtp_note_progress(s);
}

void smtp_session_init(struct smtp_session *s, const struct smtp_server *server,
		       struct intake *intake, int fd)
{
	smtp_session_begin(s, server, intake, fd, -1);
	smtp_find_client(s);
	smtp_find_rights(s);
	smtp_reset(s);
}

bool smtp_ask(struct smtp_session *s, enum intake_stage stage,
	      struct address *address, struct answer *a)
{
	const struct intake_question q = { .stage = stage,
					   .kind = s->server->policy->kind(s),
					   .e = &s->envelope,
					   .session = s,
					   .address = address };
	bool all = stage < INTAKE_MAIL;
	int64_t *fate = all ? &s->fate : &s->message_fate;
	const char *name = "";
	int64_t action = intake_ask(s->server->policy->rows, &q, a, &name);

	if (action >= INTAKE_DEFER)
		return false;
	if (action > *fate) {
		*fate = action;
		snprintf(all ? s->why : s->message_why, SMTP_NAME_SIZE,
			 "%s: %.200s", name, a->text);
	}
	return true;
}

void smtp_meet(struct smtp_session *s)
{
	struct answer a;

	if (smtp_ask(s, INTAKE_CONNECT, NULL, &a))
		return;
	smtp_log_refusal(s, "CONNECT", NULL, &a);
	smtp_say(s, "%s", a.text);
	smtp_hang_up(s, "refused");
}

void smtp_session_greet(struct smtp_session *s)
{
	if (!s->over)
		smtp_say(s, "220 %s", s->server->banner);
}

void smtp_reset(struct smtp_session *s)
{
	struct envelope_recipient *recipient = s->envelope.recipient;

	intake_abandon(s->intake);
	arena_reset(s->memory);
	s->envelope = (struct envelope){ .sender = "",
					 .recipient = recipient,
					 .envid = "",
					 .ret = "",
					 .body = "",
					 .client = s->client,
					 .client_name = s->client_name,
					 .helo = s->helo,
					 .login = s->login,
					 .protocol = "",
					 .tls = s->tls_text,
					 .hold = "",
					 .prologue = "" };
	s->refused_recipients = false;
	s->size = 0;
	s->nrooms = 0;
	s->message_fate = INTAKE_ACCEPT;
	s->message_why[0] = '\0';
	if (s->state != SMTP_GREETED)
		s->state = SMTP_READY;
}

static void count_refusal(struct smtp_session *s, char class)
{
	if (class != '4' && class != '5')
		return;
	s->refused = true;
	if (class == '5' || ++s->put_off > s->server->recipient_limit)
		s->errors++;
}

void smtp_say(struct smtp_session *s, const char *fmt, ...)
{
	struct answer r;
	char text[ANSWER_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer_set(&r, "%s", text);
	stream_puts(s->io, r.text);
	stream_put(s->io, "\r\n", 2);
	count_refusal(s, answer_class(&r));
}

void smtp_forgive(struct smtp_session *s)
{
	s->errors = s->put_off = s->junk = 0;
}

void smtp_hang_up(struct smtp_session *s, const char *why)
{
	s->over = true;
	s->end = why;
	stream_hang_up(s->io);
}

/* Is there input after the current command? Then it is refused and the session
 * ended: for commands after which nothing may be pipelined. */
static bool refuse_pipelined(struct smtp_session *s)
{
	size_t n;

	stream_window(s->io, &n);
	if (n == 0)
		return false;
	smtp_say(s, "554 5.5.0 Error: SMTP protocol synchronization");
	smtp_hang_up(s, "improper command pipelining");
	return true;
}

/* Reads on to the end of a line that was too long. */
static int skip_line(struct smtp_session *s)
{
	for (int step = 0; step < 16; step++) {
		size_t n;
		const char *w = stream_window(s->io, &n);
		const char *lf = memchr(w, '\n', n);
		int err;

		stream_consume(s->io, lf ? (size_t)(lf - w) + 1 : n);
		if (lf)
			return ERR_OK;
		err = stream_fill(s->io);
		if (err == ERR_STOPPING)
			err = smtp_why_stopped(s);
		if (err)
			return err;
	}
	return ERR_TOO_LONG;
}

void smtp_lose(struct smtp_session *s, int err)
{
	if (err == ERR_TIMEOUT) {
		smtp_say(s, "421 4.4.2 %s Error: timeout exceeded",
			 s->server->hostname);
		smtp_hang_up(s, "timeout");
	} else if (err == ERR_TOO_LONG) {
		smtp_say(s, "421 4.5.2 %s Error: too much input",
			 s->server->hostname);
		smtp_hang_up(s, "too much input");
	} else if (err == ERR_STOPPING) {
		smtp_say(s, "421 4.3.2 %s Service is shutting down",
			 s->server->hostname);
		smtp_hang_up(s, "shutdown");
	} else if (err == ERR_BUSY) {
		smtp_say(s, "421 4.3.2 %s Error: too slow while others wait",
			 s->server->hostname);
		smtp_hang_up(s, "too slow under load");
	} else {
		smtp_hang_up(s, "lost connection");
	}
}

/* Cuts off the line end; false if the line is not valid in SMTP. */
static bool clean_line(const struct smtp_session *s, char *line, size_t n)
{
	if (n >= 2 && line[n - 2] == '\r')
		n -= 2;
	else if (s->server->normalize)
		n -= 1;
	else
		return false;
	line[n] = '\0';
	return !memchr(line, '\r', n) && !memchr(line, '\0', n);
}

/* The client's next line. With PARKS, after a silence the session is given back
 * to gate: ERR_EOF then, as it is over here. */
static int await_line(struct smtp_session *s, size_t max, bool parks,
		      char **line, size_t *n)
{
	for (;;) {
		int err;

		parks = parks && s->gate >= 0;
		stream_set_timeout(s->io, parks ? smtp_linger_ms(s)
						: s->server->timeout_ms);
		err = stream_line(s->io, max, line, n);
		if (err == ERR_STOPPING)
			err = smtp_why_stopped(s);
		else if (err != ERR_TIMEOUT || !parks)
			return err;
		if (err == ERR_STOPPING ||
		    (err == ERR_BUSY && !parks && smtp_is_late(s)))
			return err;
		if (err && parks && smtp_park(s, SMTP_PARKED_COMMAND))
			return ERR_EOF;
		if (err && parks)
			parks = false;
	}
}

static bool read_line(struct smtp_session *s, size_t max, bool parks,
		      char **line)
{
	size_t n;
	int err = await_line(s, max, parks, line, &n);

	if (err == ERR_TOO_LONG) {
		*line = NULL;
		err = skip_line(s);
		if (!err)
			smtp_say(s, "500 5.5.2 Error: line too long");
	} else if (!err && !clean_line(s, *line, n)) {
		*line = NULL;
		smtp_say(s, "500 5.5.2 Error: a line ends with <CR><LF>");
	}
	if (err && !s->parked)
		smtp_lose(s, err);
	return !err;
}

bool smtp_read_line(struct smtp_session *s, size_t max, char **line)
{
	smtp_note_progress(s);
	return read_line(s, max, false, line);
}

static const struct smtp_command *find_row(const struct smtp_session *s,
					   const char *word, size_t *index)
{
	for (*index = 0;; (*index)++) {
		const struct smtp_command *c = smtp_command_at(s, *index);

		if (!c)
			return NULL;
		if (str_equal_ci(c->word, word) &&
		    !(c->flags & (s->lmtp ? SMTP_NOT_LMTP : SMTP_ONLY_LMTP)))
			return c;
	}
}

/* Words of other protocols, such as from a browser tricked to talk to us. */
static bool foreign_word(const char *word)
{
	static const char *const words[] = { "GET", "POST", "CONNECT",
					     "PUT", "HEAD", "OPTIONS" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_equal_ci(word, words[i]))
			return true;
	/* the name of a header field */
	return *word && word[strlen(word) - 1] == ':';
}

static void unknown_command(struct smtp_session *s, const char *word)
{
	s->unknown++;
	if (foreign_word(word)) {
		smtp_say(s, "221 2.7.0 Error: SMTP is spoken here");
		smtp_hang_up(s, "non-SMTP command");
		return;
	}
	smtp_say(s, "500 5.5.2 Error: command not recognized");
}

/* Why C may not come now. */
static const char *misplaced(const struct smtp_session *s,
			     const struct smtp_command *c)
{
	if (s->state != SMTP_GREETED)
		return c->misplaced;
	return s->lmtp ? "503 5.5.1 Error: send LHLO first"
		       : "503 5.5.1 Error: send EHLO or HELO first";
}

/* Runs C if it may come now. */
static void run_row(struct smtp_session *s, const struct smtp_command *c,
		    size_t index, char *args)
{
	s->after = c->word;
	s->refused = false;
	if ((c->flags & SMTP_LAST) && refuse_pipelined(s))
		return;
	if ((c->flags & SMTP_JUNK) && ++s->junk > s->server->junk_limit)
		s->errors++;
	/* counted first: the session may be parked when it has run */
	s->count[index].all++;
	s->count[index].good++;
	if (!(c->states & s->state))
		smtp_say(s, "%s", misplaced(s, c));
	else
		c->run(s, args);
	if (s->refused)
		s->count[index].good--;
}

static void run_line(struct smtp_session *s, char *line)
{
	char *args = line + strcspn(line, " \t");
	const struct smtp_command *c;
	size_t index;

	if (*args)
		*args++ = '\0';
	c = find_row(s, line, &index);
	if (c)
		run_row(s, c, index, str_trim(args));
	else
		unknown_command(s, line);
}

static void limit_errors(struct smtp_session *s)
{
	if (s->over || s->errors < s->server->error_limit)
		return;
	smtp_say(s, "421 4.7.0 %s Error: too many errors", s->server->hostname);
	smtp_hang_up(s, "too many errors");
}

void smtp_session_free(struct smtp_session *s)
{
	smtp_reset(s);
	free(s->envelope.recipient);
	free(s->room);
	stream_free(&s->io);
	arena_free(&s->memory);
}

static void end_session(struct smtp_session *s)
{
	if (!s->parked) {
		smtp_log_end(s);
		err_ignore(stream_flush(s->io)); /* it ends in any case */
	}
	/* the connection's end goes with the last reply */
	smtp_session_free(s);
	smtp_leave_gate(s);
}

/* The DATA of it was counted as good when the session was parked. */
static void go_on_with_content(struct smtp_session *s)
{
	size_t index;

	smtp_receive_content(s);
	if (s->refused && find_row(s, "DATA", &index))
		s->count[index].good--;
}

static void go_on(struct smtp_session *s)
{
	if (s->timed_out)
		smtp_lose(s, ERR_TIMEOUT);
	else if (s->content_due)
		go_on_with_content(s);
	limit_errors(s);
}

void smtp_session_run(struct smtp_session *s)
{
	char *line;

	go_on(s);
	while (!s->over && read_line(s, SMTP_LINE_MAX, true, &line)) {
		smtp_note_progress(s);
		if (line)
			run_line(s, line);
		else
			s->unknown++;
		limit_errors(s);
	}
	end_session(s);
}
