/*
 * A process is starting until it has written to its ready_fd, ready until it
 * ends (SIGCHLD). After a reload a service has two: the former one serves
 * until the new one is ready, and is then asked (SIGTERM) to finish what it
 * has; one that ends without being asked is started again. Each is the leader
 * of a process group, so that its children do not outlive it.
 */
#include "master/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "master/services.h"
#include "master/sockets.h"
#include "master/spawn.h"
#include "master/users.h"

#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 60000
#define STEADY_MS 1000	/* who served that long is in no crash loop */
#define STOP_MS 20000	/* for a stage to end before it is killed */
#define FAILURES_MANY 3 /* so often in a row is no accident */

enum state { STATE_DOWN, STATE_STARTING, STATE_READY };

/* One process group. A service has a current one, and, after a reload, older
 * ones that still finish their connections. */
struct process {
	struct process *next;
	struct service *service;
	pid_t pid;
	enum state state;
	int64_t since_ms;
	struct spawn_links links;
	struct event *ready;
	bool retired;
};

struct service {
	const struct service_row *row;
	struct process *current;
	struct event *restart;
	struct spawn set; /* what its process gets */
	char *why;    /* what it said when it ended before it served, or NULL */
	int failures; /* how often it did, in a row */
	int restarts;
	int delay_ms;
	bool wanted;
};

static struct {
	struct event_base *base;
	void (*changed)(void);
	struct service *service;
	struct process *processes;
	struct event *stop_timer;
	int stopping_stage; /* -1 unless stopping */
} self = { .stopping_stage = -1 };

static void start(struct service *s);

static struct timeval ms_to_timeval(int64_t ms)
{
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

/* Does a former instance serve, until a new one is ready? */
static bool serves_already(const struct service *s)
{
	for (const struct process *p = self.processes; p; p = p->next)
		if (p->service == s && p->state == STATE_READY && !p->retired)
			return true;
	return false;
}

static void forget_ready(struct process *p)
{
	if (!p->ready)
		return;
	event_free(p->ready);
	p->ready = NULL;
	close(p->links.ready);
}

/* The new instance serves: the ones before it may finish and go. */
static void retire_older(struct service *s)
{
	for (struct process *p = self.processes; p; p = p->next)
		if (p->service == s && p != s->current && !p->retired) {
			p->retired = true;
			kill(p->pid, SIGTERM);
		}
}

static void set_why(struct service *s, const char *text)
{
	free(s->why);
	s->why = text && *text ? mem_strdup(text) : NULL;
}

/* It serves, or says its last words; or it ended without any. */
static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;
	struct service *s = p->service;
	char text[1024];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	(void)what;
	forget_ready(p);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, "ready") != 0) {
		set_why(s, text);
		return; /* SIGCHLD says the rest */
	}
	p->state = STATE_READY;
	set_why(s, NULL);
	s->failures = 0;
	if (s->current == p)
		retire_older(s);
	self.changed();
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

static struct process *add_process(struct service *s, pid_t pid,
				   const struct spawn_links *links)
{
	struct process *p = mem_alloc(sizeof(*p));

	p->service = s;
	p->pid = pid;
	p->state = STATE_STARTING;
	p->since_ms = clock_ms();
	p->links = *links;
	p->ready = event_new(self.base, links->ready, EV_READ, on_ready, p);
	event_add(p->ready, NULL);
	p->next = self.processes;
	self.processes = p;
	return p;
}

static void start(struct service *s)
{
	struct spawn_links links;
	pid_t pid = spawn(&s->set, serves_already(s), &links);

	if (pid < 0) {
		log_error("cannot start %s: %m", s->row->name);
		later(s);
		return;
	}
	s->current = add_process(s, pid, &links);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;

	(void)fd;
	(void)what;
	if (s->wanted && !s->current && self.stopping_stage < 0)
		start(s);
}

static void say_end(const struct service *s, int status)
{
	const char *name = s->row->name;

	if (WIFSIGNALED(status))
		log_error("%s was ended by signal %d%s", name, WTERMSIG(status),
			  WCOREDUMP(status) ? ", core "
					      "dumped"
					    : "");
	else
		log_error("%s ended with status %d", name, WEXITSTATUS(status));
}

/* Children of a service that died are of no use: their parent watched them. */
static void end_group(pid_t pid)
{
	kill(-pid, SIGTERM);
}

static void remove_process(struct process *p, int status)
{
	struct service *s = p->service;
	struct process **at = &self.processes;
	bool expected = p->retired || self.stopping_stage >= 0 || !s->wanted;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	end_group(p->pid);
	forget_ready(p);
	if (p->links.log >= 0)
		close(p->links.log);
	if (s->current == p) {
		s->current = NULL;
		if (p->state == STATE_READY &&
		    clock_ms() - p->since_ms > STEADY_MS)
			s->delay_ms = 0;
		s->failures += p->state != STATE_READY;
		if (!expected) {
			say_end(s, status);
			s->restarts++;
			later(s);
		}
	}
	free(p);
}

static void stop_next_stage(void);

static void on_child(evutil_socket_t fd, short what, void *arg)
{
	int status;
	pid_t pid;

	(void)fd;
	(void)what;
	(void)arg;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (struct process *p = self.processes; p; p = p->next)
			if (p->pid == pid) {
				remove_process(p, status);
				break;
			}
	if (self.stopping_stage >= 0)
		stop_next_stage();
	self.changed();
}

void run_begin(struct event_base *base, const char *config_path,
	       void (*changed)(void))
{
	struct event *child = evsignal_new(base, SIGCHLD, on_child, NULL);

	self.base = base;
	self.changed = changed;
	self.service = mem_array(service_count, sizeof(*self.service));
	for (size_t i = 0; i < service_count; i++) {
		self.service[i].row = &service_rows[i];
		self.service[i].set =
			(struct spawn){ .name = service_rows[i].program,
					.config_path = config_path,
					.in_place = service_rows[i].flags &
						    FLAG_IN_PLACE };
		self.service[i].restart =
			evtimer_new(base, on_restart, &self.service[i]);
	}
	event_add(child, NULL);
}

static void replace(char **text, char *by)
{
	free(*text);
	*text = by;
}

static char *peers_text(const struct config *c, unsigned peers,
			struct buf *faults)
{
	struct buf text;
	uid_t uid;
	gid_t gid;

	buf_init(&text, 1000);
	for (unsigned user = USER_NET; user <= USER_TLS; user <<= 1)
		if (peers & user &&
		    users_find(c, (enum user)user, &uid, &gid, faults))
			buf_printf(&text, "%ld ", (long)uid);
	return buf_steal(&text);
}

static bool is_enabled(const struct service_row *row, const struct config *c)
{
	if (strlist_has_ci(config_list(c, "disabled_services"), row->name))
		return false;
	return !(row->flags & FLAG_NEEDS_TLS) ||
	       *config_string(c, "smtpd_tls_cert_file");
}

/* Fills in what the service's process gets. */
static void prepare(struct service *s, const struct config *c,
		    struct buf *faults)
{
	const struct service_row *row = s->row;
	struct buf listen;
	uid_t uid = 0;
	gid_t gid = 0;

	buf_init(&listen, 4096);
	if (is_enabled(row, c))
		sockets_open(c, row, &listen, faults);
	s->wanted = listen.len > 0;
	replace(&s->set.listen, buf_steal(&listen));
	users_find(c, row->user, &uid, &gid, faults);
	replace(&s->set.user, mem_printf("%ld:%ld", (long)uid, (long)gid));
	replace(&s->set.peers, peers_text(c, row->peers, faults));
	replace(&s->set.program,
		mem_printf("%s/%s", config_string(c, "daemon_directory"),
			   row->program));
	replace(&s->set.root,
		row->flags & FLAG_CHROOT
			? mem_printf("%s/private",
				     config_string(c, "run_directory"))
			: mem_strdup(""));
}

static void start_or_reload(struct service *s)
{
	if (!s->wanted) {
		s->current = NULL;
		retire_older(s);
	} else if (s->current && s->row->flags & FLAG_IN_PLACE) {
		spawn_reload(s->current->pid, &s->current->links);
	} else {
		event_del(s->restart);
		s->delay_ms = 0;
		start(s);
	}
}

bool run_apply(const struct config *c, struct buf *faults)
{
	size_t before = faults->len;

	sockets_begin();
	for (size_t i = 0; i < service_count; i++)
		prepare(&self.service[i], c, faults);
	if (faults->len > before)
		return false;
	sockets_sweep();
	for (int stage = STAGE_HELPERS; stage <= STAGE_DOORS; stage++)
		for (size_t i = 0; i < service_count; i++)
			if ((int)service_rows[i].stage == stage)
				start_or_reload(&self.service[i]);
	return true;
}

/* SIGTERM would let sessions take their time, as a reload wants it; SIGINT
 * bounds that. */
static int signal_stage(int stage, int sig)
{
	int n = 0;

	for (struct process *p = self.processes; p; p = p->next)
		if ((int)p->service->row->stage == stage) {
			kill(sig == SIGKILL ? -p->pid : p->pid, sig);
			n++;
		}
	return n;
}

static int count_stage(int stage)
{
	return signal_stage(stage, 0);
}

static void on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (signal_stage(self.stopping_stage, SIGKILL) > 0)
		log_warn("a service did not end in time and was killed");
}

/* Goes down to the first stage in which something lives. */
static void stop_next_stage(void)
{
	struct timeval t = ms_to_timeval(STOP_MS);

	if (count_stage(self.stopping_stage) > 0)
		return;
	while (self.stopping_stage > 0) {
		if (signal_stage(--self.stopping_stage, SIGINT) > 0) {
			evtimer_add(self.stop_timer, &t);
			return;
		}
	}
}

void run_stop(void)
{
	if (self.stopping_stage >= 0)
		return;
	self.stop_timer = evtimer_new(self.base, on_stop_timer, NULL);
	self.stopping_stage = STAGE_DOORS + 1;
	stop_next_stage();
}

static bool is_missing(const struct service *s)
{
	return s->wanted && (!s->current || s->current->state != STATE_READY);
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
	return self.stopping_stage == 0 && !self.processes;
}

/* Former instances that finish their connections. */
static int count_former(const struct service *s)
{
	int n = 0;

	for (const struct process *p = self.processes; p; p = p->next)
		n += p->service == s && p != s->current;
	return n;
}

void run_status(struct buf *out)
{
	static const char *const states[] = { "down", "starting", "ready" };

	for (size_t i = 0; i < service_count; i++) {
		const struct service *s = &self.service[i];
		const struct process *p = s->current;

		if (!s->wanted)
			continue;
		buf_printf(out, "%s %ld %s %d %lld %d %s\n", s->row->name,
			   p ? (long)p->pid : 0L,
			   states[p ? p->state : STATE_DOWN], s->restarts,
			   p ? (long long)(clock_ms() - p->since_ms) / 1000
			     : 0LL,
			   count_former(s), s->why ? s->why : "");
	}
}
