/* A child of a prefork program: one connection or job after the other. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heartbeat.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "server/caller.h"
#include "server/link.h"
#include "server/prefork-parts.h"
#include "server/sandbox.h"
#include "server/shed.h"

#define IDLE_END_MS 60000 /* a surplus idle child ends after this time */

int prefork_stop_fd(void)
{
	return prefork_now.stop[0];
}

int prefork_retire_fd(void)
{
	return prefork_now.retire[0];
}

bool prefork_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

bool prefork_stopping(void)
{
	return prefork_readable(prefork_now.stop[0]);
}

int prefork_await(int fd, int ms)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
			       { .fd = prefork_now.retire[0],
				 .events = POLLIN } };
	int64_t until = ms < 0 ? -1 : clock_ms() + ms, left = ms;
	int n;

	while ((n = poll(p, 2, heartbeat_turn(left))) <= 0) {
		if (n < 0 && errno != EINTR)
			return ERR_IO;
		left = until < 0 ? -1 : until - clock_ms();
		if (until >= 0 && left <= 0)
			return ERR_TIMEOUT;
	}
	return p[0].revents || ipc_end_input(fd) ? ERR_OK : ERR_EOF;
}

void prefork_packets(int fd, int ms,
		     bool (*answer)(void *context, struct ipc_in *in, int fd),
		     void *context)
{
	struct ipc_in in = { .data = NULL };

	while (prefork_await(fd, ms) == ERR_OK &&
	       ipc_recv(fd, &in, 0) == ERR_OK && answer(context, &in, fd))
		;
	ipc_in_free(&in);
	close(fd);
}

void prefork_leave(const int *keep, size_t n)
{
	int all[IPC_FDS_MAX];
	size_t count = 0;

	all[count++] = prefork_now.stop[0];
	all[count++] = prefork_now.retire[0];
	for (size_t i = 0; i < n && count < IPC_FDS_MAX; i++)
		all[count++] = keep[i];
	sandbox_keep_only(all, count);
	heartbeat_end();
	prefork_now.me = NULL;
	board_leave();
}

int prefork_room(int *most)
{
	*most = prefork_now.set->max;
	return board_count(BOARD_IDLE) + board_count(BOARD_FREE);
}

static int accept_on(const struct prefork_listener *l)
{
	if (l->ipc && l->open_to_all)
		return ipc_accept_any(l->fd, NULL);
	if (l->ipc)
		return ipc_accept(l->fd, prefork_now.set->peer_uids,
				  prefork_now.set->npeers, NULL);
	return accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
}

static void become_busy(struct board_place *me)
{
	atomic_store(&me->state, BOARD_BUSY);
	if (board_count(BOARD_IDLE) < prefork_now.set->spare &&
	    write(prefork_now.wake[1], "", 1) < 0 && errno != EAGAIN)
		log_warn("cannot wake the parent");
}

/* How many may be here, of MOST (0: no limit), if N are elsewhere. */
static int rest_of(int most, unsigned n)
{
	if (most == 0)
		return 0;
	return n < (unsigned)most ? most - (int)n : -1;
}

bool prefork_claim(const char *name, const char *client,
		   const struct prefork_elsewhere *elsewhere)
{
	const struct prefork *set = prefork_now.set;
	struct board_place *me = prefork_now.me;
	int most = 0, pairs = 0;
	char pair[512];

	if (!me)
		return true;
	if (elsewhere) {
		most = rest_of(set->client_max, elsewhere->user);
		pairs = rest_of(set->pair_max, elsewhere->pair);
	}
	/* no name has a line end */
	snprintf(pair, sizeof(pair), "%s\n%s", client, name);
	return most >= 0 && pairs >= 0 &&
	       board_claim(me, caller_named(name), most) &&
	       board_claim_pair(me, caller_named(pair), pairs);
}

/* Is CLIENT, called TEXT, one too many for ME? Turns it away. */
static bool refuse(struct board_place *me, int fd, uint64_t client,
		   const char *text)
{
	if (board_claim(me, client, prefork_now.set->client_max))
		return false;
	board_say_refused(text, prefork_now.set->client_max);
	caller_turn_away(fd, prefork_now.set->refusal,
			 prefork_now.set->nrefusal);
	return true;
}

bool prefork_claim_client(int fd, const struct sockaddr_storage *address)
{
	char text[CALLER_TEXT_SIZE] = "";

	return !prefork_now.me || !refuse(prefork_now.me, fd,
					  caller_at(address, text), text);
}

/* Is the client of FD, for ME to serve on L, one too many? Turns it away. */
static bool refuse_client(struct board_place *me,
			  const struct prefork_listener *l, int fd)
{
	char text[CALLER_TEXT_SIZE];
	const struct prefork *set = prefork_now.set;
	bool ours = l->ipc && !l->open_to_all;

	return (set->client_max || set->sheds) && !ours &&
	       !(set->is_proxy && set->is_proxy(set->context, fd)) &&
	       refuse(me, fd, caller_of(fd, text), text);
}

/* Takes one connection from L, if another child was not quicker. */
static bool serve_one(struct board_place *me, const struct prefork_listener *l)
{
	int fd = accept_on(l);
	bool again;

	if (fd < 0 || refuse_client(me, l, fd))
		return true;
	become_busy(me);
	again = prefork_now.set->serve(prefork_now.set->context, l, fd);
	if (!prefork_now.me)
		return false; /* it has left */
	shed_end();
	board_release(me);
	atomic_store(&me->state, BOARD_IDLE);
	return again;
}

static int watch_listeners(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e;

	for (size_t i = 0; i < prefork_now.set->nlisteners; i++) {
		/* one child is woken, not all */
		e = (struct epoll_event){ EPOLLIN | EPOLLEXCLUSIVE,
					  { .u64 = i } };
		epoll_ctl(ep, EPOLL_CTL_ADD, prefork_now.set->listener[i].fd,
			  &e);
	}
	e = (struct epoll_event){ EPOLLIN,
				  { .u64 = prefork_now.set->nlisteners } };
	epoll_ctl(ep, EPOLL_CTL_ADD, prefork_now.retire[0], &e);
	return ep;
}

static void child_loop(struct board_place *me)
{
	int ep = watch_listeners(), uses = 0;
	int64_t idle_ms = clock_ms();

	for (;;) {
		struct epoll_event e;
		int n = epoll_wait(ep, &e, 1, heartbeat_turn(IDLE_END_MS));

		if (n == 0 && clock_ms() - idle_ms >= IDLE_END_MS &&
		    board_count(BOARD_IDLE) > prefork_now.set->spare)
			return;
		if (n <= 0)
			continue;
		if (e.data.u64 >= prefork_now.set->nlisteners)
			return;
		if (!serve_one(me, &prefork_now.set->listener[e.data.u64]))
			return;
		if (prefork_now.set->uses && ++uses >= prefork_now.set->uses)
			return;
		idle_ms = clock_ms();
	}
}

/* It accepts nothing, so no end of a pipe tells it to end. */
static void serve_aside(void)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == prefork_now.parent)
		prefork_now.set->aside(prefork_now.set->context);
	exit(EX_OK);
}

_Noreturn void prefork_child(struct board_place *me)
{
	const bool aside = atomic_load(&me->state) == BOARD_ASIDE;

	close(prefork_now.stop[1]);
	close(prefork_now.retire[1]);
	close(prefork_now.wake[0]);
	close(prefork_now.signals);
	setrlimit(RLIMIT_NOFILE, &prefork_now.files);
	if (prefork_now.set->link)
		link_close(prefork_now.set->link);
	prefork_now.me = me;
	sigprocmask(SIG_SETMASK, &prefork_now.former, NULL);
	watch_me(&me->watched, true);
	if (aside)
		serve_aside();
	if (prefork_now.set->sheds)
		shed_begin(me, prefork_now.stop[0]);
	if (prefork_now.set->child_start)
		prefork_now.set->child_start(prefork_now.set->context);
	child_loop(me);
	exit(EX_OK);
}
