/*
 * IDLE (RFC 2177): the session waits for three descriptors: the client, the
 * feed of changes, and the stop.
 */
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/metadata-watch.h"
#include "imapd/notify.h"
#include "imapd/park.h"
#include "imapd/rights.h"
#include "imapd/update.h"
#include "server/prefork.h"

#define STILL_HERE "* OK Still here\r\n"
#define STILL_HERE_MS (10 * 60 * 1000)
#define LOOK_MS 5000 /* without the feed we look for ourselves */
#define SETTLE_MS 1000
#define DONE_MAX 1024

enum { CLIENT, CHANGES, STOP, NFDS };

struct idle {
	struct session *s;
	bool watched; /* the feed wakes us */
	int64_t still_here_at;
	int64_t since; /* of the last change */
};

static void watch(struct idle *i)
{
	struct folder_token t;

	if (!i->s->box || i->s->notify)
		return;
	t = mailbox_token(i->s->box);
	i->watched = feed_watch(i->s->feed, &t);
}

/* The feed does not wake us, or the folder was replaced under us; of
 * annotations it does not know. */
static bool must_look(const struct idle *i)
{
	return metadata_watches_all(i->s) ||
	       (i->s->box && !i->s->notify && (!i->watched || i->s->lost));
}

/* Without a process nobody would look. */
static bool may_park(const struct idle *i)
{
	return !must_look(i) && (i->watched || !i->s->box);
}

static int timeout(const struct idle *i)
{
	int64_t ms = i->still_here_at - clock_ms();
	int look = notify_ms(i->s);

	if (may_park(i))
		ms = park_wait(i->s, i->since, ms);
	if (look >= 0 && ms > look)
		ms = look;
	if (i->s->unsettled && ms > SETTLE_MS)
		return SETTLE_MS;
	if (must_look(i) && ms > LOOK_MS)
		return LOOK_MS;
	return ms < 0 ? 0 : (int)ms;
}

/* Has the line that ends IDLE come? What the client sent after it is kept for
 * the next command: some send both in one packet. */
static bool is_done(struct session *s)
{
	size_t n, len;
	const char *line = conn_window(&s->c, &n), *lf = memchr(line, '\n', n);

	if (!lf && n <= DONE_MAX)
		return false;
	if (!lf) {
		conn_cut(&s->c, "Command too long");
		s->ended = true;
		return true;
	}
	len = (size_t)(lf - line);
	n = len + 1;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (str_span_is(line, len, "DONE"))
		session_reply(s, "OK Idle completed.");
	else
		conn_bad(&s->c, "Expected DONE.");
	conn_consume(&s->c, n);
	return true;
}

/* The client has sent something, or is gone. True: IDLE is over. */
static bool read_done(struct session *s)
{
	switch (conn_look(&s->c)) {
	case CONN_COMMAND:
		return is_done(s);
	case CONN_TIMEOUT:
		return false;
	default:
		s->ended = true;
		return true;
	}
}

/* No command comes whose rights would be judged. */
static void tell(struct session *s)
{
	if (rights_still_read(s))
		update_send(s, true);
}

static void look(struct idle *i)
{
	if (i->watched && !feed_drain(i->s->feed))
		watch(i);
	tell(i->s);
	i->since = clock_ms();
}

/* One turn; false when IDLE is over. */
static bool turn(struct idle *i)
{
	struct session *s = i->s;
	struct pollfd p[NFDS];

	notify_look(s, true);
	i->watched = i->watched && feed_fd(s->feed) >= 0;
	if (stream_flush(s->c.io) != ERR_OK)
		s->ended = true;
	if (s->ended || (may_park(i) && park(s, i->since, true,
					      STILL_HERE_MS, STILL_HERE)))
		return false;
	p[CLIENT] = (struct pollfd){ stream_fd(s->c.io), POLLIN, 0 };
	p[STOP] = (struct pollfd){ prefork_stop_fd(), POLLIN, 0 };
	p[CHANGES] = (struct pollfd){ i->watched ? feed_fd(s->feed)
						 : notify_fd(s),
				      POLLIN, 0 };
	if (poll(p, NFDS, timeout(i)) == 0) {
		if (s->unsettled)
			session_settle(s);
		if (must_look(i))
			look(i);
		if (clock_ms() >= i->still_here_at) {
			stream_puts(s->c.io, STILL_HERE);
			i->still_here_at = clock_ms() + STILL_HERE_MS;
		}
	}
	if (p[CHANGES].revents && !s->notify)
		look(i);
	if (p[CLIENT].revents && read_done(s))
		return false;
	if (p[STOP].revents) {
		stream_puts(s->c.io, SESSION_STOPS);
		s->ended = true;
	}
	return !s->ended;
}

void idle_go_on(struct session *s)
{
	struct idle i = { .s = s,
			  .still_here_at = clock_ms() + STILL_HERE_MS,
			  .since = clock_ms() };

	watch(&i);
	/* And once more when the feed says that the watch has begun, so that
	 * no change falls in between. */
	tell(s);
	while (!s->ended && !is_done(s) && turn(&i))
		;
	if (i.watched && !s->parked)
		feed_watch(s->feed, NULL);
}

void cmd_idle(struct session *s)
{
	stream_puts(s->c.io, "+ idling\r\n");
	idle_go_on(s);
}
