#include "server/watch.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"
#include "server/stack.h"

#define TURNS 3 /* in the time without a sign */
#define TURN_MIN_MS 250
#define TURN_MAX_MS 3000
#define DEATH_MS 1000 /* between SIGABRT and SIGKILL */

static struct {
	int64_t patience_ms;  /* 0: nobody is watched */
	int64_t round_ms;     /* the last one */
	int64_t blameless_ms; /* no child counts as hung before this */
	bool any_dying;
	int stack[2]; /* a pipe */
} self = { .stack = { -1, -1 } };

void watch_begin(int64_t patience_ms)
{
	self.patience_ms = patience_ms;
	self.round_ms = clock_ms();
	/* without it no stack can be written */
	if (patience_ms && pipe2(self.stack, O_CLOEXEC | O_NONBLOCK) < 0)
		log_warn("cannot make a pipe: %m");
}

struct watched *watch_share(size_t n)
{
	void *m = mmap(NULL, n * sizeof(struct watched), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return m == MAP_FAILED ? NULL : m;
}

void watch_prepare(struct watched *w)
{
	w->killed_ms = 0;
	atomic_store(&w->due_ms, self.patience_ms
					 ? clock_ms() + self.patience_ms
					 : INT64_MAX);
}

void watch_me(struct watched *w, bool tells)
{
	if (!self.patience_ms)
		return;
	heartbeat_begin(&w->due_ms, self.patience_ms);
	if (tells && self.stack[1] >= 0)
		stack_tell(self.stack[1]);
}

static int64_t turn_ms(void)
{
	int64_t turn = self.patience_ms / TURNS;

	if (turn < TURN_MIN_MS)
		return TURN_MIN_MS;
	return turn < TURN_MAX_MS ? turn : TURN_MAX_MS;
}

int watch_turn_ms(void)
{
	int64_t turn = turn_ms();

	if (!self.patience_ms)
		return -1;
	return (int)(self.any_dying && turn > DEATH_MS ? DEATH_MS : turn);
}

static void log_stacks(void)
{
	char text[4096], *rest = text, *line;
	ssize_t n = read(self.stack[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_error("stack: %s", line);
}

void watch_round(void)
{
	int64_t now = clock_ms();

	if (now - self.round_ms > 2 * turn_ms())
		self.blameless_ms = now + self.patience_ms;
	self.round_ms = now;
	self.any_dying = false;
	if (self.stack[0] >= 0)
		log_stacks();
}

void watch_resume(void)
{
	self.round_ms = clock_ms();
}

/* Asks for its stack, which it writes if it still can. */
static void begin_to_end(struct watched *w, pid_t pid, const char *name,
			 int64_t now)
{
	log_error("%s %ld gave no sign of life for %lld s: it is killed", name,
		  (long)pid, (long long)self.patience_ms / 1000);
	w->killed_ms = now;
	self.any_dying = true;
	if (kill(pid, SIGABRT) < 0)
		log_error("process %ld cannot be killed: %m", (long)pid);
}

bool watch_is_late(struct watched *w)
{
	int64_t now = clock_ms();

	return atomic_load(&w->due_ms) <= now && self.blameless_ms <= now;
}

bool watch_look(struct watched *w, pid_t pid, const char *name)
{
	int64_t now = clock_ms();

	if (w->killed_ms) {
		self.any_dying = true;
		if (now - w->killed_ms >= DEATH_MS)
			kill(pid, SIGKILL);
		return false;
	}
	if (!watch_is_late(w))
		return false;
	begin_to_end(w, pid, name, now);
	return true;
}
