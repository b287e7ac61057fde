/*
 * The life of a session, from the packet with which accountd hands it over to
 * its end, and of the next one of its user: a loop of waiting, reading a
 * command, running it (commands.c). And what all commands share: the reply,
 * which reports changes first; failures, which are reported to the client
 * briefly and to the log in full; the feed, which is told what was done.
 *
 * A failing command does not end the session, except when the client only
 * makes mistakes, the folder was replaced (reopen.h), or a literal was sent
 * in part.
 */
#include "imapd/session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "imapd/capability.h"
#include "imapd/commands.h"
#include "imapd/context.h"
#include "imapd/enabled.h"
#include "imapd/metadata-watch.h"
#include "imapd/namespace.h"
#include "imapd/notify.h"
#include "imapd/others.h"
#include "imapd/park.h"
#include "imapd/reopen.h"
#include "imapd/set.h"
#include "imapd/update.h"
#include "imaptext/imaptext.h"
#include "log/log.h"
#include "server/caller.h"
#include "server/prefork.h"
#include "login/handover.h"
#include "mailbox/acl.h"
#include "mailbox/autocreate.h"
#include "mailbox/signing.h"
#include "mime/encode.h"

#define COMMAND_MAX (8 << 20) /* webmail sends sets of megabytes */
#define ARGS_MAX 400000
#define DEPTH_MAX 50
#define WINDOW_MAX 65536
#define BAD_MAX 50
#define OUT_MAX (256 << 20)
#define BODY_MAX (1LL << 30)
#define IDLE_MS 1860000 /* RFC 3501 section 5.4: 30 minutes at least */
#define SETTLE_MS 1000
#define TOO_LONG "* BYE Idle for too long\r\n"
#define SIGN_ON_MS 10000 /* and after the client has left */
#define MESSAGE_MAX (UINT32_MAX - 1) /* the reader's last number is "more" */

/* What the client is told; the log has the full cause if it is not the
 * client's fault. ERRNUM, if not 0, tells apart errors with the same code. */
static const struct failure {
	int code;
	int errnum;
	bool logged;
	const char *reply; /* the response code and the text */
} failures[] = {
	{ ERR_NOT_FOUND, 0, false, "[NONEXISTENT] No such mailbox." },
	{ ERR_EXISTS, 0, false,
	  "[ALREADYEXISTS] There is such a mailbox already." },
	{ ERR_DENIED, EROFS, true,
	  "[UNAVAILABLE] The server's file system is read-only." },
	{ ERR_DENIED, 0, true, "[NOPERM] Permission denied." },
	{ ERR_NO_SPACE, ENOSPC, true,
	  "[UNAVAILABLE] The server's disk is full." },
	{ ERR_NO_SPACE, 0, true, "[OVERQUOTA] No space left." },
	{ ERR_BUSY, 0, true, "[INUSE] The mailbox is locked: try again." },
	{ ERR_SYNTAX, 0, false, "[CANNOT] Not a valid mailbox name." },
	{ ERR_TOO_LONG, 0, false, "[LIMIT] Too long." },
	{ ERR_LIMIT, 0, false, "[LIMIT] Too many." },
	{ ERR_UNSUPPORTED, 0, false, "[CANNOT] Not supported." },
	{ ERR_TEMP, 0, true, "[UNAVAILABLE] Not possible now." },
	{ ERR_CORRUPT, 0, true,
	  "[UNAVAILABLE] The mailbox was rebuilt meanwhile: try again." },
	{ ERR_IO, 0, true, "[UNAVAILABLE] Input/output error." },
};

static const struct failure *find_failure(int code)
{
	static const struct failure unknown = { ERR_OK, 0, true,
						"[SERVERBUG] Internal error." };
	size_t i;

	for (i = 0; i < sizeof(failures) / sizeof(*failures); i++)
		if (failures[i].code == code &&
		    (failures[i].errnum == 0 ||
		     failures[i].errnum == err_errno()))
			return &failures[i];
	return &unknown;
}

const char *session_failure(struct session *s, int code)
{
	const struct failure *f = find_failure(code);

	if (code == ERR_CORRUPT && s->box)
		s->lost = true;
	if (f->logged)
		log_error("imap: user=%s, command=%s, mailbox=%s: %s", s->user,
			  s->c.name, s->box ? s->name : "", err_why(code));
	return f->reply;
}

void session_fail(struct session *s, int code)
{
	session_reply(s, "NO %s", session_failure(s, code));
}

void session_reply(struct session *s, const char *fmt, ...)
{
	bool keep = s->command && s->command->flags & COMMAND_NO_EXPUNGE &&
		    (!s->by_uid || s->by_number);
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
	notify_deselected(s);
	if (s->box)
		mailbox_close(&s->box);
	s->lost = s->unsettled = s->removed = false;
	s->dead = NULL;
	s->flags_since = 0;
	s->own_first = s->own_last = 0;
	s->told = s->told_recent = 0;
	s->body.uid = s->body.decoded_uid = 0;
	set_save(s, NULL, 0);
	context_cancel_all(s);
	s->modseq = 0;
	buf_reset(&s->flags);
	if (!s->notify)
		feed_watch(s->feed, NULL);
}

void session_added(struct session *s, struct folder_id id, uint32_t first,
		   uint32_t last)
{
	const struct feed_change c = {
		.folder = id, .what = FEED_ADDED, .uid = last, .user = s->user
	};

	feed_tell(s->feed, &c);
	if (s->box && folder_id_equal(id, mailbox_id(s->box))) {
		s->own_first = first;
		s->own_last = last;
	}
}

void session_changed(struct session *s, unsigned what)
{
	const struct feed_change c = {
		.folder = mailbox_id(s->box),
		.what = what,
		.modseq = mailbox_highestmodseq(s->box),
		.user = s->user,
	};

	feed_tell(s->feed, &c);
	s->unsettled = true;
	s->removed |= (what & FEED_GONE) != 0;
}

/* NAME becomes what it is in normal form C (RFC 9051 section 5.1), unless there
 * is a folder of exactly this name: others may have made it. */
static bool normalise(struct session *s, const char *text, char *name)
{
	char nfc[FOLDER_NAME_SIZE];

	if (!store_name_to_nfc(name, nfc, sizeof(nfc)))
		return false;
	if (str_equal(nfc, name) || store_exists(s->store, name) == ERR_OK)
		return true;
	s->supplied = text;
	return str_copy(name, FOLDER_NAME_SIZE, nfc);
}

/* In a visit names are those of the owner's folders, and no others. */
static bool without_prefix(struct session *s, char *name)
{
	size_t n = strlen(s->prefix);
	char rest[FOLDER_NAME_SIZE];

	return str_starts(name, s->prefix) &&
	       str_copy(rest, sizeof(rest), name + n) &&
	       store_name_from_utf8(rest, name, FOLDER_NAME_SIZE);
}

/* No byte of modified UTF-7 is beyond ASCII: then it is UTF-8, also before
 * ENABLE (RFC 6855 section 3). After it, '&' is one like any other. */
static bool name_from_wire(struct session *s, const char *text, char *name)
{
	if (enabled(s, ENABLED_NAMES_UTF8) ||
	    mime_count_8bit(text, strlen(text), 1) > 0)
		return store_name_from_utf8(text, name, FOLDER_NAME_SIZE) &&
		       (!s->visitor || without_prefix(s, name)) &&
		       normalise(s, text, name);
	return store_name_from_mutf7(text, name, FOLDER_NAME_SIZE) &&
	       (!s->visitor || without_prefix(s, name));
}

bool session_name(struct session *s, const struct arg *a, char *name)
{
	const char *text = arg_astring(a);

	if (!text) {
		conn_bad(&s->c, "A mailbox name is missing.");
		return false;
	}
	if (!name_from_wire(s, text, name)) {
		session_reply(s, "NO [CANNOT] Not a valid mailbox name.");
		return false;
	}
	return true;
}

bool session_name_of(struct session *s, const char *text, char *name)
{
	if (!text)
		return str_copy(name, FOLDER_NAME_SIZE, s->name);
	return store_name_from_utf8(text, name, FOLDER_NAME_SIZE) &&
	       (!s->visitor || without_prefix(s, name));
}

bool session_full_name(const struct session *s, const char *name, char *full)
{
	int n = snprintf(full, FOLDER_NAME_SIZE, "%s%s", s->prefix, name);

	return n >= 0 && n < FOLDER_NAME_SIZE;
}

bool session_wire_name(const struct session *s, const char *name, char *wire)
{
	char full[FOLDER_NAME_SIZE];

	if (!session_full_name(s, name, full))
		return false;
	if (enabled(s, ENABLED_NAMES_UTF8))
		return str_copy(wire, FOLDER_NAME_SIZE, full);
	return store_name_to_mutf7(full, wire, FOLDER_NAME_SIZE);
}

int session_list(struct session *s, struct store_list *l)
{
	return s->visitor ? store_list_for(s->store, s->visitor,
					   &s->visitor_subscribed, l)
			  : store_list(s->store, l);
}

int session_folder(struct session *s, const char *name, struct store_folder *f)
{
	struct store_list l;
	int code;

	if (!s->visitor)
		return store_folder(s->store, name, f);
	*f = (struct store_folder){ 0 };
	code = session_list(s, &l);
	for (size_t i = 0; !code && i < l.n; i++)
		if (str_equal(l.folder[i].name, name))
			*f = l.folder[i];
	f->name = NULL;
	store_list_free(&l);
	return code;
}

void session_put_name(const struct session *s, struct buf *out,
		      const char *name)
{
	char wire[FOLDER_NAME_SIZE];

	if (session_wire_name(s, name, wire))
		imap_put_utf8(out, wire, strlen(wire));
	else
		buf_puts(out, "\"\"");
}

enum { CLIENT, STOP, CHANGES, VISIT, NFDS };

/* How long a wait may be that ends at UNTIL. */
static int wait_ms(const struct session *s, int64_t until)
{
	int64_t ms = park_wait(s, until - IDLE_MS, until - clock_ms());
	int look = notify_ms(s);

	if (ms > IDLE_MS)
		ms = IDLE_MS;
	if (s->unsettled && ms > SETTLE_MS)
		ms = SETTLE_MS;
	if (look >= 0 && ms > look)
		ms = look;
	return ms > 0 ? (int)ms : 0;
}

void session_settle(struct session *s)
{
	s->unsettled = mailbox_settle(s->box) ||
		       mailbox_sign(s->box, SIGN_MS);
}

/* Nothing has come. */
static void settle(struct session *s, struct pollfd *p)
{
	while (s->unsettled) {
		session_settle(s);
		if (s->unsettled && poll(p, NFDS, 0) != 0)
			break;
	}
}

/* Waits for the next command, and tells meanwhile of what NOTIFY asked for.
 * False: the server stops, or silence too long, or the folder was replaced. */
static bool wait_for_command(struct session *s)
{
	/* a visitor waits as long as its own client may */
	int64_t until = s->visitor ? INT64_MAX : clock_ms() + IDLE_MS;
	struct pollfd p[NFDS];
	size_t n;

	for (;;) {
		notify_look(s, false);
		others_news(s);
		conn_window(&s->c, &n);
		if (n > 0 || s->ended)
			return !s->ended;
		if (stream_flush(s->c.io) != ERR_OK ||
		    park(s, until - IDLE_MS, false, until - clock_ms(),
			 TOO_LONG))
			return false;
		p[CLIENT] = (struct pollfd){ stream_fd(s->c.io), POLLIN, 0 };
		p[STOP] = (struct pollfd){ prefork_stop_fd(), POLLIN, 0 };
		p[CHANGES] = (struct pollfd){ notify_fd(s), POLLIN, 0 };
		p[VISIT] = (struct pollfd){ others_fd(s), POLLIN, 0 };
		if (poll(p, NFDS, wait_ms(s, until)) == 0)
			settle(s, p);
		if (p[CLIENT].revents && conn_look(&s->c) != CONN_TIMEOUT)
			return true;
		if (p[STOP].revents || clock_ms() >= until)
			break;
	}
	stream_puts(s->c.io, p[STOP].revents ? SESSION_STOPS : TOO_LONG);
	return false;
}

static void tell_edited(struct session *s)
{
	if (s->box && mailbox_found_edited(s->box))
		session_changed(s, FEED_ADDED | FEED_GONE);
}

static void next_command(struct session *s)
{
	if (!wait_for_command(s)) {
		s->ended = true;
		return;
	}
	s->command = NULL;
	s->by_uid = s->by_number = false;
	s->supplied = NULL;
	err_clear();
	switch (conn_read(&s->c)) {
	case CONN_COMMAND:
		if (store_is_moved(s->store))
			reopen_end(s, "moved");
		else
			command_run(s);
		tell_edited(s);
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
	if (s->c.bad >= BAD_MAX) {
		conn_cut(&s->c, "Too many errors");
		s->ended = true;
	}
}

static void start(struct session *s, const struct handover *h,
		  const struct session_rules *rules)
{
	conn_init(&s->c, stream_new(h->fd, WINDOW_MAX), COMMAND_MAX);
	s->c.limits =
		(struct args_limits){ .depth = DEPTH_MAX, .args = ARGS_MAX };
	s->c.streams = true;
	stream_set_timeout(s->c.io, IDLE_MS);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->flags, 1 << 16);
	buf_init(&s->body.text, BODY_MAX);
	buf_init(&s->body.decoded, BODY_MAX);
	str_copy(s->user, sizeof(s->user), h->user);
	s->share = (struct share){ .socket = rules->accountd,
				   .user = s->user,
				   .visit = h->visitor != NULL,
				   .seal = h->seal,
				   .fd = h->fd };
	s->visitor = h->visitor;
	s->rights = ACL_ALL;
	if (s->visitor)
		namespace_prefix(s, s->user, s->prefix);
	s->c.relayed = s->visitor != NULL;
}

/* Clients that only search and leave would never see signatures made: so the
 * process goes on a little after they have left, or were parked. */
static void sign_on(struct session *s)
{
	struct pollfd stop = { prefork_stop_fd(), POLLIN, 0 };
	int64_t until = clock_ms() + SIGN_ON_MS;

	if (!s->box || !mailbox_sign(s->box, 0))
		return;
	if (!s->parked)
		shutdown(stream_fd(s->c.io), SHUT_RDWR);
	while (clock_ms() < until && poll(&stop, 1, 0) == 0 &&
	       mailbox_sign(s->box, SIGN_MS))
		;
}

static void finish(struct session *s)
{
	err_ignore(stream_flush(s->c.io)); /* it ends in any case */
	sign_on(s);
	if (s->parked)
		mailbox_close(&s->box); /* it is still selected elsewhere */
	else
		session_deselect(s);
	metadata_watch_end(s);
	if (s->notify && !s->parked)
		feed_watch(s->feed, NULL);
	notify_free(&s->notify);
	others_free(s);
	store_close(&s->store);
	conn_free(&s->c);
	buf_free(&s->out);
	buf_free(&s->flags);
	buf_free(&s->body.text);
	buf_free(&s->body.decoded);
	strlist_free(&s->visitor_subscribed);
}

/* Folders that cannot be made now are made at another login. */
static void make_folders(struct session *s, const struct session_rules *rules)
{
	int code = autocreate_run(s->store, rules->create, rules->subscribe);

	if (code)
		log_warn("imap: user=%s: not all folders of mailbox_autocreate "
			 "and mailbox_autosubscribe could be made: %s",
			 s->user, err_why(code));
	err_clear();
}

/* One that was parked goes on. */
static void resume(struct session *s, const struct handover *h)
{
	bool idle;

	if (h->store_code == ERR_NOT_FOUND) {
		reopen_end(s, "moved");
	} else if (h->store_code != ERR_OK || !park_resume(s, h, &idle)) {
		conn_cut(&s->c, "[UNAVAILABLE] The session was lost: log in "
				"again");
		s->ended = true;
	} else if (idle) {
		idle_go_on(s);
	}
}

/* Input that the login side had read ahead comes first. */
static void begin(struct session *s, struct handover *h,
		  const struct session_rules *rules)
{
	s->c.tag = h->tag;
	if (h->store_code != ERR_OK) {
		log_error("imap: user=%s, maildir=%s: %s", h->user, h->maildir,
			  err_why(h->store_code));
		conn_reply(&s->c, "NO [UNAVAILABLE] Cannot open the "
				  "mailbox.");
		s->ended = true;
		return;
	}
	log_debug("imap: session: user=%s, visitor=%s, client=%s, tls=%s",
		  h->user, h->visitor ? h->visitor : "", h->client,
		  h->tls ? "yes" : "no");
	if (!s->visitor)
		make_folders(s, rules);
	capability_put(s, &s->out);
	conn_reply(&s->c, "OK [CAPABILITY %s] Logged in", s->out.data);
	conn_prepend(&s->c, h->pending.data, h->pending.len);
}

static void say_lost(struct session *s)
{
	conn_put(&s->c, "* BYE [UNAVAILABLE] The mailbox was %s: open it again",
		 s->lost_why);
	stream_hang_up(s->c.io);
}

/* One session, from its greeting to its end. True: it is parked. */
static bool serve(struct handover *h, struct feed *feed,
		  const struct session_rules *rules)
{
	struct session s = {
		.message_max = rules->message_max > 0 &&
					       rules->message_max < MESSAGE_MAX
				       ? rules->message_max
				       : MESSAGE_MAX,
		.feed = feed,
		.store = h->store,
		.quota = h->quota,
		.server = rules->server,
		.public_user = rules->public_user,
		.park_ms = rules->park_ms,
		.facts = h->facts,
		.key = h->key,
		.signed_from = rules->signed_from,
		.uidonly = rules->uidonly,
	};

	if (s.store)
		store_set_decoders(s.store, &rules->decoders,
				   caller_named(h->visitor ? h->visitor
							   : h->user));
	start(&s, h, rules);
	if (h->resumes)
		resume(&s, h);
	else
		begin(&s, h, rules);
	while (!s.ended)
		next_command(&s);
	if (s.lost_why)
		say_lost(&s);
	finish(&s);
	if (s.parked)
		log_debug("imap: session parked: user=%s", s.user);
	return s.parked;
}

void session_serve(int sock, const struct session_rules *rules)
{
	struct feed *feed = feed_open();
	struct handover h;
	bool more = handover_take(sock, feed, true, &h);

	/* A process that has parked a session ends, since only then the
	 * session is the feed's. */
	while (more)
		more = !serve(&h, feed, rules) && handover_again(&h);
	handover_free(&h);
	feed_close(&feed);
}
