#include "login/handover.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/heartbeat.h"
#include "base/mem.h"
#include "log/log.h"
#include "server/prefork.h"
#include "server/sandbox.h"

#define WAIT_MS 10000
#define PENDING_MAX 65536
#define STATE_MAX 65536

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

/* May the user have one session more? One that was parked is no new one. */
static bool is_welcome(const struct handover *h, struct feed *feed)
{
	const char *who = h->visitor ? h->visitor : h->user;
	struct feed_count parked = { 0, 0 };
	struct prefork_elsewhere elsewhere;

	if (feed)
		feed_session(feed, who, h->client, &parked);
	elsewhere = (struct prefork_elsewhere){ parked.user, parked.pair };
	return prefork_claim(who, h->client, h->resumes ? NULL : &elsewhere);
}

/* Root is not a mail user: otherwise a mistake in a table of users could give
 * a stranger the machine. */
static bool acceptable(uid_t uid)
{
	return uid != 0 || geteuid() != 0;
}

/* If accountd is gone, the connection is not ours. */
static bool confirm(int sock, const char *verb)
{
	struct ipc_out m = { .ready = false };
	bool good;

	ipc_begin(&m, verb);
	good = ipc_send(sock, &m, WAIT_MS) == ERR_OK;
	ipc_out_free(&m);
	return good;
}

static void confine(struct handover *h, uid_t uid, gid_t gid)
{
	const bool writable = true;

	sandbox_become(uid, gid);
	h->store_code = store_open(h->maildir, !h->visitor && !h->resumes,
				   &h->store);
	if (h->store_code == ERR_OK)
		sandbox_only_dirs(&h->maildir, &writable, 1);
	sandbox_enter(SANDBOX_OPEN);
}

bool handover_take(int sock, struct feed *feed, struct handover *h)
{
	uid_t uid;
	gid_t gid;
	bool good, welcome;

	memset(h, 0, sizeof(*h));
	h->fd = -1;
	buf_init(&h->pending, PENDING_MAX);
	buf_init(&h->state, STATE_MAX);
	good = ipc_recv(sock, &h->packet, WAIT_MS) == ERR_OK &&
	       parse(h, &uid, &gid) && acceptable(uid);
	if (good)
		h->fd = ipc_take_fd(&h->packet);
	good = good && h->fd >= 0;
	welcome = !good || is_welcome(h, feed);
	good = good && welcome;
	good = confirm(sock, good ? "ok" : welcome ? "failed" : "many") && good;
	close(sock);
	if (!good) {
		if (welcome)
			log_warn("a hand-over that cannot be served: user=%s",
				 h->user ? h->user : "");
		if (h->fd >= 0)
			close(h->fd);
		handover_free(h);
		return false;
	}
	confine(h, uid, gid);
	/* from here on only its user waits for this process */
	heartbeat_end();
	return true;
}

void handover_free(struct handover *h)
{
	buf_free(&h->pending);
	buf_free(&h->state);
	mem_wipe(&h->key, sizeof(h->key));
	ipc_in_free(&h->packet);
}
