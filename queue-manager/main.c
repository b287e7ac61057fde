/* qmgr: owns the queue. See qmgr.h for its parts. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "log/log.h"
#include "queue-manager/active.h"
#include "queue-manager/clocks.h"
#include "queue-manager/control.h"
#include "queue-manager/courier.h"
#include "queue-manager/dest.h"
#include "queue-manager/errand.h"
#include "queue-manager/intake.h"
#include "queue-manager/notice.h"
#include "queue-manager/pool.h"
#include "queue-manager/ready.h"
#include "queue-manager/qmgr.h"
#include "server/child.h"
#include "server/watch.h"
#include "service/loop.h"

#define DESCRIPTORS_PER_MESSAGE 3
#define STOP_S 15 /* for deliveries in progress; master waits a little longer */

/* One queue manager per queue. The lock ends with the process, and the helpers
 * do not inherit it. */
static void lock_queue(void)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("queue/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		log_die(EX_OSERR, "cannot open queue/lock: %m");
	if (fcntl(fd, F_SETLK, &whole) < 0)
		log_die(EX_TEMPFAIL, "another qmgr has the queue: %m");
}

static void enter_queue(struct qmgr *q)
{
	const char *dir = config_string(q->service->config, "queue_directory");

	if (chdir(dir) < 0)
		log_die(EX_OSERR, "cannot enter queue_directory %s: %m", dir);
	lock_queue();
}

/* As many descriptors as allowed; they limit the number of messages. */
static void claim_descriptors(struct qmgr *q)
{
	struct rlimit r;
	int64_t room;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	getrlimit(RLIMIT_NOFILE, &r);
	room = ((int64_t)r.rlim_cur - 1000) / DESCRIPTORS_PER_MESSAGE;
	if (room < 50)
		room = 50;
	if (q->settings.active_limit > room)
		q->settings.active_limit = room;
}

static void begin_stop(void *context)
{
	struct qmgr *q = context;

	q->stopping = true;
	q->stop_at = q->tick + STOP_S;
}

/* Takes the configuration that master has accepted. */
static void reload(void *context)
{
	struct qmgr *q = context;
	struct service *s = q->service;
	struct config *c = service_fresh_config(s);

	if (!c)
		return;
	settings_read(&q->settings, c);
	claim_descriptors(q);
	config_free(&s->config);
	s->config = c;
	q->reloaded = true;
	log_info("configuration read again");
}

/* The helpers have copies of the configuration and the log: they are restarted
 * once they are idle. */
static void renew_helpers(struct qmgr *q)
{
	if (q->nbouncing || q->making || q->scanning)
		return;
	q->reloaded = false;
	helper_stop(&q->bouncer);
	helper_start(&q->bouncer);
	helper_stop(&q->keeper);
	helper_start(&q->keeper);
	pool_look_again(q);
}

static void look_at_helpers(struct qmgr *q)
{
	watch_round();
	helper_look(&q->keeper);
	helper_look(&q->bouncer);
	child_reap();
}

static void on_tick(evutil_socket_t sock, short what, void *arg)
{
	struct qmgr *q = arg;

	(void)sock, (void)what;
	clocks_read(q);
	pool_tick(q);
	active_tick(q);
	dest_tick(q);
	courier_tick(q);
	look_at_helpers(q);
	if (q->reloaded)
		renew_helpers(q);
}

/* The loop goes on by itself: it has been woken. */
static void on_more(evutil_socket_t sock, short what, void *arg)
{
	(void)sock, (void)what, (void)arg;
}

static void add_events(struct qmgr *q)
{
	static const struct timeval second = { 1, 0 };
	struct event *tick = event_new(q->base, -1, EV_PERSIST, on_tick, q);

	event_add(tick, &second);
	q->more = evtimer_new(q->base, on_more, q);
	loop_signals(q->base, begin_stop, reload, q);
}

static void listen_all(struct qmgr *q)
{
	const struct prefork_listener *admins =
		service_listener(q->service, "public/qmgr");

	intake_start(q);
	if (admins)
		control_start(q, admins);
}

static void prepare(struct qmgr *q)
{
	clocks_read(q);
	q->base = loop_new(q->service);
	q->destinations = map_new();
	q->scratch = arena_new();
	TAILQ_INIT(&q->hungry);
	TAILQ_INIT(&q->unsure);
	TAILQ_INIT(&q->dirty);
	TAILQ_INIT(&q->settling);
	TAILQ_INIT(&q->unwritten);
	TAILQ_INIT(&q->idle);
	TAILQ_INIT(&q->to_bounce);
	for (int t = 0; t < TRANSPORTS; t++)
		TAILQ_INIT(&q->couriers[t]);
	ready_start(q);
	srandom((unsigned)map_hash(&q->now, sizeof(q->now)));
}

/* When asked to end, qmgr waits for answers to the jobs it handed out, so that
 * nothing is done twice, but not for long. */
static bool goes_on(const struct qmgr *q)
{
	bool busy = courier_jobs(q) > 0 || q->nbouncing > 0;

	return !q->stopping || (busy && q->tick < q->stop_at);
}

/* Once for each wake-up: first all input, then what follows from it. */
static void loop(struct qmgr *q)
{
	while (goes_on(q) && event_base_loop(q->base, EVLOOP_ONCE) >= 0) {
		clocks_read(q);
		active_run_due(q);
		active_settle(q);
		if (!q->stopping)
			courier_run(q);
		active_settle(q);
		errand_flush(q);
	}
}

/* Nothing needs to be saved: the next qmgr reads the waiting messages. */
static void stop(struct qmgr *q)
{
	active_tick(q);
	active_settle(q);
	errand_flush(q);
	helper_stop(&q->keeper);
	/* it may be waiting for an answer from us */
	if (q->nbouncing)
		kill(q->bouncer.pid, SIGKILL);
	helper_stop(&q->bouncer);
}

/* Where descriptors of the queue begin. */
static int first_free_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd;
}

int main(int argc, char **argv)
{
	struct service service;
	struct qmgr q = { .service = &service };

	service_start(&service, argc, argv, "qmgr");
	service_confine(&service, SANDBOX_OPEN | SANDBOX_FORK);
	settings_read(&q.settings, service.config);
	enter_queue(&q);
	claim_descriptors(&q);
	watch_begin(service_patience_ms(service.config));
	q.keeper.base_fd = q.bouncer.base_fd = first_free_descriptor();
	prepare(&q);
	pool_start(&q);
	notice_start(&q);
	add_events(&q);
	listen_all(&q);
	service_ready(&service);
	log_info("the queue is open and being scanned");
	loop(&q);
	stop(&q);
	return EX_OK;
}
