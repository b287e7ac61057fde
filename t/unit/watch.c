/* Signs of life between a child and its parent: server/watch.h. */
#include "server/watch.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/wait.h"
#include "log/log.h"
#include "tap.h"

#define PATIENCE_MS 600
#define LIFE_MS (4 * PATIENCE_MS) /* of who works */

static int quiet[2]; /* nothing ever comes there */

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* One who waits for a peer. */
static void wait_for_peer(void)
{
	err_ignore(wait_until(quiet[0], POLLIN, clock_ms() + LIFE_MS));
}

/* One whose steps are slow. */
static void work_slowly(void)
{
	for (int i = 0; i < 16; i++) {
		pause_ms(LIFE_MS / 16);
		heartbeat();
	}
}

/* One step of which nobody sees anything. */
static void sync_long(void)
{
	heartbeat_long(LIFE_MS);
	pause_ms(LIFE_MS);
}

static void serve_user(void)
{
	heartbeat_end();
	heartbeat(); /* by what it calls */
	pause_ms(LIFE_MS);
}

static void hang(void)
{
	for (;;)
		pause_ms(LIFE_MS);
}

/* What it has forked works, and says nothing for it. */
static void hang_beside(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		work_slowly();
		_exit(0);
	}
	hang();
}

static pid_t start(struct watched *w, void (*life)(void))
{
	pid_t pid;

	watch_prepare(w);
	pid = fork();
	if (pid == 0) {
		watch_me(w, false);
		life();
		_exit(0);
	}
	return pid;
}

/* Watches until its end; gives the signal of that, or 0. *HUNG: so often. */
static int watch(struct watched *w, pid_t pid, int *hung)
{
	int status;

	*hung = 0;
	watch_resume();
	while (waitpid(pid, &status, WNOHANG) == 0) {
		pause_ms(20);
		watch_round();
		*hung += watch_look(w, pid, "process");
	}
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void check(struct watched *w, void (*life)(void), bool hangs,
		  const char *what)
{
	int hung, sig = watch(w, start(w, life), &hung);

	ok(hung == hangs && (sig != 0) == hangs, "%s", what);
}

/* Who watches stood still: all did, perhaps. */
static void test_late(struct watched *w)
{
	pid_t pid = start(w, hang);
	int hung;

	watch_resume();
	pause_ms(2 * PATIENCE_MS);
	watch_round();
	ok(!watch_look(w, pid, "process"), "nobody is blamed by who was late");
	ok(watch(w, pid, &hung) == SIGABRT && hung == 1, "but later");
}

static void test_stopped(struct watched *w)
{
	pid_t pid = start(w, wait_for_peer);
	int hung;

	kill(pid, SIGSTOP);
	ok(watch(w, pid, &hung) == SIGKILL && hung == 1,
	   "who is stopped is killed");
}

int main(void)
{
	struct watched *w = watch_share(1);

	log_open("watch", "stderr");
	signal(SIGALRM, SIG_DFL);
	alarm(120);
	if (!w || pipe(quiet) < 0)
		return 1;
	watch_begin(PATIENCE_MS);
	check(w, wait_for_peer, false, "who waits lives");
	check(w, work_slowly, false, "so does who works slowly");
	check(w, sync_long, false, "and who said that it takes long");
	check(w, serve_user, false, "who serves one user may take its time");
	check(w, hang, true, "who says nothing hangs");
	check(w, hang_beside, true, "also when a child of it works");
	test_late(w);
	test_stopped(w);
	return done();
}
