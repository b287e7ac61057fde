/*
 * The children and their parent share one page or two: the scoreboard, in
 * which each child says whether it is idle. A child that becomes busy and
 * sees too few idle ones wakes the parent through a pipe. Two more pipes,
 * which nobody ever writes to, end the children: their writing ends are the
 * parent's alone, so they close when the parent wants it, or dies.
 */
#include "server/prefork.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "server/caller.h"

#define IDLE_END_MS 60000   /* a surplus idle child ends after that */
#define FAULT_PAUSE_MS 1000 /* no new child so soon after an idle one failed */

enum state { STATE_FREE, STATE_IDLE, STATE_BUSY };

struct slot {
	_Atomic int state;
	_Atomic uint64_t client; /* whom it serves; 0: no IP address */
	pid_t pid;		 /* the parent's business alone */
};

/* One line a second tells of those that were refused. */
struct refused {
	_Atomic int64_t said_ms;
	_Atomic int unsaid;
};

enum ending { ENDING_NOT, ENDING_RETIRE, ENDING_STOP, ENDING_AT_ONCE };

static struct {
	const struct prefork *set;
	struct slot *board;
	struct refused *refused; /* behind the board */
	int wake[2];
	int retire[2];
	int stop[2];
	int signals;
	sigset_t former;
	struct slot *me; /* in a child */
	int64_t pause_until_ms;
	int64_t full_said_ms;
	enum ending ending;
} self;

int prefork_stop_fd(void)
{
	return self.stop[0];
}

int prefork_retire_fd(void)
{
	return self.retire[0];
}

static bool is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

bool prefork_stopping(void)
{
	return is_closed(self.stop[0]);
}

int prefork_await(int fd, int ms)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
			       { .fd = self.retire[0], .events = POLLIN } };
	int n;

	do
		n = poll(p, 2, ms);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? ERR_TIMEOUT : ERR_IO;
	return p[0].revents ? ERR_OK : ERR_EOF;
}

static int count(enum state state)
{
	int n = 0;

	for (int i = 0; i < self.set->max; i++)
		n += atomic_load(&self.board[i].state) == (int)state;
	return n;
}

/* Children */

static int accept_on(const struct prefork_listener *l)
{
	if (l->ipc && l->open_to_all)
		return ipc_accept_any(l->fd, NULL);
	if (l->ipc)
		return ipc_accept(l->fd, self.set->peer_uids, self.set->npeers,
				  NULL);
	return accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
}

static void become_busy(struct slot *me)
{
	atomic_store(&me->state, STATE_BUSY);
	if (count(STATE_IDLE) < self.set->spare &&
	    write(self.wake[1], "", 1) < 0 && errno != EAGAIN)
		log_warn("cannot wake the parent");
}

/* Notes whom ME serves, unless that one has client_max children already. */
static bool claim(struct slot *me, uint64_t client)
{
	int n = 0;

	if (!self.set->client_max || !client)
		return true;
	atomic_store(&me->client, client);
	for (int i = 0; i < self.set->max; i++)
		n += atomic_load(&self.board[i].client) == client;
	if (n <= self.set->client_max)
		return true;
	atomic_store(&me->client, 0);
	return false;
}

bool prefork_claim(const char *name)
{
	return !self.me || claim(self.me, caller_named(name));
}

static void say_refused(const char *client)
{
	int64_t now = clock_ms();
	int unsaid;

	if (now - atomic_load(&self.refused->said_ms) < 1000) {
		atomic_fetch_add(&self.refused->unsaid, 1);
		return;
	}
	atomic_store(&self.refused->said_ms, now);
	unsaid = atomic_exchange(&self.refused->unsaid, 0);
	log_info("refused: %s has %d connections already", client,
		 self.set->client_max);
	if (unsaid)
		log_info("refused: %d more before that", unsaid);
}

/* Says why, and takes what the client has said: input that nobody read would
 * make the kernel cut the connection before the client has seen the reason. */
static void turn_away(int fd)
{
	const size_t n = self.set->nrefusal;
	char junk[4096];

	if (self.set->refusal)
		send(fd, self.set->refusal,
		     n ? n : strlen(self.set->refusal),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_RD);
	for (int i = 0; i < 10; i++)
		if (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) <= 0)
			break;
	close(fd);
}

/* Has the client of FD, whom ME is to serve on L, too many connections? Then
 * it is refused and closed. */
static bool refuse_client(struct slot *me, const struct prefork_listener *l,
			  int fd)
{
	char text[CALLER_TEXT_SIZE];
	bool ours = l->ipc && !l->open_to_all;

	if (!self.set->client_max || ours || claim(me, caller_of(fd, text)))
		return false;
	say_refused(text);
	turn_away(fd);
	return true;
}

/* Takes one connection from L, if another child was not quicker. */
static bool serve_one(struct slot *me, const struct prefork_listener *l)
{
	int fd = accept_on(l);
	bool again;

	if (fd < 0 || refuse_client(me, l, fd))
		return true;
	become_busy(me);
	again = self.set->serve(self.set->context, l, fd);
	atomic_store(&me->client, 0);
	atomic_store(&me->state, STATE_IDLE);
	return again;
}

static int watch_listeners(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e;

	for (size_t i = 0; i < self.set->nlisteners; i++) {
		/* one child is woken, not all */
		e = (struct epoll_event){ EPOLLIN | EPOLLEXCLUSIVE,
					  { .u64 = i } };
		epoll_ctl(ep, EPOLL_CTL_ADD, self.set->listener[i].fd, &e);
	}
	e = (struct epoll_event){ EPOLLIN, { .u64 = self.set->nlisteners } };
	epoll_ctl(ep, EPOLL_CTL_ADD, self.retire[0], &e);
	return ep;
}

static void child_loop(struct slot *me)
{
	int ep = watch_listeners(), uses = 0;

	for (;;) {
		struct epoll_event e;
		int n = epoll_wait(ep, &e, 1, IDLE_END_MS);

		if (n == 0 && count(STATE_IDLE) > self.set->spare)
			return;
		if (n <= 0)
			continue;
		if (e.data.u64 >= self.set->nlisteners)
			return;
		if (!serve_one(me, &self.set->listener[e.data.u64]))
			return;
		if (self.set->uses && ++uses >= self.set->uses)
			return;
	}
}

static void child_main(struct slot *me)
{
	close(self.stop[1]);
	close(self.retire[1]);
	close(self.wake[0]);
	close(self.signals);
	self.me = me;
	sigprocmask(SIG_SETMASK, &self.former, NULL);
	if (self.set->child_start)
		self.set->child_start(self.set->context);
	child_loop(me);
	exit(EX_OK);
}

/* Parent */

static bool start_child(struct slot *slot)
{
	pid_t pid;

	atomic_store(&slot->state, STATE_IDLE);
	pid = fork();
	if (pid == 0)
		child_main(slot);
	if (pid < 0) {
		log_warn("cannot start a child: %m");
		atomic_store(&slot->state, STATE_FREE);
		self.pause_until_ms = clock_ms() + FAULT_PAUSE_MS;
		return false;
	}
	slot->pid = pid;
	return true;
}

static void say_full(void)
{
	int64_t now = clock_ms();

	if (count(STATE_IDLE) > 0 || now - self.full_said_ms < 60000)
		return;
	self.full_said_ms = now;
	log_warn("all %d processes are busy: further connections wait",
		 self.set->max);
}

static void keep_spare(void)
{
	int want = self.set->spare - count(STATE_IDLE);

	if (self.ending || clock_ms() < self.pause_until_ms)
		return;
	for (int i = 0; i < self.set->max && want > 0; i++) {
		if (atomic_load(&self.board[i].state) != STATE_FREE)
			continue;
		if (!start_child(&self.board[i]))
			return;
		want--;
	}
	if (want > 0)
		say_full();
}

/* Who died with a connection at hand died of that, and another comes when one
 * more connection does. Who died without one may do so again at once. */
static void report_end(pid_t pid, int status, bool busy)
{
	if (WIFSIGNALED(status))
		log_error("process %ld ended by signal %d%s", (long)pid,
			  WTERMSIG(status),
			  WCOREDUMP(status) ? ", core dumped" : "");
	else
		log_warn("process %ld ended with status %d", (long)pid,
			 WEXITSTATUS(status));
	if (!busy)
		self.pause_until_ms = clock_ms() + FAULT_PAUSE_MS;
}

/* Frees the slot of PID. Was it busy? */
static bool free_slot(pid_t pid)
{
	for (int i = 0; i < self.set->max; i++) {
		struct slot *slot = &self.board[i];

		if (slot->pid != pid)
			continue;
		slot->pid = 0;
		atomic_store(&slot->client, 0);
		return atomic_exchange(&slot->state, STATE_FREE) == STATE_BUSY;
	}
	return false;
}

static void collect_children(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool busy = free_slot(pid);

		if (status != 0 && !self.ending)
			report_end(pid, status, busy);
	}
}

static void signal_children(int sig)
{
	for (int i = 0; i < self.set->max; i++)
		if (self.board[i].pid > 0)
			kill(self.board[i].pid, sig);
}

static bool any_left(void)
{
	return count(STATE_FREE) < self.set->max;
}

/* Handles signals: the end asked for becomes `self.ending`. */
static void handle_signals(void)
{
	struct signalfd_siginfo info;

	while (read(self.signals, &info, sizeof(info)) > 0) {
		switch (info.ssi_signo) {
		case SIGHUP:
			log_reopen();
			break;
		case SIGTERM:
			if (self.ending < ENDING_RETIRE)
				self.ending = ENDING_RETIRE;
			break;
		case SIGINT:
			if (self.ending < ENDING_STOP)
				self.ending = ENDING_STOP;
			break;
		case SIGQUIT:
			self.ending = ENDING_AT_ONCE;
			break;
		default:
			break;
		}
	}
}

static void wait_for_children(int64_t until_ms)
{
	struct pollfd p = { .fd = self.signals, .events = POLLIN };
	enum ending former = self.ending;

	while (any_left() && clock_ms() < until_ms && self.ending == former) {
		poll(&p, 1, 1000);
		handle_signals();
		collect_children();
	}
}

/* Lets the children finish, as the signal allows. */
static void end_children(void)
{
	close(self.retire[1]);
	if (self.ending == ENDING_RETIRE)
		wait_for_children(INT64_MAX);
	close(self.stop[1]);
	if (self.ending == ENDING_STOP)
		wait_for_children(clock_ms() + self.set->grace_s * 1000LL);
	signal_children(SIGKILL);
	while (any_left() && waitpid(-1, NULL, 0) > 0)
		;
}

static void parent_loop(void)
{
	struct pollfd p[2] = { { .fd = self.signals, .events = POLLIN },
			       { .fd = self.wake[0], .events = POLLIN } };
	char drain[256];

	for (;;) {
		keep_spare();
		poll(p, 2,
		     self.pause_until_ms > clock_ms() ? FAULT_PAUSE_MS : -1);
		handle_signals();
		if (self.ending)
			return;
		while (read(self.wake[0], drain, sizeof(drain)) > 0)
			;
		collect_children();
	}
}

static void prepare(const struct prefork *p)
{
	const size_t n = (size_t)p->max;
	sigset_t set;

	self.set = p;
	self.board =
		mmap(NULL, n * sizeof(*self.board) + sizeof(*self.refused),
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self.refused = (struct refused *)(void *)(self.board + n);
	if (self.board == MAP_FAILED ||
	    pipe2(self.wake, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(self.retire, O_CLOEXEC) < 0 ||
	    pipe2(self.stop, O_CLOEXEC) < 0)
		log_die(EX_OSERR, "cannot prepare for children: %m");
	for (size_t i = 0; i < p->nlisteners; i++)
		file_set_nonblock(p->listener[i].fd, true);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &self.former);
	self.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (self.signals < 0)
		log_die(EX_OSERR, "cannot prepare for signals: %m");
	mem_tidy();
}

int prefork_run(const struct prefork *p)
{
	prepare(p);
	parent_loop();
	end_children();
	return EX_OK;
}
