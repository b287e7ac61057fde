#include "login/handover.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "server/prefork.h"
#include "server/sandbox.h"

#define WAIT_MS 10000
#define PENDING_MAX 65536
#define STATE_MAX 65536
#define USES_MAX 100 /* sessions of one process */
#define ENDING_MS 500

/* A required text attribute. */
static bool text(const struct ipc_in *m, const char *name, const char **value)
{
	*value = ipc_get(m, name);
	return *value && **value;
}

static bool parse(struct handover *h, uid_t *uid, gid_t *gid)
{
	const struct ipc_in *m = &h->packet;
	int64_t u, g;

	if (!ipc_is(m, "session") || !text(m, "user", &h->user) ||
	    !text(m, "maildir", &h->maildir) || h->maildir[0] != '/' ||
	    !ipc_int(m, "uid", 0, UINT32_MAX - 1, &u) ||
	    !ipc_int(m, "gid", 0, UINT32_MAX - 1, &g) ||
	    !quota_get(m, &h->quota))
		return false;
	h->tag = ipc_text(m, "tag");
	h->visitor = ipc_get(m, "visitor");
	h->seal = ipc_text(m, "seal");
	h->client = ipc_text(m, "client");
	h->tls = strcmp(ipc_text(m, "tls"), "1") == 0;
	*uid = (uid_t)u;
	*gid = (gid_t)g;
	h->facts = seal_get(m, "key", &h->key) ? ipc_get(m, "facts") : NULL;
	h->resumes = ipc_get(m, "state");
	return (!ipc_get(m, "pending") ||
		ipc_base64(m, "pending", &h->pending)) &&
	       (!h->resumes || ipc_base64(m, "state", &h->state));
}

static bool claim(const struct handover *h, struct feed *feed)
{
	const char *who = h->visitor ? h->visitor : h->user;
	struct feed_count parked = { 0, 0 };
	struct prefork_elsewhere elsewhere;

	if (feed)
		feed_session(feed, who, h->client, &parked);
	elsewhere = (struct prefork_elsewhere){ parked.user, parked.pair };
	return prefork_claim(who, h->client, h->resumes ? NULL : &elsewhere);
}

/* May the user have one session more? One that was parked is no new one. And
 * one that has just ended may still be counted for a moment. */
static bool is_welcome(const struct handover *h, struct feed *feed)
{
	int64_t until = clock_ms() + ENDING_MS;
	bool welcome;

	while (!(welcome = claim(h, feed)) && clock_ms() < until)
		poll(NULL, 0, ENDING_MS / 25);
	return welcome;
}

/* Root is not a mail user: otherwise a mistake in a table of users could give
 * a stranger the machine. */
static bool acceptable(uid_t uid)
{
	return uid != 0 || geteuid() != 0;
}

/* To accountd. If it is gone, the connection is not ours. */
static bool say(int sock, const char *verb)
{
	struct ipc_out m = { .ready = false };
	bool good;

	ipc_begin(&m, verb);
	good = ipc_send(sock, &m, WAIT_MS) == ERR_OK;
	ipc_out_free(&m);
	return good;
}

static void confine(struct handover *h, struct feed *feed, uid_t uid,
		    gid_t gid)
{
	const int keep[] = { h->fd, h->accountd, feed_fd(feed) };
	const bool writable = true;

	/* and from here on only its user waits for this process */
	prefork_leave(keep, sizeof(keep) / sizeof(keep[0]));
	sandbox_become(uid, gid);
	h->store_code = store_open(h->maildir, !h->visitor && !h->resumes,
				   &h->store);
	if (h->store_code == ERR_OK)
		sandbox_only_dirs(&h->maildir, &writable, 1);
	sandbox_limit_own();
	sandbox_enter(SANDBOX_OPEN);
}

static void begin(struct handover *h, int sock)
{
	memset(h, 0, sizeof(*h));
	h->accountd = sock;
	h->fd = -1;
	buf_init(&h->pending, PENDING_MAX);
	buf_init(&h->state, STATE_MAX);
}

static bool receive(struct handover *h, uid_t *uid, gid_t *gid)
{
	if (ipc_recv(h->accountd, &h->packet, WAIT_MS) != ERR_OK ||
	    !parse(h, uid, gid))
		return false;
	h->fd = ipc_take_fd(&h->packet);
	return h->fd >= 0;
}

/* Tells accountd whether this process serves H, which it can if it is GOOD, and
 * may if it is also WELCOME. */
static bool answer(struct handover *h, bool good, bool welcome)
{
	const char *verb = !good ? "failed" : welcome ? "ok" : "many";

	if (say(h->accountd, verb) && good && welcome)
		return true;
	if (h->fd >= 0)
		close(h->fd);
	if (h->store)
		store_close(&h->store);
	return false;
}

bool handover_take(int sock, struct feed *feed, bool counted,
		   struct handover *h)
{
	uid_t uid;
	gid_t gid;
	bool good;

	begin(h, sock);
	good = receive(h, &uid, &gid) && acceptable(uid);
	if (!good)
		log_warn("a hand-over that cannot be served: user=%s",
			 h->user ? h->user : "");
	if (!answer(h, good, good && is_welcome(h, counted ? feed : NULL)))
		return false;
	confine(h, feed, uid, gid);
	return true;
}

/* How long is for accountd to say, by closing the socket. */
static bool wait_for_next(int sock)
{
	struct pollfd p[3] = { { .fd = sock, .events = POLLIN },
			       { .fd = prefork_stop_fd(), .events = POLLIN },
			       { .fd = prefork_retire_fd(), .events = POLLIN } };

	while (poll(p, 3, -1) < 0)
		if (errno != EINTR)
			return false;
	return p[0].revents || ipc_end_input(sock);
}

/* What accountd promises; nobody else's session may be served here. */
static bool is_same(const struct handover *h, const struct handover *next,
		    uid_t uid, gid_t gid)
{
	return str_equal(h->user, next->user) &&
	       str_equal(h->maildir, next->maildir) &&
	       str_equal(h->client, next->client) && !next->visitor &&
	       uid == geteuid() && gid == getegid();
}

/* If the Maildir is another directory by now, this process may not open it. */
static bool take_next(struct handover *h)
{
	struct handover next;
	uid_t uid;
	gid_t gid;
	bool good;

	begin(&next, h->accountd);
	next.uses = h->uses + 1;
	good = receive(&next, &uid, &gid) && is_same(h, &next, uid, gid) &&
	       store_open(next.maildir, !next.resumes, &next.store) == ERR_OK;
	h->accountd = -1;
	handover_free(h);
	*h = next;
	/* it was counted all the time: accountd/lingering.h */
	return answer(h, good, true);
}

bool handover_again(struct handover *h)
{
	return !h->visitor && h->store_code == ERR_OK && h->uses < USES_MAX &&
	       say(h->accountd, "free") && wait_for_next(h->accountd) &&
	       take_next(h);
}

void handover_free(struct handover *h)
{
	if (h->accountd >= 0)
		close(h->accountd);
	buf_free(&h->pending);
	buf_free(&h->state);
	mem_wipe(&h->key, sizeof(h->key));
	ipc_in_free(&h->packet);
}
