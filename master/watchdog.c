#include "master/watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "master/process.h"
#include "server/link.h"

#define TURNS 3 /* in the time that an answer may take */
#define TURN_MIN_MS 250
#define DEATH_MS 1000 /* between SIGABRT and SIGKILL */

static struct {
	struct event *tick;
	int64_t timeout_ms;
	int64_t turn_ms;
	int64_t ticked_ms;
} self;

/* The first line of /proc/PID/NAME; "?" if it cannot be read. */
static void read_proc(const struct process *p, const char *name, char *out,
		      size_t size)
{
	char *path = mem_printf("/proc/%ld/%s", (long)p->pid, name);
	FILE *f = fopen(path, "re");

	if (!f || !fgets(out, (int)size, f))
		snprintf(out, size, "?");
	out[strcspn(out, "\n")] = '\0';
	if (f)
		fclose(f);
	free(path);
}

/* What it does according to the kernel: its state, where it waits in the
 * kernel, and in which system call. */
static void say_what_it_does(const struct process *p)
{
	char stat[512], wchan[128], call[256];
	const char *state;

	read_proc(p, "stat", stat, sizeof(stat));
	read_proc(p, "wchan", wchan, sizeof(wchan));
	read_proc(p, "syscall", call, sizeof(call));
	state = strrchr(stat, ')');
	log_error("%s: process %ld is in state %c, waits in %s, system call %s",
		  p->name, (long)p->pid, state && state[1] ? state[2] : '?',
		  wchan, call);
}

static bool is_overdue(const struct process *p, int64_t now)
{
	int64_t limit = p->state == HUNG ? DEATH_MS : self.timeout_ms;

	return p->asked_ms && now - p->asked_ms > limit;
}

static void end(struct process *p, int64_t now)
{
	const bool ready = p->state != CANDIDATE && p->state != STARTING;

	if (p->state != HUNG) {
		process_blame(p, mem_printf(ready ? "gave no answer for %lld s"
						  : "was not ready after "
						    "%lld s",
					    (long long)self.timeout_ms / 1000));
		log_error("%s: process %ld %s: it is killed", p->name,
			  (long)p->pid, p->why);
		say_what_it_does(p);
		p->asked_ms = now;
	}
	process_event(p, OVERDUE);
}

static void ask(struct process *p, int64_t now)
{
	if (p->asked_ms || p->links.link < 0)
		return;
	/* if this fails there will be no answer */
	link_ping(p->links.link);
	p->asked_ms = now;
}

/* Master itself, and perhaps everything, stood still: the services are not to
 * blame. */
static void forgive(int64_t now)
{
	for (struct process *p = process_first(); p; p = p->next)
		if (p->asked_ms)
			p->asked_ms = now;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = clock_ms();

	(void)fd;
	(void)what;
	(void)arg;
	if (now - self.ticked_ms > 2 * self.turn_ms)
		forgive(now);
	self.ticked_ms = now;
	for (struct process *p = process_first(); p; p = p->next) {
		if (is_overdue(p, now))
			end(p, now);
		else
			ask(p, now);
	}
}

void watchdog_begin(struct event_base *base, int64_t timeout_s)
{
	struct timeval t;

	self.timeout_ms = timeout_s * 1000;
	self.turn_ms = self.timeout_ms / TURNS;
	if (self.turn_ms < TURN_MIN_MS)
		self.turn_ms = TURN_MIN_MS;
	self.ticked_ms = clock_ms();
	t = (struct timeval){ self.turn_ms / 1000, self.turn_ms % 1000 * 1000 };
	if (!self.tick)
		self.tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	event_add(self.tick, &t);
}
