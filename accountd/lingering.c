#include "accountd/lingering.h"

#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"

#define FREE_S 30      /* so long one waits for its user */
#define FREE_MAX 32    /* that wait, at most */
#define KNOWN_MAX 1000 /* with those that serve; others end as they used to */

struct lingering {
	TAILQ_ENTRY(lingering) link; /* in free, if it is */
	bool free;
	int sock;	 /* or -1 */
	char *who;	 /* the program, the user as he is, the client */
	int64_t born_ms; /* when its first session began */
	struct event input;
};

static struct {
	struct event_base *base;
	int64_t max_ms;
	int free_max;
	int known;
	int nfree;
	TAILQ_HEAD(lingering_list, lingering) free; /* the latest first */
	struct ipc_in in;
} self = { .free = TAILQ_HEAD_INITIALIZER(self.free) };

void lingering_begin(struct event_base *base, int64_t max_ms, int64_t limit)
{
	self.base = base;
	self.free_max = limit / 4 < FREE_MAX ? (int)(limit / 4) : FREE_MAX;
	self.max_ms = self.free_max > 0 ? max_ms : 0;
}

/* A process counts as a session of its user's from its client's address while
 * it lingers, and so may be one again without being counted. */
static char *who(const struct handover_facts *f)
{
	const struct account *a = f->account;

	/* none of these has a line end */
	return mem_printf("%s\n%s\n%lld\n%lld\n%s\n%s\n%s", f->session,
			  a->user, (long long)a->uid, (long long)a->gid,
			  a->home, a->maildir, f->client);
}

static void leave_list(struct lingering *l)
{
	if (!l->free)
		return;
	l->free = false;
	TAILQ_REMOVE(&self.free, l, link);
	self.nfree--;
}

void lingering_free(struct lingering *l)
{
	leave_list(l);
	if (l->sock >= 0) {
		event_del(&l->input);
		close(l->sock);
	}
	self.known--;
	free(l->who);
	free(l);
}

void lingering_drain(void)
{
	self.max_ms = 0;
	while (!TAILQ_EMPTY(&self.free))
		lingering_free(TAILQ_FIRST(&self.free));
}

struct lingering *lingering_new(const struct handover_facts *f)
{
	struct lingering *l;

	if (f->visitor || self.max_ms == 0 || self.known == KNOWN_MAX)
		return NULL;
	l = mem_alloc(sizeof(*l));
	l->sock = -1;
	l->who = who(f);
	l->born_ms = clock_ms();
	self.known++;
	return l;
}

static bool is_old(const struct lingering *l)
{
	return clock_ms() - l->born_ms >= self.max_ms;
}

/* Does L serve the same user by the same program, whatever else differs? */
static bool is_of_user(const struct lingering *l, const char *wanted)
{
	const char *user = strchr(wanted, '\n') + 1;

	return strncmp(l->who, wanted,
		       (size_t)(strchr(user, '\n') + 1 - wanted)) == 0;
}

/* Those of the user's that do not fit end, since they count among the sessions
 * that the user may have. */
static struct lingering *find(const char *wanted)
{
	struct lingering *l = TAILQ_FIRST(&self.free), *next;

	for (; l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (!is_old(l) && str_equal(l->who, wanted))
			return l;
		if (is_of_user(l, wanted))
			lingering_free(l);
	}
	return NULL;
}

struct lingering *lingering_take(const struct handover_facts *f)
{
	struct lingering *l;
	char *wanted;

	if (f->visitor || TAILQ_EMPTY(&self.free))
		return NULL;
	wanted = who(f);
	l = find(wanted);
	free(wanted);
	if (!l)
		return NULL;
	leave_list(l);
	event_del(&l->input);
	return l;
}

int lingering_socket(const struct lingering *l)
{
	return l->sock;
}

/* The one that has waited longest makes room. */
static void add_free(struct lingering *l)
{
	const struct timeval wait = { FREE_S, 0 };

	if (self.nfree == self.free_max)
		lingering_free(TAILQ_LAST(&self.free, lingering_list));
	l->free = true;
	TAILQ_INSERT_HEAD(&self.free, l, link);
	self.nfree++;
	event_add(&l->input, &wait);
}

/* The session is over, or so is the time to wait for another, or the process
 * has ended. */
static void on_input(evutil_socket_t sock, short what, void *arg)
{
	struct lingering *l = arg;
	bool says_free = what & EV_READ && !l->free && !is_old(l) &&
			 ipc_recv(sock, &self.in, 0) == ERR_OK &&
			 ipc_is(&self.in, "free");

	ipc_in_reset(&self.in);
	if (says_free)
		add_free(l);
	else
		lingering_free(l);
}

void lingering_keep(struct lingering *l, int sock)
{
	l->sock = sock;
	event_assign(&l->input, self.base, sock, EV_READ, on_input, l);
	event_add(&l->input, NULL);
}
