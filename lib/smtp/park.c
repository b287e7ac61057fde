/*
 * A session as a packet, and back. The fields that are handed on are rows of
 * two tables, numbers and texts; beside them go the counts of commands, the
 * envelope in the records of queue/envelope.h, and an incomplete line of
 * input. The packet is not a file format: it passes between instances of one
 * version, through gate, which does not parse it. An instance that cannot take
 * it logs that and closes the connection.
 */
#include "smtp/park.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "server/prefork.h"
#include "smtp/command.h"

#define HANDOVER_MS 5000
#define LINGER_MS 1000	    /* a silence after which a session is parked */
#define STRESS_LINGER_MS 20 /* when others wait */
#define INPUT_MAX 16384	    /* bytes of a line that gate has read */
#define ENVELOPE_MAX 100000 /* a longer one stays here */

static struct {
	int watch; /* readable when the suite stops, or gate sends something */
} self = { .watch = -1 };

/* The numbers of a session that are handed on unchanged. */
static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{ "errors", offsetof(struct smtp_session, errors) },
	{ "put-off", offsetof(struct smtp_session, put_off) },
	{ "junk", offsetof(struct smtp_session, junk) },
	{ "accepted", offsetof(struct smtp_session, accepted) },
	{ "unknown", offsetof(struct smtp_session, unknown) },
	{ "fate", offsetof(struct smtp_session, fate) },
	{ "speaks-for-others",
	  offsetof(struct smtp_session, speaks_for_others) },
	{ "size", offsetof(struct smtp_session, size) },
	{ "message-fate", offsetof(struct smtp_session, message_fate) },
};

/* Its texts, each an array of the session. */
static const struct {
	const char *name;
	size_t offset;
	size_t size;
} texts[] = {
#define TEXT(name, field)                                         \
	{                                                         \
		name, offsetof(struct smtp_session, field),       \
			sizeof(((struct smtp_session *)0)->field) \
	}
	TEXT("client", client), TEXT("name", client_name),
	TEXT("local", local),	TEXT("helo", helo),
	TEXT("tls", tls_text),	TEXT("login", login),
	TEXT("why", why),	TEXT("message-why", message_why),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int64_t *number_at(struct smtp_session *s, size_t i)
{
	return (int64_t *)(void *)((char *)s + numbers[i].offset);
}

/* Watches the stop of the suite and, from now on, the connection to gate. */
static void watch(int sock)
{
	struct epoll_event e = { .events = EPOLLIN };

	if (self.watch < 0) {
		self.watch = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_ctl(self.watch, EPOLL_CTL_ADD, prefork_stop_fd(), &e))
			log_warn("cannot watch the stop of the suite: %m");
	}
	if (epoll_ctl(self.watch, EPOLL_CTL_ADD, sock, &e))
		log_warn("cannot watch gate: %m");
}

static void unwatch(struct smtp_session *s)
{
	/* it only fails if it is not watched, which is what we want */
	err_ignore(epoll_ctl(self.watch, EPOLL_CTL_DEL, s->gate, NULL));
	s->gate = -1;
}

int smtp_watch_fd(const struct smtp_session *s)
{
	return s->gate >= 0 ? self.watch : prefork_stop_fd();
}

void smtp_leave_gate(struct smtp_session *s)
{
	struct ipc_out m = { 0 };

	if (s->gate < 0)
		return;
	ipc_begin(&m, "over");
	ipc_put_int(&m, "accepted", s->accepted);
	/* gate may have ended: then nobody counts sessions */
	err_ignore(ipc_send(s->gate, &m, 0));
	ipc_out_free(&m);
	unwatch(s);
}

int smtp_why_stopped(struct smtp_session *s)
{
	struct ipc_in m = { 0 };
	int err;

	if (s->gate < 0 || prefork_stopping())
		return ERR_STOPPING;
	err = ipc_recv(s->gate, &m, 0);
	if (!err)
		s->hurried = ipc_get(&m, "hurry") != NULL;
	ipc_in_free(&m);
	if (err == ERR_OK)
		return ERR_BUSY;
	return err == ERR_BUSY ? ERR_OK : ERR_STOPPING;
}

static bool is_behind(const struct smtp_session *s, bool hurried)
{
	int64_t late = clock_ms() - s->server->stress_timeout_ms;

	return s->progress_ms <= late || (hurried && s->hurry_ms <= late);
}

bool smtp_is_late(const struct smtp_session *s)
{
	return is_behind(s, s->hurried);
}

bool smtp_gives_way(void *session)
{
	struct smtp_session *s = session;

	return s->gate >= 0 && smtp_is_late(s) &&
	       smtp_why_stopped(s) == ERR_BUSY;
}

bool smtp_may_be_late(const struct smtp_session *s)
{
	return s->gate >= 0 && is_behind(s, true);
}

int64_t smtp_linger_ms(const struct smtp_session *s)
{
	return s->stress ? STRESS_LINGER_MS : LINGER_MS;
}

/* Giving back */

static void put_counts(struct smtp_session *s, struct ipc_out *m)
{
	char text[32];

	for (size_t i = 0; smtp_command_at(s, i); i++) {
		snprintf(text, sizeof(text), "%u/%u", s->count[i].good,
			 s->count[i].all);
		ipc_put(m, "count", text);
	}
}

static void put_envelope(struct smtp_session *s, struct ipc_out *m)
{
	struct buf b;

	if (s->state != SMTP_MAIL && s->state != SMTP_RECIPIENTS)
		return;
	buf_init(&b, ENVELOPE_MAX);
	envelope_write(&b, &s->envelope);
	ipc_put(m, "envelope", b.data);
	m->data.over |= b.over;
	buf_free(&b);
	ipc_put_int(m, "refused-recipients", s->refused_recipients);
}

static void put_session(struct smtp_session *s, struct ipc_out *m)
{
	size_t n;
	const char *input = stream_window(s->io, &n);

	for (size_t i = 0; i < COUNT(texts); i++)
		ipc_put(m, texts[i].name, (char *)s + texts[i].offset);
	for (size_t i = 0; i < COUNT(numbers); i++)
		ipc_put_int(m, numbers[i].name, *number_at(s, i));
	ipc_put_int(m, "esmtp", s->esmtp);
	ipc_put_int(m, "state", s->state);
	ipc_put(m, "after", s->after);
	put_counts(s, m);
	put_envelope(s, m);
	if (n > 0)
		ipc_put_base64(m, "input", input, n);
}

static const char *const words[] = { [SMTP_PARKED_COMMAND] = "command",
				     [SMTP_PARKED_CONTENT] = "content",
				     [SMTP_PARKED_TLS] = "tls",
				     [SMTP_PARKED_HANDSHAKE] = "handshake" };

static bool give_back(struct smtp_session *s, enum smtp_parked what, int fd)
{
	struct ipc_out m = { 0 };
	int err = ERR_TOO_LONG;
	size_t n;

	stream_window(s->io, &n);
	if (s->gate < 0 || n > INPUT_MAX || stream_flush(s->io))
		return false;
	ipc_begin(&m, "park");
	ipc_put(&m, "until", words[what]);
	put_session(s, &m);
	ipc_put_fd(&m, fd);
	if (!m.data.over)
		err = ipc_send(s->gate, &m, HANDOVER_MS);
	ipc_out_free(&m);
	if (err) {
		log_debug("a session is not parked: %s", err_why(err));
		return false;
	}
	s->over = s->parked = true;
	unwatch(s);
	return true;
}

bool smtp_park(struct smtp_session *s, enum smtp_parked what)
{
	return give_back(s, what, stream_fd(s->io));
}

bool smtp_park_handshake(struct smtp_session *s, int sock)
{
	return give_back(s, SMTP_PARKED_HANDSHAKE, sock);
}

/* Taking */

static void take_counts(struct smtp_session *s, const struct ipc_in *m)
{
	size_t k = 0;

	for (size_t i = 0; i < m->nattrs && k < SMTP_COMMANDS_MAX; i++)
		if (strcmp(m->attr[i].name, "count") == 0 &&
		    sscanf(m->attr[i].value, "%u/%u", &s->count[k].good,
			   &s->count[k].all) == 2)
			k++;
}

/* Recipients are in memory of the session's own, which grows. */
static bool take_envelope(struct smtp_session *s, const struct ipc_in *m)
{
	const char *text = ipc_get(m, "envelope");
	struct envelope e;
	int64_t refused = 0;

	if (!text)
		return s->state == SMTP_GREETED || s->state == SMTP_READY;
	if (envelope_read(s->memory, text, strlen(text), &e))
		return false;
	ipc_int(m, "refused-recipients", 0, 1, &refused);
	s->refused_recipients = refused;
	s->envelope.sender = e.sender;
	s->envelope.envid = e.envid;
	s->envelope.ret = e.ret;
	s->envelope.body = e.body;
	s->envelope.smtputf8 = e.smtputf8;
	s->envelope.nrecipients = s->cap_recipients = e.nrecipients;
	s->envelope.recipient =
		mem_resize(NULL, e.nrecipients + 1, sizeof(*e.recipient));
	if (e.nrecipients)
		memcpy(s->envelope.recipient, e.recipient,
		       e.nrecipients * sizeof(*e.recipient));
	return true;
}

static bool take_texts(struct smtp_session *s, const struct ipc_in *m)
{
	for (size_t i = 0; i < COUNT(texts); i++)
		if (!str_copy((char *)s + texts[i].offset, texts[i].size,
			      ipc_text(m, texts[i].name)))
			return false;
	s->tls = *s->tls_text != '\0';
	return true;
}

static void take_after(struct smtp_session *s, const struct ipc_in *m)
{
	const struct smtp_command *c;

	for (size_t i = 0; (c = smtp_command_at(s, i)); i++)
		if (str_equal(c->word, ipc_get(m, "after")))
			s->after = c->word;
}

static bool take_parked(struct smtp_session *s, const struct ipc_in *m)
{
	int64_t state, esmtp;

	if (!ipc_int(m, "state", SMTP_GREETED, SMTP_RECIPIENTS, &state) ||
	    !ipc_int(m, "esmtp", 0, 1, &esmtp))
		return false;
	smtp_reset(s);
	if (!take_texts(s, m))
		return false;
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (!ipc_int(m, numbers[i].name, 0, INT64_MAX, number_at(s, i)))
			return false;
	if (state & (state - 1)) /* one of the states, not several */
		return false;
	s->esmtp = esmtp;
	s->state = (enum smtp_state)state;
	s->content_due = str_equal(ipc_get(m, "until"), "content");
	s->timed_out = ipc_get(m, "timeout") != NULL;
	take_counts(s, m);
	take_after(s, m);
	smtp_find_trust(s);
	return take_envelope(s, m);
}

static bool take_new(struct smtp_session *s, const struct ipc_in *m)
{
	if (!take_texts(s, m))
		return false;
	smtp_find_client(s);
	smtp_find_rights(s);
	smtp_reset(s);
	smtp_meet(s);
	return true;
}

static bool take_input(struct smtp_session *s, const struct ipc_in *m)
{
	struct buf b;
	bool good;

	if (!ipc_get(m, "input"))
		return true;
	buf_init(&b, INPUT_MAX + 1);
	good = ipc_base64(m, "input", &b);
	stream_prepend(s->io, b.data, b.len);
	buf_free(&b);
	return good;
}

static bool take(struct smtp_session *s, struct ipc_in *m)
{
	bool parked = ipc_get(m, "state") != NULL;

	s->stress = ipc_get(m, "stress") != NULL;
	return take_input(s, m) &&
	       (parked ? take_parked(s, m) : take_new(s, m));
}

static bool take_session(struct smtp_session *s,
			 const struct smtp_server *server,
			 struct intake *intake, int sock)
{
	struct ipc_in m = { 0 };
	int err = ipc_recv(sock, &m, HANDOVER_MS);
	int fd = !err && ipc_is(&m, "connection") ? ipc_take_fd(&m) : -1;
	bool good = false;

	if (fd >= 0) {
		watch(sock);
		smtp_session_begin(s, server, intake, fd, sock);
		good = take(s, &m);
	}
	if (!good)
		log_warn("no session from gate: %s",
			 err ? err_why(err) : "it is not understood");
	if (fd >= 0 && !good) {
		unwatch(s);
		smtp_session_free(s);
	}
	ipc_in_free(&m);
	return good;
}

void smtp_serve_gate(const struct smtp_server *server, struct intake *intake,
		     int sock)
{
	struct smtp_session s;

	if (take_session(&s, server, intake, sock))
		smtp_session_run(&s);
	close(sock);
}
