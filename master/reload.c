#include "master/reload.h"

#include <stdlib.h>

#include "log/log.h"
#include "server/link.h"

#define LIMIT_S 40 /* for all candidates to be ready */

static struct {
	struct set *next; /* NULL: none is under way */
	struct event *limit;
	reload_done *done;
	void *context;
	int waiting; /* candidates that are not ready yet */
} self;

bool reload_going_on(void)
{
	return self.next != NULL;
}

static bool is_in_place(const struct service *s)
{
	return s->row->flags & FLAG_IN_PLACE;
}

/* A service that does not serve now has nothing to lose: it is just started
 * again, and does not prevent the reload. */
static bool needs_candidate(const struct service *s, size_t i)
{
	if (!self.next->row[i].wanted || (is_in_place(s) && s->current))
		return false;
	return run_serves(s) || !run_row(s)->wanted;
}

static void finish(bool good, const char *faults)
{
	event_free(self.limit);
	self.limit = NULL;
	self.done(good, faults, self.context);
}

/* A process that cannot be told is ended, and restarted with the new set. */
static void renew_in_place(struct service *s)
{
	if (link_reload(s->current->links.link, self.next->config_fd))
		return;
	log_error("%s cannot be told of the new configuration: it starts "
		  "afresh",
		  s->row->name);
	run_retire(s);
	run_start_service(s);
}

static void change_over(struct service *s)
{
	struct process *candidate = s->candidate;

	s->candidate = NULL;
	if (candidate) {
		run_retire(s);
		event_del(s->restart);
		s->delay_ms = 0;
		s->current = candidate;
		process_event(candidate, ACCEPTED);
	} else if (!run_row(s)->wanted) {
		run_retire(s);
	} else if (is_in_place(s) && s->current) {
		renew_in_place(s);
	} else {
		run_retire(s);
		s->delay_ms = 0;
		run_start_service(s);
	}
}

/* From here on nothing can fail. */
static void accept_next(void)
{
	struct set *former = run_put_set(self.next);

	log_info("reload: the services change over");
	for (size_t i = 0; i < service_count; i++)
		change_over(run_service(i));
	self.next = NULL;
	set_free(&former);
	finish(true, "");
}

static void refuse_next(const char *faults)
{
	for (size_t i = 0; i < service_count; i++) {
		struct service *s = run_service(i);
		struct process *candidate = s->candidate;

		s->candidate = NULL;
		if (candidate)
			process_event(candidate, REFUSED);
	}
	set_free(&self.next);
	finish(false, faults);
}

static void refuse_because_of(const struct service *s, const char *why)
{
	struct buf text;

	buf_init(&text, 4096);
	buf_printf(&text, "%s would not start: %s\n", s->row->name, why);
	refuse_next(text.data);
	buf_free(&text);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	for (size_t i = 0; i < service_count; i++) {
		const struct service *s = run_service(i);

		if (s->candidate && s->candidate->state != PREPARED) {
			refuse_because_of(s, "it is not ready in time");
			return;
		}
	}
}

/* False: it cannot be started, and the reload is refused. */
static bool start_candidate(struct service *s, size_t i)
{
	s->candidate = process_start(&self.next->row[i].spawn, run_serves(s),
				     true, s, s->row->name);
	self.waiting += s->candidate != NULL;
	if (!s->candidate)
		refuse_because_of(s, "the system gives no process");
	return s->candidate != NULL;
}

void reload_begin(struct event_base *base, struct set *next, reload_done *done,
		  void *context)
{
	static const struct timeval limit = { LIMIT_S, 0 };

	self.next = next;
	self.done = done;
	self.context = context;
	self.waiting = 0;
	self.limit = evtimer_new(base, on_limit, NULL);
	evtimer_add(self.limit, &limit);
	for (size_t i = 0; i < service_count; i++) {
		struct service *s = run_service(i);

		if (needs_candidate(s, i) && !start_candidate(s, i))
			return;
	}
	if (self.waiting == 0)
		accept_next();
}

void reload_prepared(struct service *s)
{
	(void)s;
	if (--self.waiting == 0)
		accept_next();
}

void reload_failed(struct service *s, const char *why)
{
	s->candidate = NULL;
	refuse_because_of(s, why);
}

void reload_give_up(void)
{
	if (self.next)
		refuse_next("the suite stops\n");
}
