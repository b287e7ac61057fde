#include "master/watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "master/process.h"
#include "server/link.h"

/* A hang is noticed, and over, within the timeout and ASK + 2 TURN + DEATH. */
#define TURN_MS 1000 /* between two looks at all processes, … */
#define ASK_MS 3000  /* … and between two questions, at most: */
#define TURNS 12     /* fit into the time that an answer may take, */
#define ASKS 4	     /* and so many questions */
#define TURN_MIN_MS 250
#define DEATH_MS 1000 /* between SIGABRT and SIGKILL */
#define JUMP_MS 5000  /* after this, who was asked may need time to wake */

static struct {
	struct event *tick;
	int64_t timeout_ms;
	int64_t turn_ms;
	int64_t ask_ms;
	int64_t turned_ms; /* the last look */
	int64_t asked_ms;  /* the last questions */
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

	return p->asked_ms && now - p->asked_ms >= limit;
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

/* Master itself, and perhaps everything, stood still for LATE ms: this is not
 * counted, and after a long time, such as a suspended machine, each process
 * has its whole time again. */
static void forgive(int64_t now, int64_t late)
{
	for (struct process *p = process_first(); p; p = p->next)
		if (p->asked_ms)
			p->asked_ms = late > JUMP_MS ? now : p->asked_ms + late;
}

void watchdog_turn(int64_t now)
{
	int64_t late = now - self.turned_ms - self.turn_ms;
	bool asks = now - self.asked_ms >= self.ask_ms;

	if (late > self.turn_ms)
		forgive(now, late);
	self.turned_ms = now;
	if (asks)
		self.asked_ms = now;
	for (struct process *p = process_first(); p; p = p->next) {
		if (is_overdue(p, now))
			end(p, now);
		else if (asks)
			ask(p, now);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	watchdog_turn(clock_ms());
}

/* LIMIT, or less if N of it would not fit into the timeout. */
static int64_t part(int64_t limit, int n)
{
	int64_t ms = self.timeout_ms / n;

	if (ms < TURN_MIN_MS)
		return TURN_MIN_MS;
	return ms < limit ? ms : limit;
}

void watchdog_set(int64_t timeout_ms, int64_t now)
{
	self.timeout_ms = timeout_ms;
	self.turn_ms = part(TURN_MS, TURNS);
	self.ask_ms = part(ASK_MS, ASKS);
	self.turned_ms = self.asked_ms = now;
}

void watchdog_begin(struct event_base *base, int64_t timeout_s)
{
	struct timeval t;

	watchdog_set(timeout_s * 1000, clock_ms());
	t = (struct timeval){ self.turn_ms / 1000, self.turn_ms % 1000 * 1000 };
	if (!self.tick)
		self.tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	event_add(self.tick, &t);
}
