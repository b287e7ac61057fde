/*
 * The program imap-idle: tells sessions that wait of changes in the folders
 * they look at. It holds a socket per session and a few hundred bytes, opens
 * no file, and knows no mail.
 */
#include <event2/event.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "imapd/imap-idle-folder.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "service/loop.h"
#include "service/service.h"

#define FILES_MAX 200000
#define BATCH 16 /* packets read from one peer before the others' turn */

struct peer {
	struct watch watch; /* first: the one is the other */
	LIST_ENTRY(peer) next;
	int fd;
	struct event *readable;
	bool dead; /* to be closed by its own next turn */
};

static struct {
	struct service service;
	struct event_base *base;
	struct folders *folders;
	LIST_HEAD(, peer) peers;
	struct ipc_in in;
	struct ipc_out out;
} self;

static void peer_close(struct peer *p)
{
	folders_unwatch(self.folders, &p->watch);
	event_free(p->readable);
	close(p->fd);
	LIST_REMOVE(p, next);
	free(p);
}

/* A peer whose queue is full has heard already; one that is gone is closed
 * when its socket says so. */
static void on_changed(struct watch *w, dev_t dev, ino_t ino)
{
	struct peer *p = (struct peer *)w;

	ipc_begin(&self.out, "changed");
	ipc_put_int(&self.out, "dev", (int64_t)dev);
	ipc_put_int(&self.out, "ino", (int64_t)ino);
	ipc_send(p->fd, &self.out, 0);
}

static bool take_changed(struct peer *p, const struct ipc_in *m)
{
	int64_t dev, ino;

	if (!ipc_int(m, "dev", INT64_MIN, INT64_MAX, &dev) ||
	    !ipc_int(m, "ino", INT64_MIN, INT64_MAX, &ino))
		return false;
	folders_changed(self.folders, (dev_t)dev, (ino_t)ino, &p->watch);
	return true;
}

/* Without a descriptor: no longer. */
static bool take_watch(struct peer *p, struct ipc_in *m)
{
	int fd = ipc_take_fd(m);
	struct stat st;
	bool good;

	if (fd < 0) {
		folders_unwatch(self.folders, &p->watch);
		return true;
	}
	good = folders_watch(self.folders, &p->watch, fd) &&
	       fstat(fd, &st) == 0;
	/* what changed before the watch began was told to nobody */
	if (good)
		on_changed(&p->watch, st.st_dev, st.st_ino);
	close(fd);
	return good;
}

/* One packet; false if there is none, or the peer is done for. */
static bool take_packet(struct peer *p)
{
	int err = ipc_recv(p->fd, &self.in, 0);
	bool good;

	if (err == ERR_BUSY)
		return false;
	if (err == ERR_OK && ipc_is(&self.in, "changed"))
		good = take_changed(p, &self.in);
	else
		good = err == ERR_OK && ipc_is(&self.in, "watch") &&
		       take_watch(p, &self.in);
	if (!good && err != ERR_EOF)
		log_warn("a program spoke wrongly: connection closed");
	p->dead = !good;
	return good;
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
	if (p->dead)
		peer_close(p);
}

static void add_peer(int fd, void *context)
{
	struct peer *p = mem_alloc(sizeof(*p));

	(void)context;
	p->fd = fd;
	p->watch.changed = on_changed;
	p->readable =
		event_new(self.base, fd, EV_READ | EV_PERSIST, on_readable, p);
	LIST_INSERT_HEAD(&self.peers, p, next);
	event_add(p->readable, NULL);
}

/* Sessions notice the end of their connection and look for themselves. */
static void stop(void *context)
{
	(void)context;
	event_base_loopbreak(self.base);
}

/* inotify asks for the right to read a directory. Of root's rights this one
 * is kept, and is worth nothing else to a process that may open no file. */
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
	sandbox_enter(0);
}

int main(int argc, char **argv)
{
	service_start(&self.service, argc, argv, "imap-idle");
	sandbox_limit(0, FILES_MAX);
	confine();
	LIST_INIT(&self.peers);
	self.base = loop_new();
	self.folders = folders_new(self.base);
	loop_signals(self.base, stop, NULL, NULL);
	loop_serve(self.base, &self.service, "notify", add_peer, NULL);
	service_ready(&self.service);
	event_base_dispatch(self.base);
	return EX_OK;
}
