/*
 * The parent of a prefork program. It and its children (prefork-child.c) share
 * the scoreboard (board.h), in which each child records whether it is idle, and
 * gives its signs of life. A child that becomes busy and sees too few idle ones
 * wakes the parent through a pipe. Two more pipes, to which nothing is ever
 * written, end the children: only the parent has their writing ends, so they
 * close when it wants that, or dies.
 *
 * A child that becomes a user leaves all that (prefork_leave): the parent and
 * the other children then depend on nothing that the user could do to it.
 */
#include "server/prefork.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "log/relay.h"
#include "server/board.h"
#include "server/child.h"
#include "server/link.h"
#include "server/prefork-parts.h"
#include "server/shed.h"

#define KILLED_MS 2000	    /* for killed children to be gone */
#define FAULT_PAUSE_MS 1000 /* no new child so soon after an idle one failed */

#define FILES_MAX 65536 /* of the parent */

enum ending { ENDING_NOT, ENDING_RETIRE, ENDING_STOP, ENDING_AT_ONCE };

struct prefork_now prefork_now;

static struct {
	int64_t pause_until_ms;
	int64_t full_said_ms;
	bool child_died;
	bool shed; /* some, a turn ago */
	enum ending ending;
} self;

static bool start_child(struct board_place *place, enum board_state state)
{
	pid_t pid;

	watch_prepare(&place->watched);
	atomic_store(&place->state, state);
	pid = relay_fork();
	if (pid == 0)
		prefork_child(place);
	if (pid < 0) {
		log_warn("cannot start a child: %m");
		atomic_store(&place->state, BOARD_FREE);
		self.pause_until_ms = clock_ms() + FAULT_PAUSE_MS;
		return false;
	}
	board_set_pid(place, pid);
	return true;
}

/* The child that serves nobody. */
static void keep_aside(void)
{
	struct board_place *place = board_place(prefork_now.set->max);

	if (prefork_now.set->aside && board_pid(place) == 0)
		start_child(place, BOARD_ASIDE);
}

static bool is_full(void)
{
	return board_count(BOARD_IDLE) + board_count(BOARD_FREE) == 0;
}

static void say_full(void)
{
	int64_t now = clock_ms();

	if (board_count(BOARD_IDLE) > 0 || now - self.full_said_ms < 60000)
		return;
	self.full_said_ms = now;
	log_warn("all %d processes are busy: further connections wait",
		 prefork_now.set->max);
}

static bool connections_wait(void)
{
	for (size_t i = 0; i < prefork_now.set->nlisteners; i++)
		if (prefork_readable(prefork_now.set->listener[i].fd))
			return true;
	return false;
}

/* One child is woken for each connection. If it died before accepting, the
 * others do not know of the connection; a new child finds it. */
static bool is_stranded(void)
{
	if (!self.child_died)
		return false;
	self.child_died = false;
	return connections_wait();
}

static void keep_spare(void)
{
	int want = prefork_now.set->spare - board_count(BOARD_IDLE);

	if (want <= 0 && is_stranded())
		want = 1;
	if (self.ending || clock_ms() < self.pause_until_ms)
		return;
	keep_aside();
	for (int i = 0; i < prefork_now.set->max && want > 0; i++) {
		if (atomic_load(&board_place(i)->state) != BOARD_FREE)
			continue;
		if (!start_child(board_place(i), BOARD_IDLE))
			return;
		want--;
	}
	if (want > 0)
		say_full();
}

/* A child that died while serving died of its connection, and the next death
 * needs another one. One that died idle may do so again at once. */
static void report_end(pid_t pid, int status, bool busy)
{
	child_report(pid, status);
	if (!busy)
		self.pause_until_ms = clock_ms() + FAULT_PAUSE_MS;
}

/* Frees the place of PID. Was it busy? */
static bool free_place(pid_t pid)
{
	struct board_place *place = board_find(pid);

	if (!place)
		return false;
	board_set_pid(place, 0);
	board_release(place);
	atomic_store(&place->rest_ms, 0);
	return atomic_exchange(&place->state, BOARD_FREE) == BOARD_BUSY;
}

static void collect_children(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool busy = free_place(pid);

		self.child_died |= WIFSIGNALED(status);
		if (status != 0 && !self.ending)
			report_end(pid, status, busy);
	}
}

static void signal_children(int sig)
{
	for (int i = 0; i <= prefork_now.set->max; i++)
		if (board_pid(board_place(i)) > 0)
			kill(board_pid(board_place(i)), sig);
}

static bool any_left(void)
{
	for (int i = 0; i <= prefork_now.set->max; i++)
		if (board_pid(board_place(i)) > 0)
			return true;
	return false;
}

/* Handles signals: the requested end becomes `self.ending`. */
static void handle_signals(void)
{
	struct signalfd_siginfo info;

	while (read(prefork_now.signals, &info, sizeof(info)) > 0) {
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

void prefork_abandon(const struct prefork_listener *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		shutdown(l[i].fd, SHUT_RDWR);
}

/* Kills children that hang. A parent without a link to master, like that of
 * accountd's checkers, can only tell the log. */
static void look_at_children(void)
{
	watch_round();
	for (int i = 0; i <= prefork_now.set->max; i++) {
		struct board_place *place = board_place(i);
		pid_t pid = board_pid(place);

		if (pid > 0 && watch_look(&place->watched, pid, "process") &&
		    prefork_now.set->link)
			link_hung(prefork_now.set->link);
	}
}

/* The earlier of MS and the next look at the children. */
static int turn(int ms)
{
	int look_ms = watch_turn_ms();

	return heartbeat_turn(look_ms >= 0 && (ms < 0 || look_ms < ms) ? look_ms
								       : ms);
}

/* Waits for something to do, and does what signals and master want. */
static void wait_and_answer(int ms)
{
	struct link *l = prefork_now.set->link;
	struct pollfd p[] = { { .fd = prefork_now.signals, .events = POLLIN },
			      { .fd = prefork_now.wake[0], .events = POLLIN },
			      { .fd = l ? l->fd : -1, .events = POLLIN },
			      { .fd = relay_fd(), .events = POLLIN } };
	char drain[256];

	poll(p, sizeof(p) / sizeof(p[0]), relay_turn(turn(ms)));
	handle_signals();
	if (p[2].revents && link_read(l) == LINK_ENDED)
		prefork_abandon(prefork_now.set->listener,
				prefork_now.set->nlisteners);
	while (read(prefork_now.wake[0], drain, sizeof(drain)) > 0)
		;
	relay_read(); /* before it is said how they ended */
	collect_children();
	look_at_children();
}

static void wait_for_children(int64_t until_ms)
{
	enum ending former = self.ending;

	while (any_left() && clock_ms() < until_ms && self.ending == former)
		wait_and_answer(1000);
}

/* Lets the children finish, as the signal allows. */
static void end_children(void)
{
	struct board_place *aside = board_place(prefork_now.set->max);

	close(prefork_now.retire[1]);
	if (board_pid(aside) > 0)
		kill(board_pid(aside), SIGTERM);
	if (self.ending == ENDING_RETIRE)
		wait_for_children(INT64_MAX);
	close(prefork_now.stop[1]);
	if (self.ending == ENDING_STOP)
		wait_for_children(clock_ms() +
				  prefork_now.set->grace_s * 1000LL);
	signal_children(SIGKILL);
	/* one that waits in the kernel dies when it can: do not wait for it */
	wait_for_children(clock_ms() + KILLED_MS);
}

/* How long nothing is due without input; -1: for ever. */
static int quiet_ms(void)
{
	if (prefork_now.set->sheds && is_full())
		return SHED_TURN_MS;
	return prefork_now.set->poor || self.pause_until_ms > clock_ms()
		       ? FAULT_PAUSE_MS
		       : -1;
}

static void make_room(void)
{
	bool wanted = prefork_now.set->sheds && is_full() && connections_wait();

	if (wanted)
		shed_some(prefork_now.set->max, self.shed);
	self.shed = wanted;
}

static void parent_loop(void)
{
	const int64_t end_ms = clock_ms() + PREFORK_POOR_MS;

	while (!self.ending) {
		keep_spare();
		make_room();
		wait_and_answer(quiet_ms());
		if (!self.ending && prefork_now.set->poor &&
		    clock_ms() >= end_ms) {
			link_last_words(prefork_now.set->link,
					prefork_now.set->poor);
			self.ending = ENDING_RETIRE;
		}
	}
}

/* A parent has a descriptor of each child's log. */
static void raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	prefork_now.files = r;
	if (r.rlim_cur < FILES_MAX)
		r.rlim_cur = r.rlim_max < FILES_MAX ? r.rlim_max : FILES_MAX;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		log_warn("cannot raise the limit of open files: %m");
}

static void prepare(const struct prefork *p)
{
	static const int list[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD };
	sigset_t set;

	prefork_now.set = p;
	prefork_now.parent = getpid();
	board_make(p->max);
	watch_begin(p->patience_ms);
	if (pipe2(prefork_now.wake, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(prefork_now.retire, O_CLOEXEC) < 0 ||
	    pipe2(prefork_now.stop, O_CLOEXEC) < 0)
		log_die(EX_OSERR, "cannot prepare for children: %m");
	for (size_t i = 0; i < p->nlisteners; i++)
		file_set_nonblock(p->listener[i].fd, true);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaddset(&set, list[i]);
	sigprocmask(SIG_BLOCK, &set, &prefork_now.former);
	prefork_now.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (prefork_now.signals < 0)
		log_die(EX_OSERR, "cannot prepare for signals: %m");
	raise_files();
	mem_tidy();
}

int prefork_run(const struct prefork *p)
{
	prepare(p);
	parent_loop();
	end_children();
	relay_drain();
	return EX_OK;
}
