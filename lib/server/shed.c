#include "server/shed.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heartbeat.h"
#include "base/mem.h"
#include "log/log.h"

#define FIRST_MS 1000 /* during which no client is dropped */
#define PART_MAX 50   /* dropped at a time, at most */
#define SLOW_MS 500   /* not waited for if not gone by then */

static struct {
	struct board_place *me;
	int stop;
	int signals;
	int both; /* these two */
	int part; /* the parent's: how many are dropped this time */
} self = { .stop = -1, .signals = -1, .both = -1 };

/* In a child */

static void watch(int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	if (epoll_ctl(self.both, EPOLL_CTL_ADD, fd, &e) < 0)
		log_die(EX_OSERR, "cannot watch for the parent: %m");
}

void shed_begin(struct board_place *me, int stop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	self.me = me;
	self.stop = stop;
	self.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	self.both = epoll_create1(EPOLL_CLOEXEC);
	if (self.signals < 0 || self.both < 0)
		log_die(EX_OSERR, "cannot prepare for the parent: %m");
	watch(self.signals);
	watch(stop);
}

int shed_fd(void)
{
	return self.both;
}

void shed_rest(int64_t since_ms)
{
	int64_t work = 0;

	if (self.me)
		atomic_compare_exchange_strong(&self.me->rest_ms, &work,
					       since_ms);
}

bool shed_work(void)
{
	int64_t since;

	if (!self.me)
		return true;
	since = atomic_load(&self.me->rest_ms);
	return since >= 0 &&
	       atomic_compare_exchange_strong(&self.me->rest_ms, &since, 0);
}

bool shed_is_due(void)
{
	return self.me && atomic_load(&self.me->rest_ms) < 0;
}

/* Takes the signal, which may be late, so that it does not hit the next
 * client. */
static void take_signal(void)
{
	struct signalfd_siginfo info;
	struct pollfd p[2] = { { .fd = self.signals, .events = POLLIN },
			       { .fd = self.stop, .events = POLLIN } };

	while (read(self.signals, &info, sizeof(info)) < 0 && !p[1].revents)
		poll(p, 2, heartbeat_turn(-1));
}

void shed_end(void)
{
	if (self.me && atomic_exchange(&self.me->rest_ms, 0) < 0)
		take_signal();
}

/* In the parent */

struct candidate {
	uint64_t client;
	int64_t rest_ms;
	int place;
	int rank; /* how many its client has left once it is dropped */
};

static int order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_client(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->client != b->client)
		return a->client < b->client ? -1 : 1;
	return -order(a->rest_ms, b->rest_ms);
}

static int by_rank(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	return a->rank != b->rank ? order(b->rank, a->rank)
				  : order(a->rest_ms, b->rest_ms);
}

/* Collects those that are at rest; *DROPPED is how many end just now. */
static int collect(int max, struct candidate *c, int *dropped)
{
	int64_t slow_ms = clock_ms() - SLOW_MS;
	int n = 0;

	*dropped = 0;
	for (int i = 0; i < max; i++) {
		struct board_place *p = board_place(i);
		int64_t rest = atomic_load(&p->rest_ms);

		*dropped += rest < -slow_ms;
		if (rest > 0)
			c[n++] = (struct candidate){
				.client = atomic_load(&p->client),
				.rest_ms = rest,
				.place = i,
			};
	}
	return n;
}

/* The oldest connection of a client comes first, the others after it. */
static void rank(struct candidate *c, int n)
{
	qsort(c, (size_t)n, sizeof(*c), by_client);
	for (int i = 0; i < n; i++)
		c[i].rank = i > 0 && c[i - 1].client == c[i].client
				    ? c[i - 1].rank + 1
				    : 0;
	qsort(c, (size_t)n, sizeof(*c), by_rank);
}

static bool drop(const struct candidate *c)
{
	struct board_place *p = board_place(c->place);
	int64_t rest = c->rest_ms;

	return board_pid(p) > 0 &&
	       atomic_compare_exchange_strong(&p->rest_ms, &rest,
					      -clock_ms()) &&
	       kill(board_pid(p), SIGUSR1) == 0;
}

void shed_some(int max, bool again)
{
	int64_t before_ms = clock_ms() - FIRST_MS;
	int most = max / 20 + 1 < PART_MAX ? max / 20 + 1 : PART_MAX;
	struct candidate *c = mem_array((size_t)max, sizeof(*c));
	int dropped, n = collect(max, c, &dropped);

	self.part = again ? self.part * 2 : 1;
	self.part = self.part < most ? self.part : most;
	rank(c, n);
	/* if the first ones are too young now, they will not be soon */
	for (int i = 0; i < n && dropped < self.part; i++) {
		if (c[i].rest_ms > before_ms)
			break;
		dropped += drop(&c[i]);
	}
	free(c);
}
