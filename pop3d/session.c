/*
 * The messages are those that the INBOX had at the start: numbers never change
 * within a session, whatever others do to the mailbox. Deletions are noted,
 * and done at QUIT in one durable step; a session that ends otherwise deletes
 * nothing. Retrieved messages are also marked as seen at QUIT.
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
#include "client/feed.h"
#include "log/log.h"
#include "mailbox/mailbox.h"
#include "pop3d/capability.h"
#include "pop3d/command.h"
#include "pop3d/lang.h"
#include "pop3d/retrieve.h"
#include "pop3d/uidl.h"
#include "server/prefork.h"
#include "login/handover.h"

#define WINDOW_MAX 16384
#define IDLE_MS 600000 /* RFC 1939 section 3: ten minutes at least */
#define BAD_MAX 20

struct message {
	uint32_t size;
	bool deleted;
	bool hidden; /* it cannot be read: not shown to the client */
	bool retrieved;
};

struct session {
	struct handover *h;
	struct stream *io;
	struct mailbox *box;
	struct feed *feed;
	const struct session_rules *rules;
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

/* Is the message left once the noted deletions are done? */
static bool is_left(const struct message *m)
{
	return !m->deleted && !m->hidden;
}

static void count_left(const struct session *s, uint32_t *n, uint64_t *size)
{
	*n = 0;
	*size = 0;
	for (uint32_t i = 0; i < s->n; i++)
		if (is_left(&s->message[i])) {
			++*n;
			*size += s->message[i].size;
		}
}

/* The message that the first argument names, or NULL after an error reply. */
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
	if (m->hidden) {
		reply(s, "-ERR [SYS/TEMP] the message cannot be read");
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
		if (is_left(&s->message[i]))
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

static void put_id(struct session *s, uint32_t seq)
{
	struct uidl_message m = { .uid = mailbox_uid(s->box, seq),
				  .uidvalidity = mailbox_uidvalidity(s->box) };
	char id[UIDL_SIZE];

	m.base = mailbox_base(s->box, seq, &m.nbase);
	uidl_make(s->rules->uidl_format, &m, id);
	stream_printf(s->io, "%" PRIu32 " %s\r\n", seq, id);
}

static void do_uidl(struct session *s)
{
	put_list(s, "+OK\r\n", put_id);
}

static void log_unread(const struct session *s, uint32_t seq, int err)
{
	log_error("pop3: user=%s, uid=%" PRIu32 ": cannot be read: %s",
		  s->h->user, mailbox_uid(s->box, seq), err_why(err));
}

/* Sends the message with at most LINES lines of its body (-1: all). */
static bool send_message(struct session *s, long long lines)
{
	uint32_t seq = (uint32_t)s->number[0];
	bool begun;
	int err = retrieve_send(s->io, s->box, seq, lines, &begun);

	if (!err)
		return true;
	if (err == ERR_NOT_FOUND && !begun) {
		reply(s, "-ERR the message was deleted by another program");
		return false;
	}
	log_unread(s, seq, err);
	/* nothing can follow a part of a message */
	if (begun)
		s->over = true;
	else
		reply(s, "-ERR [SYS/TEMP] the message cannot be read");
	return false;
}

static void do_retr(struct session *s)
{
	struct message *m = named(s);

	if (m && send_message(s, -1))
		m->retrieved = true;
}

static void do_top(struct session *s)
{
	if (named(s))
		send_message(s, s->number[1]);
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
	capability_put(s->io, false, true, s->rules->login_delay);
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

static void tell_feed(struct session *s, unsigned what)
{
	const struct feed_change c = {
		.folder = mailbox_id(s->box),
		.what = what,
		.modseq = mailbox_highestmodseq(s->box),
		.user = s->h->user,
	};

	if (what)
		feed_tell(s->feed, &c);
}

static void tell_edited(struct session *s)
{
	if (mailbox_found_edited(s->box))
		tell_feed(s, FEED_ADDED | FEED_GONE);
}

/* RFC 1939 section 6: does what was noted. */
static int update(struct session *s)
{
	uint32_t *seq = mem_array(s->n ? s->n : 1, sizeof(*seq));
	size_t seen = collect(s, false, seq), gone;
	int err = ERR_OK;

	if (seen > 0)
		err = mailbox_store(s->box, seq, seen, MAILBOX_ADD,
				    MAILBOX_SEEN, 0, UINT64_MAX, NULL);
	/* a flag that cannot be set is no reason not to delete */
	if (err)
		log_warn("pop3: user=%s: cannot mark as seen: %s", s->h->user,
			 err_why(err));
	err = ERR_OK;
	gone = collect(s, true, seq);
	if (gone > 0)
		err = mailbox_expunge(s->box, seq, gone, false);
	tell_feed(s, (seen > 0 ? FEED_FLAGS : 0) |
			     (gone > 0 && err == ERR_OK ? FEED_GONE : 0));
	tell_edited(s);
	log_info("pop3: logout: user=%s, messages=%" PRIu32
		 ", retrieved=%zu, deleted=%zu",
		 s->h->user, s->n, seen, err ? 0 : gone);
	free(seq);
	return err;
}

static void reply_to_quit(struct session *s, int err)
{
	if (err)
		command_reply(s->io,
			      "-ERR [SYS/TEMP] messages could not be deleted: "
			      "%s",
			      err_text(err));
	else
		reply(s, "+OK bye");
}

/* The reply is sent when the mailbox is closed, so that a client that logs in
 * again at once does not find it locked; unless that takes long, since what is
 * deleted is gone, and only files are still to be removed. */
static void do_quit(struct session *s)
{
	int err = update(s);
	bool early = mailbox_is_removing(s->box);

	if (err)
		log_error("pop3: user=%s: cannot delete: %s", s->h->user,
			  err_why(err));
	s->over = true;
	if (early) {
		reply_to_quit(s, err);
		/* a client that is gone does not keep us from it */
		err_ignore(stream_flush(s->io));
	}
	mailbox_close(&s->box);
	if (!early)
		reply_to_quit(s, err);
}

static void do_lang(struct session *s)
{
	lang_answer(s->io, s->c.args);
}

#define TEXT (-1)

static const struct {
	const char *word;
	void (*act)(struct session *s);
	int min; /* arguments, all of them numbers; or TEXT: anything */
	int max;
} commands[] = {
	{ "STAT", do_stat, 0, 0 }, { "LIST", do_list, 0, 1 },
	{ "RETR", do_retr, 1, 1 }, { "DELE", do_dele, 1, 1 },
	{ "NOOP", do_noop, 0, 0 }, { "RSET", do_rset, 0, 0 },
	{ "TOP", do_top, 2, 2 },   { "UIDL", do_uidl, 0, 1 },
	{ "CAPA", do_capa, 0, 0 }, { "QUIT", do_quit, 0, 0 },
	{ "LANG", do_lang, TEXT, 0 },
};

static void run(struct session *s)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!str_equal_ci(s->c.word, commands[i].word))
			continue;
		s->numbers = command_numbers(&s->c, s->number);
		if (commands[i].min == TEXT ||
		    (s->numbers >= commands[i].min &&
		     s->numbers <= commands[i].max)) {
			commands[i].act(s);
			if (s->box)
				tell_edited(s);
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
	if (s->bad >= BAD_MAX)
		stream_hang_up(s->io);
	err_ignore(stream_flush(s->io)); /* it ends in any case */
}

/* Sizes come from the index; only a file from another program is opened for
 * it. One that has just vanished, or cannot be read, is not shown, and never
 * deleted. */
static void read_size(struct session *s, uint32_t seq)
{
	struct mailbox_message m = mailbox_get(s->box, seq);
	struct message *row = &s->message[seq - 1];
	int err = ERR_OK;

	row->size = m.size;
	if (!m.gone && m.size == 0)
		err = mailbox_size(s->box, seq, &row->size);
	row->hidden = m.gone || err;
	if (err && err != ERR_NOT_FOUND)
		log_unread(s, seq, err);
}

static void read_sizes(struct session *s)
{
	s->n = mailbox_count(s->box);
	s->message = mem_array(s->n ? s->n : 1, sizeof(*s->message));
	for (uint32_t seq = 1; seq <= s->n; seq++)
		read_size(s, seq);
}

static void refuse(struct session *s, int err)
{
	log_error("pop3: user=%s, maildir=%s: cannot be opened: %s", s->h->user,
		  s->h->maildir, err_why(err));
	reply(s, err == ERR_BUSY ? "-ERR [IN-USE] the mailbox is locked"
				 : "-ERR [SYS/TEMP] the mailbox cannot be "
				   "opened");
	err_ignore(stream_flush(s->io)); /* nothing follows */
}

static void serve_mailbox(struct session *s)
{
	int err = s->h->store_code;

	if (!err)
		err = mailbox_open(s->h->store, "INBOX", false, &s->box);
	if (err) {
		refuse(s, err);
	} else {
		read_sizes(s);
		dialogue(s);
	}
	if (s->box)
		mailbox_close(&s->box);
	if (s->h->store)
		store_close(&s->h->store);
	free(s->message);
}

static void serve(struct handover *h, struct feed *feed,
		  const struct session_rules *rules)
{
	struct session s = { .h = h, .feed = feed, .rules = rules };

	s.io = stream_new(h->fd, WINDOW_MAX);
	stream_set_timeout(s.io, IDLE_MS);
	stream_prepend(s.io, h->pending.data, h->pending.len);
	serve_mailbox(&s);
	stream_free(&s.io);
}

void session_serve(int sock, const struct session_rules *rules)
{
	/* while the private sockets can still be reached */
	struct feed *feed = feed_open();
	struct handover h;
	bool more = handover_take(sock, feed, false, &h);

	while (more) {
		serve(&h, feed, rules);
		more = handover_again(&h);
	}
	handover_free(&h);
	feed_close(&feed);
}
