/*
 * Each service has at most one current process, which is restarted when it
 * ends, and any number of former ones, which may finish. The table in
 * process.c says what a process may do next; on_told here says what that means
 * for its service. Stopping goes through the stages of services.h in reverse:
 * each is told to stop when the one before is empty, and is killed if it takes
 * too long.
 */
#include "master/run.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "master/reload.h"
#include "master/services.h"

#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 60000
#define STEADY_MS 1000	/* one that served this long is not in a crash loop */
#define STOP_MS 20000	/* for a stage to end before it is killed */
#define FAILURES_MANY 3 /* this often in a row is no accident */

static struct {
	struct event_base *base;
	void (*changed)(void);
	struct set *set; /* in force */
	struct service *service;
	struct event *stop_timer;
	int stopping_stage; /* -1 unless stopping */
} self = { .stopping_stage = -1 };

static struct timeval ms_to_timeval(int64_t ms)
{
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

const struct set *run_set(void)
{
	return self.set;
}

struct set *run_put_set(struct set *set)
{
	struct set *former = self.set;

	self.set = set;
	return former;
}

struct service *run_service(size_t i)
{
	return &self.service[i];
}

const struct set_row *run_row(const struct service *s)
{
	return &self.set->row[s->row - service_rows];
}

static bool is_wanted(const struct service *s)
{
	return self.stopping_stage < 0 && run_row(s)->wanted;
}

bool run_serves(const struct service *s)
{
	return s->current && s->current->state == SERVING;
}

static void set_text(char **at, const char *text)
{
	free(*at);
	*at = text && *text ? mem_strdup(text) : NULL;
}

static void later(struct service *s)
{
	struct timeval t;

	s->delay_ms = s->delay_ms ? s->delay_ms * 2 : DELAY_MIN_MS;
	if (s->delay_ms > DELAY_MAX_MS)
		s->delay_ms = DELAY_MAX_MS;
	t = ms_to_timeval(s->delay_ms);
	event_add(s->restart, &t);
}

void run_start_service(struct service *s)
{
	event_del(s->restart);
	s->current = process_start(&run_row(s)->spawn, false, false, s,
				   s->row->name);
	if (s->current)
		return;
	log_error("cannot start %s: %m", s->row->name);
	later(s);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;

	(void)fd;
	(void)what;
	if (is_wanted(s) && !s->current)
		run_start_service(s);
}

void run_retire(struct service *s)
{
	struct process *p = s->current;

	s->current = NULL;
	if (p)
		process_event(p, REPLACED);
}

/* How P ended, for people. */
static char *describe_end(const struct process *p)
{
	if (p->why)
		return mem_strdup(p->why);
	if (WIFSIGNALED(p->status))
		return mem_printf("ended by signal %d%s", WTERMSIG(p->status),
				  WCOREDUMP(p->status) ? ", core dumped" : "");
	return mem_printf("ended with status %d", WEXITSTATUS(p->status));
}

/* The current process of S has ended unasked. */
static void start_again(struct service *s, const struct process *p)
{
	free(s->last);
	s->last = describe_end(p);
	log_error("%s: %s", s->row->name, s->last);
	s->restarts++;
	s->failures += !p->served;
	if (p->served && clock_ms() - p->since_ms > STEADY_MS)
		s->delay_ms = 0;
	later(s);
}

static void take_end(struct service *s, struct process *p)
{
	if (s->candidate == p) {
		reload_failed(s, p->why ? p->why : "the log says why");
		return;
	}
	if (s->current != p)
		return;
	s->current = NULL;
	set_text(&s->why, p->served ? NULL : p->why);
	if (is_wanted(s))
		start_again(s, p);
}

static void take_ready(struct service *s, struct process *p)
{
	if (s->candidate == p)
		reload_prepared(s);
	if (s->current != p)
		return;
	set_text(&s->why, NULL);
	s->failures = 0;
	self.changed();
}

static void take_loss(struct service *s, const struct process *p)
{
	if (s->current != p)
		return;
	free(s->last);
	s->last = mem_printf(p->hung == 1 ? "%d process of it gave no sign of "
					    "life and was killed"
					  : "%d processes of it gave no sign "
					    "of life and were killed",
			     p->hung);
}

static void on_told(struct process *p, enum process_event e)
{
	if (e == ENDED)
		take_end(p->service, p);
	else if (e == SAID_READY)
		take_ready(p->service, p);
	else if (e == LOST_ONE)
		take_loss(p->service, p);
	else if (e == SAID_WHY && p->service->current == p)
		set_text(&p->service->why, p->why);
}

/* Tells E to each process of STAGE; gives how many there are. */
static int tell_stage(int stage, enum process_event e)
{
	int n = 0;

	for (struct process *p = process_first(); p; p = p->next)
		if ((int)p->service->row->stage == stage) {
			if (e != PROCESS_EVENTS)
				process_event(p, e);
			n++;
		}
	return n;
}

static int count_stage(int stage)
{
	return tell_stage(stage, PROCESS_EVENTS);
}

static void on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	int killed = 0;

	(void)fd;
	(void)what;
	(void)arg;
	for (struct process *p = process_first(); p; p = p->next)
		if ((int)p->service->row->stage == self.stopping_stage) {
			kill(-p->pid, SIGKILL);
			killed++;
		}
	if (killed > 0)
		log_warn("a service did not end in time and was killed");
}

/* Goes down to the first stage in which something lives. */
static void stop_next_stage(void)
{
	struct timeval t = ms_to_timeval(STOP_MS);

	if (count_stage(self.stopping_stage) > 0)
		return;
	while (self.stopping_stage > 0) {
		if (tell_stage(--self.stopping_stage, STOPPED) > 0) {
			evtimer_add(self.stop_timer, &t);
			return;
		}
	}
}

static void on_ends(void)
{
	if (self.stopping_stage >= 0)
		stop_next_stage();
	self.changed();
}

void run_begin(struct event_base *base, void (*changed)(void))
{
	self.base = base;
	self.changed = changed;
	self.service = mem_array(service_count, sizeof(*self.service));
	for (size_t i = 0; i < service_count; i++) {
		self.service[i].row = &service_rows[i];
		self.service[i].restart =
			evtimer_new(base, on_restart, &self.service[i]);
	}
	process_begin(base, on_told, on_ends);
}

void run_start(struct set *set)
{
	self.set = set;
	for (int stage = STAGE_HELPERS; stage <= STAGE_DOORS; stage++)
		for (size_t i = 0; i < service_count; i++)
			if ((int)service_rows[i].stage == stage &&
			    set->row[i].wanted)
				run_start_service(&self.service[i]);
}

void run_stop(void)
{
	if (self.stopping_stage >= 0)
		return;
	self.stop_timer = evtimer_new(self.base, on_stop_timer, NULL);
	self.stopping_stage = STAGE_DOORS + 1;
	stop_next_stage();
}

bool run_stopping(void)
{
	return self.stopping_stage >= 0;
}

static bool is_missing(const struct service *s)
{
	return run_row(s)->wanted && !run_serves(s);
}

bool run_all_ready(void)
{
	for (size_t i = 0; i < service_count; i++)
		if (is_missing(&self.service[i]))
			return false;
	return true;
}

bool run_all_tried(void)
{
	for (size_t i = 0; i < service_count; i++)
		if (is_missing(&self.service[i]) &&
		    self.service[i].failures < FAILURES_MANY)
			return false;
	return true;
}

void run_not_ready(struct buf *out)
{
	for (size_t i = 0; i < service_count; i++) {
		const struct service *s = &self.service[i];

		if (is_missing(s))
			buf_printf(out, "the service %s is not ready: %s\n",
				   s->row->name,
				   s->why ? s->why : "the log says why");
	}
}

bool run_all_gone(void)
{
	return self.stopping_stage == 0 && !process_first();
}

/* Former instances that finish their connections. */
static int count_former(const struct service *s)
{
	int n = 0;

	for (const struct process *p = process_first(); p; p = p->next)
		n += p->service == s && p != s->current && p != s->candidate;
	return n;
}

static void put_status(struct buf *out, const struct service *s)
{
	static const char *const states[PROCESS_STATES] = {
		[STARTING] = "starting",
		[SERVING] = "ready",
		[LEAVING] = "stopping",
		[HUNG] = "hung",
	};
	const struct process *p = s->current;
	int64_t ms = p ? clock_ms() - p->since_ms : 0;
	const char *why = s->why ? s->why : s->last ? s->last : "";

	buf_printf(out, "%s %ld %s %d %lld %d %s\n", s->row->name,
		   p ? (long)p->pid : 0L, p ? states[p->state] : "down",
		   s->restarts, (long long)ms / 1000, count_former(s), why);
}

void run_status(struct buf *out)
{
	for (size_t i = 0; i < service_count; i++)
		if (run_row(&self.service[i])->wanted)
			put_status(out, &self.service[i]);
}
