/*
 * A candidate is started for a set of services that a reload would bring. It
 * does all that can fail, says that it is ready, and waits; when all are ready
 * they are let go at the same moment as their predecessors are asked to
 * finish, so that no two configurations serve at once. A refused candidate
 * exits without having served.
 *
 * Each process is the leader of a process group, so that its children do not
 * outlive it.
 */
#include "master/process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "server/link.h"

static struct {
	struct event_base *base;
	process_told *tell;
	void (*done)(void);
	struct process *first;
} self;

/* The actions of a step. */

static void nothing(struct process *p)
{
	(void)p;
}

static void serve(struct process *p)
{
	p->served = true;
}

static void let_go(struct process *p)
{
	serve(p);
	/* one that cannot be told is overdue soon */
	if (!link_go(p->links.link))
		log_error("%s cannot be told to begin", p->name);
}

static void forget(struct event **e, int *fd)
{
	if (*e)
		event_free(*e);
	if (*fd >= 0)
		close(*fd);
	*e = NULL;
	*fd = -1;
}

/* It notices, and exits without having served. */
static void hang_up(struct process *p)
{
	forget(&p->link, &p->links.link);
	kill(p->pid, SIGTERM);
	p->asked_ms = clock_ms();
}

/* It finishes what it has. */
static void retire(struct process *p)
{
	kill(p->pid, SIGTERM);
}

/* SIGTERM would let sessions take their time, as for a reload; SIGINT limits
 * it. */
static void stop(struct process *p)
{
	kill(p->pid, SIGINT);
}

/* Its stack comes over the link, if it can still do that. */
static void abort_it(struct process *p)
{
	kill(p->pid, SIGABRT);
}

static void kill_it(struct process *p)
{
	kill(-p->pid, SIGKILL);
}

/* The children of a service that died must end: nobody watches them now. */
static void end_group(struct process *p)
{
	kill(-p->pid, SIGTERM);
}

struct step {
	enum process_state next;
	void (*act)(struct process *p); /* NULL: the event means nothing */
};

/* clang-format off */
static const struct step steps[PROCESS_STATES][PROCESS_EVENTS] = {
[CANDIDATE] = {
	[SAID_READY] = { PREPARED,  nothing },
	[SAID_WHY]   = { CANDIDATE, nothing },
	[REFUSED]    = { LEAVING,   hang_up },
	[STOPPED]    = { LEAVING,   hang_up },
	[OVERDUE]    = { HUNG,      abort_it },
	[ENDED]      = { GONE,      end_group } },
[PREPARED] = {
	[ACCEPTED]   = { SERVING,   let_go },
	[REFUSED]    = { LEAVING,   hang_up },
	[STOPPED]    = { LEAVING,   hang_up },
	[OVERDUE]    = { HUNG,      abort_it },
	[ENDED]      = { GONE,      end_group } },
[STARTING] = {
	[SAID_READY] = { SERVING,   serve },
	[SAID_WHY]   = { STARTING,  nothing },
	[REPLACED]   = { LEAVING,   retire },
	[STOPPED]    = { LEAVING,   stop },
	[OVERDUE]    = { HUNG,      abort_it },
	[ENDED]      = { GONE,      end_group } },
[SERVING] = {
	[REPLACED]   = { LEAVING,   retire },
	[STOPPED]    = { LEAVING,   stop },
	[OVERDUE]    = { HUNG,      abort_it },
	[ENDED]      = { GONE,      end_group } },
[LEAVING] = {
	[SAID_READY] = { LEAVING,   nothing },
	[SAID_WHY]   = { LEAVING,   nothing },
	[STOPPED]    = { LEAVING,   stop },
	[OVERDUE]    = { HUNG,      abort_it },
	[ENDED]      = { GONE,      end_group } },
[HUNG] = {
	[SAID_READY] = { HUNG,      nothing },
	[SAID_WHY]   = { HUNG,      nothing },
	[STOPPED]    = { HUNG,      kill_it },
	[OVERDUE]    = { HUNG,      kill_it },
	[ENDED]      = { GONE,      kill_it } },
};
/* clang-format on */

static void take_out(struct process *p)
{
	struct process **at = &self.first;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	forget(&p->ready, &p->links.ready);
	forget(&p->link, &p->links.link);
	free(p->why);
	free(p);
}

void process_event(struct process *p, enum process_event e)
{
	const struct step *step = &steps[p->state][e];

	if (!step->act)
		return;
	p->state = step->next;
	step->act(p);
	self.tell(p, e);
	if (p->state == GONE)
		take_out(p);
}

void process_blame(struct process *p, char *text)
{
	free(p->why);
	p->why = text;
}

/* It serves, or sent its last words, or ended without any. */
static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;
	char text[1024];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	bool ready;

	(void)what;
	forget(&p->ready, &p->links.ready);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	ready = strcmp(text, "ready") == 0;
	if (ready && p->state != HUNG)
		p->asked_ms = 0;
	if (!ready && *text)
		process_blame(p, mem_strdup(text));
	process_event(p, ready ? SAID_READY : SAID_WHY);
}

/* An answer, its stack, or its end, which SIGCHLD also reports. */
static void on_link(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;
	struct link_heard heard;

	(void)what;
	if (!link_hear(fd, p->name, &heard))
		event_del(p->link);
	if (heard.alive && p->state != HUNG)
		p->asked_ms = 0;
	p->hung += heard.hung;
	if (heard.hung)
		self.tell(p, LOST_ONE);
	if (*heard.why && p->state != HUNG)
		process_blame(p, mem_strdup(heard.why));
	if (heard.gives_up && p->state != HUNG) {
		p->asked_ms = clock_ms();
		process_event(p, OVERDUE);
	}
}

static struct event *watch(int fd, event_callback_fn call, struct process *p)
{
	struct event *e =
		event_new(self.base, fd, EV_READ | EV_PERSIST, call, p);

	event_add(e, NULL);
	return e;
}

struct process *process_start(const struct spawn *set, bool again,
			      bool candidate, struct service *service,
			      const char *name)
{
	struct spawn_links links;
	pid_t pid = spawn(set, again, &links);
	struct process *p;

	if (pid < 0)
		return NULL;
	p = mem_alloc(sizeof(*p));
	p->service = service;
	p->name = name;
	p->pid = pid;
	p->state = candidate ? CANDIDATE : STARTING;
	p->since_ms = p->asked_ms = clock_ms();
	p->links = links;
	p->ready = watch(links.ready, on_ready, p);
	p->link = watch(links.link, on_link, p);
	p->next = self.first;
	self.first = p;
	if (!candidate)
		link_go(links.link);
	return p;
}

struct process *process_first(void)
{
	return self.first;
}

static void on_child(evutil_socket_t sig, short what, void *arg)
{
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	(void)arg;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *p = self.first;

		while (p && p->pid != pid)
			p = p->next;
		if (!p)
			continue;
		/* its last words may still be unread */
		if (p->ready)
			on_ready(p->links.ready, EV_READ, p);
		if (p->link)
			on_link(p->links.link, EV_READ, p);
		p->status = status;
		process_event(p, ENDED);
	}
	self.done();
}

void process_begin(struct event_base *base, process_told *tell,
		   void (*done)(void))
{
	self.base = base;
	self.tell = tell;
	self.done = done;
	event_add(evsignal_new(base, SIGCHLD, on_child, NULL), NULL);
}
