/*
 * The messages are those that the INBOX held at the start: numbers never
 * change within a session, whatever others do to the mailbox. Deletions are
 * noted, and done at QUIT in one durable step; a session that ends otherwise
 * deletes nothing. What was retrieved is marked as seen, also at QUIT.
 */
#include "pop3d/session.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/notify.h"
#include "log/log.h"
#include "mailbox/mailbox.h"
#include "pop3d/capability.h"
#include "pop3d/command.h"
#include "pop3d/retrieve.h"
#include "server/prefork.h"
#include "service/handover.h"

#define WINDOW_MAX 16384
#define IDLE_MS 600000 /* RFC 1939 section 3: ten minutes at least */
#define BAD_MAX 20

struct message {
	uint32_t size;
	bool deleted;
	bool retrieved;
};

struct session {
	struct handover h;
	struct stream *io;
	struct mailbox *box;
	struct notify *notify;
	struct message *message; /* of sequence number i + 1 */
	uint32_t n;
	struct command c;
	long long number[2]; /* arguments */
	int numbers;	     /* how many there are; -1: something else */
	int bad;
	bool over;
};

static void reply(struct session *s, const char *text)
{
	command_reply(s->io, "%s", text);
}

/* What is left when the noted deletions are done. */
static void count_left(const struct session *s, uint32_t *n, uint64_t *size)
{
	*n = 0;
	*size = 0;
	for (uint32_t i = 0; i < s->n; i++)
		if (!s->message[i].deleted) {
			++*n;
			*size += s->message[i].size;
		}
}

/* The message that the first argument names, or NULL, and the client knows. */
static struct message *named(struct session *s)
{
	struct message *m;

	if (s->numbers < 1 || s->number[0] < 1 || s->number[0] > s->n) {
		reply(s, "-ERR no such message");
		return NULL;
	}
	m = &s->message[s->number[0] - 1];
	if (m->deleted) {
		reply(s, "-ERR message is deleted");
		return NULL;
	}
	return m;
}

static void do_stat(struct session *s)
{
	uint64_t size;
	uint32_t n;

	count_left(s, &n, &size);
	command_reply(s->io, "+OK %" PRIu32 " %" PRIu64, n, size);
}

/* LIST and UIDL: one line, or all. */
static void put_list(struct session *s, const char *head,
		     void (*line)(struct session *s, uint32_t seq))
{
	if (s->numbers == 1) {
		if (!named(s))
			return;
		stream_puts(s->io, "+OK ");
		line(s, (uint32_t)s->number[0]);
		return;
	}
	stream_puts(s->io, head);
	for (uint32_t i = 0; i < s->n; i++)
		if (!s->message[i].deleted)
			line(s, i + 1);
	stream_puts(s->io, ".\r\n");
}

static void put_size(struct session *s, uint32_t seq)
{
	stream_printf(s->io, "%" PRIu32 " %" PRIu32 "\r\n", seq,
		      s->message[seq - 1].size);
}

static void do_list(struct session *s)
{
	put_list(s, "+OK\r\n", put_size);
}

/* UID and UIDVALIDITY: no two messages of a mailbox ever have the same. */
static void put_id(struct session *s, uint32_t seq)
{
	stream_printf(s->io, "%" PRIu32 " %08" PRIx32 "%08" PRIx32 "\r\n", seq,
		      mailbox_uid(s->box, seq), mailbox_uidvalidity(s->box));
}

static void do_uidl(struct session *s)
{
	put_list(s, "+OK\r\n", put_id);
}

/* Sends the message with at most LINES lines of its body (-1: all). */
static void send_message(struct session *s, struct message *m, long long lines)
{
	int err = retrieve_send(s->io, s->box, (uint32_t)s->number[0], m->size,
				lines);

	if (err == ERR_NOT_FOUND) {
		reply(s, "-ERR the message was deleted by another program");
	} else if (err) {
		/* a part is sent: nothing can follow it */
		log_error("pop3: %s: message %lld: %s", s->h.user, s->number[0],
			  err_text(err));
		s->over = true;
	}
}

static void do_retr(struct session *s)
{
	struct message *m = named(s);

	if (!m)
		return;
	send_message(s, m, -1);
	m->retrieved = true;
}

static void do_top(struct session *s)
{
	struct message *m = named(s);

	if (m)
		send_message(s, m, s->number[1]);
}

static void do_dele(struct session *s)
{
	struct message *m = named(s);

	if (!m)
		return;
	m->deleted = true;
	reply(s, "+OK deleted");
}

static void do_rset(struct session *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		s->message[i].deleted = false;
	do_stat(s);
}

static void do_noop(struct session *s)
{
	reply(s, "+OK");
}

static void do_capa(struct session *s)
{
	capability_put(s->io, false, true);
}

/* The sequence numbers of messages, in S's order. */
static size_t collect(const struct session *s, bool deleted, uint32_t *seq)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct message *m = &s->message[i];

		if (deleted ? m->deleted : m->retrieved && !m->deleted)
			seq[n++] = i + 1;
	}
	return n;
}

/* RFC 1939 section 6: what was noted is done. */
static int update(struct session *s)
{
	uint32_t *seq = mem_array(s->n ? s->n : 1, sizeof(*seq));
	size_t seen = collect(s, false, seq), gone;
	int err = ERR_OK;
	dev_t dev;
	ino_t ino;

	/* a flag that cannot be set is no reason to keep what shall go */
	if (seen > 0)
		mailbox_store(s->box, seq, seen, MAILBOX_ADD, MAILBOX_SEEN, 0,
			      UINT64_MAX, NULL);
	gone = collect(s, true, seq);
	if (gone > 0)
		err = mailbox_expunge(s->box, seq, gone, false);
	if (seen + gone > 0) {
		mailbox_identity(s->box, &dev, &ino);
		notify_changed(s->notify, dev, ino);
	}
	log_info("pop3: logout: user=%s, messages=%" PRIu32
		 ", retrieved=%zu, deleted=%zu",
		 s->h.user, s->n, seen, err ? 0 : gone);
	free(seq);
	return err;
}

static void do_quit(struct session *s)
{
	int err = update(s);

	s->over = true;
	if (err == ERR_OK) {
		reply(s, "+OK bye");
		return;
	}
	log_error("pop3: %s: cannot delete: %s: %m", s->h.user, err_text(err));
	reply(s, "-ERR [SYS/TEMP] some messages could not be deleted");
}

static const struct {
	const char *word;
	void (*act)(struct session *s);
	int min; /* arguments, all of them numbers */
	int max;
} commands[] = {
	{ "STAT", do_stat, 0, 0 }, { "LIST", do_list, 0, 1 },
	{ "RETR", do_retr, 1, 1 }, { "DELE", do_dele, 1, 1 },
	{ "NOOP", do_noop, 0, 0 }, { "RSET", do_rset, 0, 0 },
	{ "TOP", do_top, 2, 2 },   { "UIDL", do_uidl, 0, 1 },
	{ "CAPA", do_capa, 0, 0 }, { "QUIT", do_quit, 0, 0 },
};

static void run(struct session *s)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!str_equal_ci(s->c.word, commands[i].word))
			continue;
		s->numbers = command_numbers(&s->c, s->number);
		if (s->numbers >= commands[i].min &&
		    s->numbers <= commands[i].max) {
			commands[i].act(s);
			return;
		}
		s->bad++;
		reply(s, "-ERR wrong arguments");
		return;
	}
	s->bad++;
	reply(s, "-ERR unknown command");
}

/* Waits for the next command. False: the server stops, or silence for long. */
static bool wait_for_command(struct session *s)
{
	struct pollfd p[2] = { { .fd = stream_fd(s->io), .events = POLLIN },
			       { .fd = prefork_stop_fd(), .events = POLLIN } };
	size_t n;

	stream_window(s->io, &n);
	if (n > 0)
		return true;
	if (stream_flush(s->io))
		return false;
	if (poll(p, 2, IDLE_MS) < 0 || p[0].revents)
		return true;
	reply(s, p[1].revents ? "-ERR [SYS/TEMP] the server is shutting down"
			      : "-ERR idle for too long");
	return false;
}

static void dialogue(struct session *s)
{
	uint64_t size;
	uint32_t n;

	count_left(s, &n, &size);
	command_reply(s->io, "+OK %" PRIu32 " messages", n);
	while (!s->over && s->bad < BAD_MAX && wait_for_command(s)) {
		switch (command_read(s->io, &s->c)) {
		case COMMAND_GOOD:
			run(s);
			break;
		case COMMAND_BAD:
			s->bad++;
			break;
		case COMMAND_TIMEOUT:
			reply(s, "-ERR idle for too long");
			s->over = true;
			break;
		case COMMAND_STOPPING: /* seen by wait_for_command */
		case COMMAND_END:
			s->over = true;
			break;
		}
	}
	stream_flush(s->io);
}

/* Sizes come from the index; only a foreign file is opened for it. */
static int read_sizes(struct session *s)
{
	int err = ERR_OK;

	s->n = mailbox_count(s->box);
	s->message = mem_array(s->n ? s->n : 1, sizeof(*s->message));
	for (uint32_t i = 0; i < s->n && !err; i++) {
		struct mailbox_message m = mailbox_get(s->box, i + 1);

		s->message[i].size = m.size;
		if (m.gone)
			s->message[i].deleted = true;
		else if (m.size == 0)
			err = mailbox_size(s->box, i + 1, &s->message[i].size);
		/* it went away just now */
		if (err == ERR_NOT_FOUND) {
			s->message[i].deleted = true;
			err = ERR_OK;
		}
	}
	return err;
}

static void refuse(struct session *s, int err)
{
	log_error("pop3: %s: cannot open the mailbox %s: %s", s->h.user,
		  s->h.maildir, err_text(err));
	reply(s, err == ERR_BUSY ? "-ERR [IN-USE] the mailbox is locked"
				 : "-ERR [SYS/TEMP] the mailbox cannot be "
				   "opened");
	stream_flush(s->io);
}

static void serve(struct session *s)
{
	int err = s->h.store_code;

	if (!err)
		err = mailbox_open(s->h.store, "INBOX", false, &s->box);
	if (!err)
		err = read_sizes(s);
	if (err)
		refuse(s, err);
	else
		dialogue(s);
	if (s->box)
		mailbox_close(&s->box);
	if (s->h.store)
		store_close(&s->h.store);
	free(s->message);
}

void session_serve(int sock)
{
	struct session s = { .n = 0 };

	/* while the private sockets can still be reached */
	s.notify = notify_open();
	if (handover_take(sock, &s.h)) {
		s.io = stream_new(s.h.fd, WINDOW_MAX);
		stream_set_timeout(s.io, IDLE_MS);
		stream_prepend(s.io, s.h.pending.data, s.h.pending.len);
		serve(&s);
		stream_free(&s.io);
		handover_free(&s.h);
	}
	notify_close(&s.notify);
}
