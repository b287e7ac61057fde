/*
 * Both ends of the pool of checkers. The parent of the checkers is forked
 * before accountd gives up its rights, and is a separate prefork parent; the
 * socket between the two has a name that the kernel chose. The loop keeps one
 * line to each checker, with one password at a time on it; if no line is free
 * a check waits in a queue, and beyond WAITING_MAX none is accepted. If a line
 * breaks, the answer is "cannot be checked now", and the next check connects
 * it again. Passwords are wiped as soon as they are sent.
 */
#include "accountd/check.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "accountd/checker.h"
#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "server/sandbox.h"
#include "server/watch.h"
#include "service/loop.h"

#define WAITING_MAX 500
#define POOL_MAX 8
#define GRACE_S 5

struct check {
	struct check *next;
	char *hash; /* NULL: PAM */
	char *user;
	char *client;
	char *password;
	check_done *done; /* NULL: cancelled */
	void *context;
};

/* A connection to one checker, and what that is doing. */
struct line {
	int sock; /* -1 when not connected */
	struct event input;
	struct check *check;
};

static struct {
	struct sockaddr_un address; /* of the checkers, in the abstract space */
	socklen_t address_len;
	unsigned loop_uid;
	int pool;
	struct watched *watched; /* the parent of the checkers */
	void (*hung)(void);
	struct event_base *base;
	struct event wake;
	struct line line[POOL_MAX];
	struct check *first, **last; /* waiting */
	int waiting;
	struct ipc_in in;
	struct ipc_out out;
} self;

/* A socket whose name the kernel chooses: only its peers' uid matters. */
static int listen_for_loop(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	self.address_len = sizeof(self.address);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(sa_family_t)) < 0 ||
	    listen(fd, POOL_MAX) < 0 ||
	    getsockname(fd, (struct sockaddr *)&self.address,
			&self.address_len) < 0)
		log_die(EX_OSERR, "cannot make a socket for the checkers: %m");
	return fd;
}

/* Accountd has the other end of GONE until it ends. A parent-death signal would
 * not do: it would come from accountd, and we may be root. */
static void end_with_accountd(int gone)
{
	struct pollfd end = { .fd = gone };

	if (fcntl(gone, F_SETOWN, getpid()) < 0 ||
	    fcntl(gone, F_SETSIG, SIGTERM) < 0 ||
	    fcntl(gone, F_SETFL, O_ASYNC) < 0)
		log_die(EX_OSERR, "cannot watch accountd: %m");
	if (poll(&end, 1, 0) != 0)
		exit(EX_OK);
}

static void run_checkers(int listener, bool pam, uid_t uid, gid_t gid,
			 int64_t patience_ms)
{
	struct prefork_listener l = { "check", listener, true, false };
	struct prefork p = { .listener = &l,
			     .nlisteners = 1,
			     .spare = 1,
			     .max = self.pool,
			     .grace_s = GRACE_S,
			     .peer_uids = &self.loop_uid,
			     .npeers = 1,
			     .patience_ms = patience_ms,
			     .serve = checker_serve };

	watch_me(self.watched, true);
	if (!pam) {
		sandbox_become(uid, gid);
		sandbox_enter(SANDBOX_FORK);
	} else {
		/* its modules may do anything else */
		sandbox_enter(SANDBOX_OPEN | SANDBOX_INET | SANDBOX_FORK |
			      SANDBOX_EXEC | SANDBOX_IDENTITY);
	}
	exit(prefork_run(&p));
}

pid_t check_fork(bool pam, uid_t uid, gid_t gid, int64_t patience_ms)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int listener = listen_for_loop(), life[2];
	pid_t pid;

	self.loop_uid = uid;
	self.pool = cores < 2 ? 2 : cores > POOL_MAX ? POOL_MAX : (int)cores;
	watch_begin(patience_ms);
	self.watched = watch_share(1);
	if (!self.watched)
		log_die(EX_OSERR, "cannot watch the checkers: %m");
	watch_prepare(self.watched);
	if (pipe2(life, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		log_die(EX_OSERR, "cannot start the checkers: %m");
	if (pid == 0) {
		close(life[1]);
		end_with_accountd(life[0]);
		run_checkers(listener, pam, uid, gid, patience_ms);
	}
	close(life[0]);
	close(listener);
	return pid;
}

static void free_text(char *text)
{
	if (text)
		mem_wipe(text, strlen(text));
	free(text);
}

static void finish(struct check *c, enum check_result result)
{
	if (c->done)
		c->done(c->context, result);
	free_text(c->password);
	free_text(c->hash);
	free(c->user);
	free(c->client);
	free(c);
}

static void hang_up(struct line *l)
{
	event_del(&l->input);
	close(l->sock);
	l->sock = -1;
}

static void on_answer(evutil_socket_t fd, short what, void *arg);

static bool call(struct line *l)
{
	if (l->sock >= 0)
		return true;
	l->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (l->sock < 0 || connect(l->sock, (struct sockaddr *)&self.address,
				   self.address_len) < 0) {
		log_error("no checker can be reached: %m");
		if (l->sock >= 0)
			close(l->sock);
		l->sock = -1;
		return false;
	}
	event_assign(&l->input, self.base, l->sock, EV_READ | EV_PERSIST,
		     on_answer, l);
	event_add(&l->input, NULL);
	return true;
}

static bool send_check(struct line *l, const struct check *c)
{
	bool good;

	ipc_begin(&self.out, c->hash ? "crypt" : "pam");
	ipc_put(&self.out, "password", c->password);
	if (c->hash) {
		ipc_put(&self.out, "hash", c->hash);
	} else {
		ipc_put(&self.out, "user", c->user);
		ipc_put(&self.out, "client", c->client);
	}
	good = ipc_send(l->sock, &self.out, 0) == ERR_OK;
	mem_wipe(self.out.data.data, self.out.data.len);
	return good;
}

static struct check *take_first(void)
{
	struct check *c = self.first;

	if (!c)
		return NULL;
	self.first = c->next;
	if (!self.first)
		self.last = &self.first;
	self.waiting--;
	return c;
}

/* Gives waiting checks to idle checkers. */
static void distribute(void)
{
	for (int i = 0; i < self.pool; i++) {
		struct line *l = &self.line[i];

		while (!l->check && (l->check = take_first())) {
			if (l->check->done && call(l) &&
			    send_check(l, l->check))
				break;
			finish(l->check, CHECK_TEMP);
			l->check = NULL;
		}
	}
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct line *l = arg;
	struct check *c = l->check;
	int err = ipc_recv(fd, &self.in, 0);
	enum check_result result = CHECK_TEMP;

	(void)what;
	if (err == ERR_BUSY)
		return;
	if (err)
		hang_up(l);
	else if (ipc_is(&self.in, "right"))
		result = CHECK_RIGHT;
	else if (ipc_is(&self.in, "wrong"))
		result = CHECK_WRONG;
	l->check = NULL;
	if (c)
		finish(c, result);
	distribute();
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	distribute();
}

static void look(void *context)
{
	(void)context;
	watch_round();
	if (watch_is_late(self.watched))
		self.hung();
}

void check_begin(struct event_base *base, void (*hung)(void))
{
	self.hung = hung;
	self.base = base;
	evtimer_assign(&self.wake, base, on_wake, NULL);
	self.last = &self.first;
	for (int i = 0; i < self.pool; i++)
		self.line[i].sock = -1;
	loop_every(base, watch_turn_ms(), look, NULL);
}

struct check *check_ask(const char *hash, const char *user, const char *client,
			const char *password, check_done *done, void *context)
{
	struct check *c;

	if (self.waiting >= WAITING_MAX)
		return NULL;
	c = mem_alloc(sizeof(*c));
	c->hash = hash ? mem_strdup(hash) : NULL;
	c->user = mem_strdup(user);
	c->client = mem_strdup(client);
	c->password = mem_strdup(password);
	c->done = done;
	c->context = context;
	*self.last = c;
	self.last = &c->next;
	self.waiting++;
	event_active(&self.wake, EV_TIMEOUT, 0);
	return c;
}

void check_cancel(struct check *c)
{
	c->done = NULL;
}
