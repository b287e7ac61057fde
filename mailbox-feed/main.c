/*
 * The program mailbox-feed: passes on reports of changes in folders to those
 * who watch them. It holds a socket and a few hundred bytes per peer, opens no
 * file, and knows nothing of mail.
 *
 * On the socket `feed` a peer reports changes, and hears of the folders that
 * it watches; on `feed-all` a subscriber hears of all folders and sends
 * nothing. So what a session may ask for is decided by the socket to which it
 * connected before it became a user, and not by what it sends afterwards.
 *
 * A session may also leave its connection to its client here, and end
 * (parked.h): it then stays a watcher of its folders.
 *
 * It waits for nobody. When a peer's socket is full, further changes are
 * dropped, and when there is room again the peer is told that it missed
 * something.
 */
#include <event2/event.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/account.h"
#include "mailbox-feed/folders.h"
#include "mailbox-feed/parked.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "service/loop.h"
#include "service/service.h"

#define FILES_MAX 200000
#define CLIENT_SIZE 64 /* of an address */
#define BATCH 16 /* packets read from one peer before others have a turn */

struct peer {
	struct watcher watcher; /* must be first: the pointers are the same */
	LIST_ENTRY(peer) next;
	int fd; /* -1: the session has ended, and is parked */
	struct event *readable;
	struct event *writable; /* it missed something; else NULL */
	char *user;		/* whose session it is, or NULL */
	char *pair;		/* the same with the client's address */
	struct parked *parked;	/* or NULL */
	bool all;		/* of feed-all */
	bool dead;		/* to be closed by its own next turn */
};

static struct {
	struct service service;
	struct event_base *base;
	struct folders *folders;
	LIST_HEAD(, peer) peers;       /* of feed */
	LIST_HEAD(, peer) subscribers; /* of feed-all */
	struct ipc_in in;
	struct ipc_out out;
} self;

static void drop_writable(struct peer *p)
{
	if (p->writable)
		event_free(p->writable);
	p->writable = NULL;
}

/* Of the program that was the peer nothing is left. */
static void hang_up(struct peer *p)
{
	event_free(p->readable);
	drop_writable(p);
	close(p->fd);
	free(p->user);
	free(p->pair);
	p->user = p->pair = NULL;
	p->readable = NULL;
	p->fd = -1;
}

static void peer_close(struct peer *p)
{
	folders_unwatch_all(self.folders, &p->watcher);
	if (p->parked)
		parked_free(&p->parked);
	if (p->fd >= 0)
		hang_up(p);
	LIST_REMOVE(p, next);
	free(p);
}

/* Its session is parked, and its process has ended: now it is ours. */
static void peer_park(struct peer *p)
{
	hang_up(p);
	parked_begin(p->parked);
}

static void on_parked_over(void *context)
{
	peer_close(context);
}

/* There is room in the socket of one that missed something. */
static void on_writable(int fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)what;
	ipc_begin(&self.out, "missed");
	if (ipc_send(fd, &self.out, 0) == ERR_BUSY)
		event_add(p->writable, NULL);
	else
		drop_writable(p);
}

/* One that is gone is closed when its socket says so. */
static void send_change(struct peer *p, const struct feed_change *c)
{
	if (p->writable)
		return;
	feed_put_change(&self.out, c);
	if (ipc_send(p->fd, &self.out, 0) != ERR_BUSY)
		return;
	p->writable = event_new(self.base, p->fd, EV_WRITE, on_writable, p);
	event_add(p->writable, NULL);
}

static void on_changed(struct watcher *w, const struct feed_change *c)
{
	struct peer *p = (struct peer *)w;

	if (p->parked)
		parked_wake(p->parked);
	else
		send_change(p, c);
}

static void tell_subscribers(void *context, const struct feed_change *c)
{
	struct peer *p;

	(void)context;
	LIST_FOREACH(p, &self.subscribers, next)
		send_change(p, c);
}

static bool take_changed(struct peer *p, const struct ipc_in *m)
{
	struct feed_change c;

	if (!feed_get_change(m, &c))
		return false;
	tell_subscribers(NULL, &c);
	folders_changed(self.folders, &c, &p->watcher);
	return true;
}

/* Without a descriptor: no longer. */
static bool take_watch(struct peer *p, struct ipc_in *m)
{
	int fd = ipc_take_fd(m);
	bool good;

	if (!ipc_get(m, "also"))
		folders_unwatch_all(self.folders, &p->watcher);
	if (fd < 0)
		return true;
	good = folders_watch(self.folders, &p->watcher, fd,
			     ipc_get(m, "names"));
	close(fd);
	return good;
}

static bool take_unwatch(struct peer *p, const struct ipc_in *m)
{
	struct folder_id id;

	if (!folder_id_read(ipc_get(m, "folder"), &id))
		return false;
	folders_unwatch(self.folders, &p->watcher, id);
	return true;
}

/* Said by a process that is not yet the user's, so it is true; later it can only
 * be said again. */
static bool note_session(struct peer *p, const char *user, const char *client)
{
	/* no name has a line end */
	char *pair = mem_printf("%s\n%s", client, user);
	bool good = !p->user || (str_equal(p->user, user) &&
				 str_equal(p->pair, pair));

	if (good && !p->user) {
		p->user = mem_strdup(user);
		p->pair = pair;
	} else {
		free(pair);
	}
	return good;
}

static bool take_session(struct peer *p, const struct ipc_in *m)
{
	const char *user = ipc_text(m, "user");
	const char *client = ipc_text(m, "client");

	if (!*user || strlen(user) >= ACCOUNT_USER_SIZE ||
	    strlen(client) >= CLIENT_SIZE || !note_session(p, user, client))
		return false;
	ipc_begin(&self.out, "session");
	ipc_put_int(&self.out, "parked", parked_count(user));
	ipc_put_int(&self.out, "here", parked_count(p->pair));
	return ipc_send(p->fd, &self.out, 0) == ERR_OK;
}

static bool take_park(struct peer *p, struct ipc_in *m)
{
	bool full = !parked_have_room() || !folders_are_told(&p->watcher);

	if (!p->user || p->parked)
		return false;
	if (!full)
		p->parked = parked_new(m, p->user, p->pair, on_parked_over, p);
	if (!full && !p->parked)
		return false;
	ipc_begin(&self.out, full ? "full" : "parked");
	if (ipc_send(p->fd, &self.out, 0) == ERR_OK)
		return true;
	/* then its process keeps it */
	if (p->parked)
		parked_free(&p->parked);
	return false;
}

static bool take(struct peer *p, struct ipc_in *m)
{
	if (p->all)
		return false;
	if (p->parked) {
		parked_free(&p->parked);
		return ipc_is(m, "back");
	}
	if (ipc_is(m, "session"))
		return take_session(p, m);
	if (ipc_is(m, "park"))
		return take_park(p, m);
	if (ipc_is(m, "changed"))
		return take_changed(p, m);
	if (ipc_is(m, "unwatch"))
		return take_unwatch(p, m);
	return ipc_is(m, "watch") && take_watch(p, m);
}

/* One packet; false if there is none, or the peer is to be dropped. */
static bool take_packet(struct peer *p)
{
	int err = ipc_recv(p->fd, &self.in, 0);

	if (err == ERR_BUSY)
		return false;
	p->dead = err != ERR_OK || !take(p, &self.in);
	if (err == ERR_SYNTAX && p->parked)
		parked_free(&p->parked);
	if (p->dead && err != ERR_EOF)
		log_warn("a program spoke wrongly: connection closed");
	return !p->dead;
}

static void on_readable(int fd, short what, void *arg)
{
	struct peer *p = arg;
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < BATCH; i++)
		if (!take_packet(p))
			break;
	ipc_in_reset(&self.in);
	if (p->dead && p->parked)
		peer_park(p);
	else if (p->dead)
		peer_close(p);
}

static struct peer *peer_new(int fd)
{
	struct peer *p = mem_alloc(sizeof(*p));

	p->fd = fd;
	p->watcher.changed = on_changed;
	p->readable =
		event_new(self.base, fd, EV_READ | EV_PERSIST, on_readable, p);
	event_add(p->readable, NULL);
	return p;
}

static void add_peer(int fd, void *context)
{
	struct peer *p = peer_new(fd);

	(void)context;
	LIST_INSERT_HEAD(&self.peers, p, next);
}

static void add_subscriber(int fd, void *context)
{
	struct peer *p = peer_new(fd);

	(void)context;
	p->all = true;
	LIST_INSERT_HEAD(&self.subscribers, p, next);
}

/* Sessions notice the end of their connection and look for themselves. */
static void stop(void *context)
{
	(void)context;
	parked_stop();
	event_base_loopbreak(self.base);
}

/* inotify needs the right to read a directory. Of root's rights only this one
 * is kept, which is of no other use to a process that may not open files. */
static void keep_reading(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 } };

	data[0].effective = data[0].permitted = 1U << CAP_DAC_READ_SEARCH;
	if (syscall(SYS_capset, &head, data) < 0)
		log_warn("changes by foreign programs are seen late: %m");
}

static void confine(void)
{
	bool root = geteuid() == 0;

	if (root && self.service.uid != 0)
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	sandbox_become(self.service.uid, self.service.gid);
	if (root)
		keep_reading();
	service_follow_master();
	sandbox_enter(SANDBOX_WATCH);
}

/* Of our descriptors half: the other half is for programs that have one each. */
static unsigned max_parked(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		log_die(EX_OSERR, "cannot read the limit of descriptors: %m");
	return (unsigned)(r.rlim_cur / 2);
}

int main(int argc, char **argv)
{
	service_start(&self.service, argc, argv, "mailbox-feed");
	sandbox_limit(0, FILES_MAX);
	confine();
	LIST_INIT(&self.peers);
	LIST_INIT(&self.subscribers);
	self.base = loop_new(&self.service);
	parked_setup(self.base, max_parked());
	self.folders = folders_new(self.base, tell_subscribers, NULL);
	loop_signals(self.base, stop, NULL, NULL);
	loop_serve(self.base, &self.service, "feed", add_peer, NULL);
	loop_serve(self.base, &self.service, "feed-all", add_subscriber, NULL);
	service_ready(&self.service);
	event_base_dispatch(self.base);
	return EX_OK;
}
