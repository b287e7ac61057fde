#include "imapd/session.h"

#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/capability.h"
#include "imapd/commands.h"
#include "service/handover.h"
#include "imapd/update.h"
#include "log/log.h"
#include "mime/imap.h"
#include "server/prefork.h"

#define COMMAND_MAX (8 << 20) /* webmail sends sets of megabytes */
#define ARGS_MAX 400000
#define DEPTH_MAX 50
#define WINDOW_MAX 65536
#define BAD_MAX 50
#define OUT_MAX (256 << 20)
#define BODY_MAX (1LL << 30)
#define IDLE_MS 1860000 /* RFC 3501 section 5.4: 30 minutes at least */
#define SETTLE_MS 1000

static const struct {
	int code;
	const char *reply;
} failures[] = {
	{ ERR_NOT_FOUND, "NO [NONEXISTENT] No such mailbox." },
	{ ERR_EXISTS, "NO [ALREADYEXISTS] There is such a mailbox already." },
	{ ERR_DENIED, "NO [NOPERM] Permission denied." },
	{ ERR_NO_SPACE, "NO [OVERQUOTA] No space left." },
	{ ERR_BUSY, "NO [INUSE] The mailbox is locked: try again." },
	{ ERR_SYNTAX, "NO [CANNOT] Not a valid mailbox name." },
	{ ERR_TOO_LONG, "NO [LIMIT] Too long." },
	{ ERR_LIMIT, "NO [LIMIT] Too many." },
	{ ERR_UNSUPPORTED, "NO [CANNOT] Not supported." },
};

void session_fail(struct session *s, int code)
{
	size_t i;

	if (code == ERR_CORRUPT && s->box)
		s->lost = true;
	for (i = 0; i < sizeof(failures) / sizeof(*failures); i++)
		if (failures[i].code == code) {
			session_reply(s, "%s", failures[i].reply);
			return;
		}
	log_error("%s: %s failed: %s: %m", s->user, s->c.name, err_text(code));
	session_reply(s, "NO [SERVERBUG] Internal error: %s.", err_text(code));
}

void session_reply(struct session *s, const char *fmt, ...)
{
	bool keep = s->command && s->command->flags & COMMAND_NO_EXPUNGE &&
		    !s->by_uid;
	struct buf line;
	va_list ap;

	update_send(s, !keep);
	buf_init(&line, OUT_MAX);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	conn_reply(&s->c, "%s", line.data);
	buf_free(&line);
}

void session_deselect(struct session *s)
{
	if (s->box)
		mailbox_close(&s->box);
	s->lost = s->unsettled = false;
	s->told = s->told_recent = 0;
	s->body.uid = 0;
	buf_reset(&s->flags);
	notify_watch(s->notify, -1);
}

void session_changed(struct session *s, dev_t dev, ino_t ino)
{
	notify_changed(s->notify, dev, ino);
}

void session_changed_here(struct session *s)
{
	dev_t dev;
	ino_t ino;

	mailbox_identity(s->box, &dev, &ino);
	notify_changed(s->notify, dev, ino);
	s->unsettled = true;
}

bool session_name(struct session *s, const struct arg *a, char *name)
{
	const char *text = arg_astring(a);

	if (!text) {
		s->c.bad++;
		conn_reply(&s->c, "BAD A mailbox name is missing.");
		return false;
	}
	if (!store_name_from_mutf7(text, name, NAME_SIZE)) {
		session_reply(s, "NO [CANNOT] Not a valid mailbox name.");
		return false;
	}
	return true;
}

void session_put_name(struct buf *out, const char *name)
{
	char wire[NAME_SIZE];

	if (store_name_to_mutf7(name, wire, sizeof(wire)))
		imap_put_string(out, wire, strlen(wire));
	else
		buf_puts(out, "\"\"");
}

/* Waits for the next command; flags go into file names when the client has
 * been silent for a moment. False: the server stops, or silence for long. */
static bool wait_for_command(struct session *s)
{
	struct pollfd p[2] = { { .fd = stream_fd(s->c.io), .events = POLLIN },
			       { .fd = prefork_stop_fd(), .events = POLLIN } };
	size_t n;

	conn_window(&s->c, &n);
	if (n > 0)
		return true;
	if (stream_flush(s->c.io) != ERR_OK)
		return false;
	if (s->unsettled && poll(p, 2, SETTLE_MS) == 0) {
		mailbox_settle(s->box);
		s->unsettled = false;
	}
	while (!p[0].revents && !p[1].revents)
		if (poll(p, 2, IDLE_MS) == 0)
			break;
	if (p[0].revents)
		return true;
	conn_put(&s->c, p[1].revents ? "* BYE Server is shutting down"
				     : "* BYE Idle for too long");
	return false;
}

/* The folder was replaced or deleted under the client, whose numbers mean
 * nothing now. */
static void say_lost(struct session *s)
{
	conn_put(&s->c, "* BYE [UNAVAILABLE] The mailbox was deleted or "
			"rebuilt: open it again");
	s->ended = true;
}

static void next_command(struct session *s)
{
	if (!wait_for_command(s)) {
		s->ended = true;
		return;
	}
	s->command = NULL;
	s->by_uid = false;
	switch (conn_read(&s->c)) {
	case CONN_COMMAND:
		command_run(s);
		break;
	case CONN_BAD:
		break;
	default:
		s->ended = true;
		return;
	}
	if (s->c.literal && s->c.reader.state == READER_AT_LITERAL &&
	    !conn_skip_literal(&s->c))
		s->ended = true;
	if (s->lost)
		say_lost(s);
	if (s->c.bad >= BAD_MAX) {
		conn_put(&s->c, "* BYE Too many errors");
		s->ended = true;
	}
}

static void start(struct session *s, const struct handover *h)
{
	conn_init(&s->c, stream_new(h->fd, WINDOW_MAX), COMMAND_MAX);
	s->c.limits =
		(struct args_limits){ .depth = DEPTH_MAX, .args = ARGS_MAX };
	s->c.stream_append = true;
	stream_set_timeout(s->c.io, IDLE_MS);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->flags, 1 << 16);
	buf_init(&s->body.text, BODY_MAX);
	str_copy(s->user, sizeof(s->user), h->user);
}

static void finish(struct session *s)
{
	stream_flush(s->c.io);
	session_deselect(s);
	store_close(&s->store);
	conn_free(&s->c);
	buf_free(&s->out);
	buf_free(&s->flags);
	buf_free(&s->body.text);
}

/* Input that the login side had read ahead comes first. */
static void begin(struct session *s, struct handover *h)
{
	s->c.tag = h->tag;
	if (h->store_code != ERR_OK) {
		log_error("%s: cannot open %s: %s", h->user, h->maildir,
			  err_text(h->store_code));
		conn_reply(&s->c, "NO [UNAVAILABLE] Cannot open the "
				  "mailbox.");
		s->ended = true;
		return;
	}
	log_debug("imap: session: user=%s, client=%s, tls=%s", h->user,
		  h->client, h->tls ? "yes" : "no");
	conn_reply(&s->c,
		   "OK [CAPABILITY " CAPABILITY_AFTER_LOGIN "] Logged in");
	conn_prepend(&s->c, h->pending.data, h->pending.len);
}

void session_serve(int sock, int64_t message_max)
{
	struct session s = { .message_max = message_max };
	struct handover h;

	s.notify = notify_open();
	if (!handover_take(sock, &h)) {
		notify_close(&s.notify);
		return;
	}
	s.store = h.store;
	start(&s, &h);
	begin(&s, &h);
	while (!s.ended)
		next_command(&s);
	finish(&s);
	notify_close(&s.notify);
	handover_free(&h);
}
