/*
 * A fetcher is forked with one socket to the pool: a task is a packet with
 * the domain and the id of the policy that is known, its finding a packet
 * back. The pool is part of the event loop and never waits. A fetcher whose
 * socket fails is ended; where none can be made a task gets the finding that
 * there is none.
 */
#include "remote-send/tls-policy-pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "server/child.h"
#include "server/watch.h"
#include "service/loop.h"

#define SEND_MS 1000
#define FOREVER_MS (24 * 3600 * 1000)

static const char *const words[] = { [STS_NONE] = "none",
				     [STS_SAME] = "same",
				     [STS_NEW] = "new",
				     [STS_FAILED] = "failed" };
static const char *const modes[] = { "none", "testing", "enforce" };

struct task {
	STAILQ_ENTRY(task) next;
	char *domain;
	char *known;
	void *context;
};

struct fetcher {
	struct pool *pool;
	pid_t pid; /* 0: not running */
	int sock;
	struct event *readable;
	struct task *task; /* NULL: idle */
};

struct pool {
	struct event_base *base;
	const struct service *service;
	struct watched *watched;
	struct sts_settings set;
	void (*found)(void *context, const struct sts_finding *f);
	struct fetcher fetcher[FETCHERS_MAX];
	STAILQ_HEAD(, task) waiting;
	struct ipc_out out;
	struct ipc_in in;
};

static void task_free(struct task *t)
{
	free(t->domain);
	free(t->known);
	free(t);
}

/* In the fetcher. */

static void send_finding(int sock, struct ipc_out *m,
			 const struct sts_finding *f)
{
	ipc_begin(m, "found");
	ipc_put(m, "result", words[f->result]);
	ipc_put(m, "id", f->id);
	ipc_put(m, "mode", modes[f->policy.mode]);
	ipc_put_int(m, "max_age", f->policy.max_age);
	ipc_put(m, "why", f->why);
	for (size_t i = 0; i < f->policy.mx.n; i++)
		ipc_put(m, "mx", f->policy.mx.item[i]);
	if (ipc_send(sock, m, SEND_MS))
		_exit(EX_TEMPFAIL);
}

static void fetcher_main(const struct pool *p, int sock, struct watched *me)
{
	struct ipc_in in = { .verb = "" };
	struct ipc_out out = { .ready = false };

	/* the parent closes the socket when it ends; this is for its death */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	watch_me(me, true);
	while (ipc_recv(sock, &in, FOREVER_MS) == ERR_OK) {
		struct sts_finding f;

		sts_find(&p->set, ipc_text(&in, "domain"),
			 ipc_text(&in, "known"), &f);
		send_finding(sock, &out, &f);
		strlist_free(&f.policy.mx);
	}
	_exit(EX_OK);
}

/* In the parent. */

static void hand_out(struct pool *p);

static void fetcher_end(struct fetcher *w)
{
	event_free(w->readable);
	close(w->sock);
	child_end(w->pid);
	w->pid = 0;
}

static int word_index(const char *const *list, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return i;
	return -1;
}

static bool read_finding(const struct ipc_in *m, struct sts_finding *f)
{
	int result = word_index(words, 4, ipc_text(m, "result"));
	int mode = word_index(modes, 3, ipc_text(m, "mode"));

	*f = (struct sts_finding){ .result = STS_FAILED };
	if (!ipc_is(m, "found") || result < 0 || mode < 0 ||
	    !ipc_int(m, "max_age", 0, STS_AGE_MAX, &f->policy.max_age) ||
	    !str_copy(f->id, sizeof(f->id), ipc_text(m, "id")) ||
	    !str_copy(f->why, sizeof(f->why), ipc_text(m, "why")))
		return false;
	f->result = (enum sts_result)result;
	f->policy.mode = (enum policy_mode)mode;
	for (size_t i = 0; i < m->nattrs; i++)
		if (strcmp(m->attr[i].name, "mx") == 0)
			strlist_add(&f->policy.mx, m->attr[i].value);
	return true;
}

static void on_found(int fd, short what, void *arg)
{
	struct fetcher *w = arg;
	struct pool *p = w->pool;
	struct task *t = w->task;
	struct sts_finding f;
	int err = ipc_recv(fd, &p->in, 0);

	(void)what;
	if (err == ERR_BUSY)
		return;
	if (err || !read_finding(&p->in, &f)) {
		log_warn("a fetcher of TLS policies died");
		f = (struct sts_finding){ .result = STS_FAILED,
					  .why = "the fetcher died" };
		fetcher_end(w);
	}
	w->task = NULL;
	if (t) {
		p->found(t->context, &f);
		task_free(t);
	}
	strlist_free(&f.policy.mx);
	hand_out(p);
}

static bool fetcher_start(struct pool *p, struct fetcher *w)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("cannot make a socket for a fetcher: %m");
		return false;
	}
	watch_prepare(&p->watched[w - p->fetcher]);
	w->pid = fork();
	if (w->pid == 0) {
		close(pair[0]);
		fetcher_main(p, pair[1], &p->watched[w - p->fetcher]);
	}
	close(pair[1]);
	if (w->pid < 0) {
		log_error("cannot start a fetcher: %m");
		w->pid = 0;
		close(pair[0]);
		return false;
	}
	w->pool = p;
	w->sock = pair[0];
	w->readable =
		event_new(p->base, w->sock, EV_READ | EV_PERSIST, on_found, w);
	event_add(w->readable, NULL);
	return true;
}

/* An idle fetcher, made if need be, or NULL. */
static struct fetcher *idle_fetcher(struct pool *p)
{
	for (int i = 0; i < FETCHERS_MAX; i++)
		if (p->fetcher[i].pid && !p->fetcher[i].task)
			return &p->fetcher[i];
	for (int i = 0; i < FETCHERS_MAX; i++)
		if (!p->fetcher[i].pid)
			return fetcher_start(p, &p->fetcher[i]) ? &p->fetcher[i]
								: NULL;
	return NULL;
}

static bool any_running(const struct pool *p)
{
	for (int i = 0; i < FETCHERS_MAX; i++)
		if (p->fetcher[i].pid)
			return true;
	return false;
}

static void give_up(struct pool *p, struct task *t)
{
	static const struct sts_finding none = { .result = STS_FAILED,
						 .why = "no fetcher" };

	STAILQ_REMOVE_HEAD(&p->waiting, next);
	p->found(t->context, &none);
	task_free(t);
}

static void hand_out(struct pool *p)
{
	struct task *t;

	while ((t = STAILQ_FIRST(&p->waiting))) {
		struct fetcher *w = idle_fetcher(p);

		if (!w && any_running(p))
			return;
		if (!w) {
			give_up(p, t);
			continue;
		}
		ipc_begin(&p->out, "find");
		ipc_put(&p->out, "domain", t->domain);
		ipc_put(&p->out, "known", t->known);
		if (ipc_send(w->sock, &p->out, 0)) {
			fetcher_end(w);
			continue;
		}
		STAILQ_REMOVE_HEAD(&p->waiting, next);
		w->task = t;
	}
}

static void look(void *context)
{
	struct pool *p = context;

	watch_round();
	for (int i = 0; i < FETCHERS_MAX; i++)
		if (p->fetcher[i].pid &&
		    watch_look(&p->watched[i], p->fetcher[i].pid, "fetcher"))
			link_hung(&p->service->link);
}

struct pool *pool_new(struct event_base *base, const struct sts_settings *set,
		      const struct service *service,
		      void (*found)(void *context, const struct sts_finding *f))
{
	struct pool *p = mem_alloc(sizeof(*p));

	p->base = base;
	p->service = service;
	watch_begin(service_patience_ms(service->config));
	p->watched = watch_share(FETCHERS_MAX);
	if (!p->watched)
		log_die(EX_OSERR, "cannot prepare for fetchers: %m");
	loop_every(base, watch_turn_ms(), look, p);
	p->set = *set;
	p->found = found;
	STAILQ_INIT(&p->waiting);
	return p;
}

void pool_add(struct pool *p, const char *domain, const char *known,
	      void *context)
{
	struct task *t = mem_alloc(sizeof(*t));

	t->domain = mem_strdup(domain);
	t->known = mem_strdup(known);
	t->context = context;
	STAILQ_INSERT_TAIL(&p->waiting, t, next);
	hand_out(p);
}

void pool_end(struct pool *p)
{
	for (int i = 0; i < FETCHERS_MAX; i++)
		if (p->fetcher[i].pid)
			fetcher_end(&p->fetcher[i]);
}
