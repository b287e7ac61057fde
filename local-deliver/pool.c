/*
 * The workers of one child, of local-deliver/worker.h: the side that asks. A
 * child has few places for workers, one for each user; a new user gets a free
 * place, or that of the worker that was idle longest.
 *
 * A worker runs with a user's rights, and the user may stop or kill it: so it is
 * only waited for while it gives signs of life, and killed rather than asked to
 * end. What it has not answered is asked of a new one: a delivery that was made
 * anyway is recognised by its queue id. Requests are written without waiting
 * for the answers, which come in the same order; but a worker that does not read
 * may be waiting for us to read, so both go on together.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "io/wait.h"
#include "local-deliver/identity.h"
#include "local-deliver/targets.h"
#include "local-deliver/worker.h"
#include "log/log.h"
#include "log/relay.h"
#include "server/child.h"
#include "server/watch.h"

#define WORKERS_MAX 32
#define TRIES 2
#define SEND_MS 10000
#define WORK_MS 300000 /* for one delivery, if nobody watches */

struct worker {
	char user[sizeof(((struct account *)0)->user)];
	char maildir[sizeof(((struct account *)0)->maildir)];
	uid_t uid;
	int sock;
	pid_t pid;  /* 0: the place is free */
	bool asked; /* since it was heard last */
	int64_t used_ms;
	struct watched *watched;
	TAILQ_HEAD(, worker_call) calls; /* not answered, oldest first */
};

static struct {
	struct worker worker[WORKERS_MAX];
	struct ipc_out out;
	struct ipc_in in;
} self;

/* Kills it, since it cannot be trusted to end when asked: its user may have
 * stopped it. Unanswered calls go to another one. */
static void dismiss(struct worker *w)
{
	struct worker_call *c;

	while ((c = TAILQ_FIRST(&w->calls))) {
		TAILQ_REMOVE(&w->calls, c, link);
		c->worker = NULL;
	}
	close(w->sock);
	child_end(w->pid);
	w->pid = 0;
}

static bool is_for(const struct worker *w, const struct account *account)
{
	return w->pid && w->uid == account->uid &&
	       str_equal(w->user, account->user) &&
	       str_equal(w->maildir, account->maildir);
}

static void hear_oldest(struct worker *w);

/* A free place, or that of the worker that was idle longest. */
static struct worker *choose_place(void)
{
	struct worker *oldest = &self.worker[0];

	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct worker *w = &self.worker[i];

		if (w->pid == 0)
			return w;
		if (w->used_ms < oldest->used_ms)
			oldest = w;
	}
	while (oldest->pid && !TAILQ_EMPTY(&oldest->calls))
		hear_oldest(oldest);
	if (oldest->pid)
		dismiss(oldest);
	return oldest;
}

/* Signs of life, which it shares with us. */
static bool prepare_watch(struct worker *w)
{
	if (!w->watched)
		w->watched = watch_share(1);
	if (w->watched)
		watch_prepare(w->watched);
	return w->watched != NULL;
}

static struct worker *start(const struct account *account)
{
	struct worker *w = choose_place();
	int pair[2];

	if (!prepare_watch(w) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return NULL;
	w->pid = relay_fork();
	if (w->pid == 0)
		worker_main(pair[1], account, w->watched);
	close(pair[1]);
	if (w->pid < 0) {
		log_error("cannot make a process: %m");
		close(pair[0]);
		w->pid = 0;
		return NULL;
	}
	str_copy(w->user, sizeof(w->user), account->user);
	str_copy(w->maildir, sizeof(w->maildir), account->maildir);
	w->uid = account->uid;
	w->sock = pair[0];
	w->used_ms = clock_ms();
	TAILQ_INIT(&w->calls);
	return w;
}

static struct worker *find(const struct account *account)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct worker *w = &self.worker[i];

		if (!is_for(w, account))
			continue;
		if (!watch_is_late(w->watched))
			return w;
		dismiss(w);
	}
	return start(account);
}

static void fail(struct worker_reply *reply, int err, char *why)
{
	reply->answer = WORKER_FAILED;
	reply->room = INT64_MAX;
	reply->err = err;
	reply->why = why;
}

static void hear_forward(struct arena *a, struct worker_reply *reply)
{
	struct buf told;
	const char *why = "the answer of the worker is not understood";

	buf_init(&told, IPC_PACKET_MAX);
	reply->answer = WORKER_FORWARD;
	if (ipc_base64(&self.in, "targets", &told))
		why = targets_hear(a, told.data, told.len, &reply->target,
				   &reply->ntargets);
	if (why)
		fail(reply, ERR_DENIED, arena_strdup(a, why));
	buf_free(&told);
}

static void hear_delivered(struct worker_reply *reply)
{
	int64_t uid = 0;

	ipc_int(&self.in, "uid", 1, UINT32_MAX, &uid);
	reply->delivered.uid = (uint32_t)uid;
	reply->answer = WORKER_DELIVERED;
	/* without it nobody is told of the change, and sessions find it
	 * later */
	folder_id_read(ipc_get(&self.in, "folder"), &reply->delivered.folder);
	reply->delivered.duplicate = ipc_get(&self.in, "duplicate") != NULL;
}

static void hear(struct arena *a, struct worker_reply *reply)
{
	int64_t err = ERR_IO;

	if (!ipc_int(&self.in, "room", 0, INT64_MAX, &reply->room))
		reply->room = INT64_MAX;
	if (ipc_is(&self.in, "delivered")) {
		hear_delivered(reply);
	} else if (ipc_is(&self.in, "forward")) {
		hear_forward(a, reply);
	} else if (ipc_is(&self.in, "room")) {
		reply->answer = WORKER_ROOM;
	} else {
		ipc_int(&self.in, "code", ERR_EOF, ERR_UNSUPPORTED, &err);
		fail(reply, (int)err,
		     *ipc_text(&self.in, "why")
			     ? arena_strdup(a, ipc_text(&self.in, "why"))
			     : NULL);
	}
}

/* Waits for the answer of W as long as it gives signs of life: a large
 * message and a slow disk may take their time. */
static int await(const struct worker *w)
{
	int turn = watch_turn_ms(), err;

	watch_resume();
	do {
		err = wait_until(w->sock, POLLIN,
				 clock_ms() + (turn < 0 ? WORK_MS : turn));
		if (err == ERR_TIMEOUT)
			watch_round();
	} while (err == ERR_TIMEOUT && turn >= 0 && !watch_is_late(w->watched));
	if (err == ERR_TIMEOUT)
		log_error("process %ld, which delivers to %s, gave no sign of "
			  "life: it is killed",
			  (long)w->pid, w->maildir);
	return err;
}

/* Takes the answer to the oldest call of W, which is dismissed if there is
 * none. */
static void hear_oldest(struct worker *w)
{
	struct worker_call *c = TAILQ_FIRST(&w->calls);
	/* the first answer cannot be there yet: do not try to receive it */
	int err = w->asked ? ERR_BUSY : ipc_recv(w->sock, &self.in, 0);

	w->asked = false;
	if (err == ERR_BUSY) {
		err = await(w);
		if (!err)
			err = ipc_recv(w->sock, &self.in, 1);
	}
	w->used_ms = clock_ms();
	if (err) {
		if (err == ERR_TIMEOUT) /* the next one would do no better */
			c->tries = TRIES;
		dismiss(w);
		return;
	}
	TAILQ_REMOVE(&w->calls, c, link);
	c->worker = NULL;
	c->answered = true;
	hear(c->arena, &c->reply);
}

/* A worker that is slow to read gets time, and its answers are read meanwhile:
 * it may be waiting for that. */
static int put(struct worker *w, const struct worker_call *c)
{
	int err;

	worker_put_request(&self.out, &c->request);
	while ((err = ipc_send(w->sock, &self.out, 0)) == ERR_BUSY &&
	       !TAILQ_EMPTY(&w->calls)) {
		hear_oldest(w);
		if (w->pid == 0)
			return ERR_EOF;
	}
	return err == ERR_BUSY ? ipc_send(w->sock, &self.out, SEND_MS) : err;
}

static void give_up(struct worker_call *c, int err, char *why)
{
	fail(&c->reply, err, why);
	c->answered = true;
}

void worker_ask(struct worker_call *c)
{
	struct worker *w = find(&c->account);
	int err = w ? put(w, c) : ERR_TEMP;

	c->tries++;
	if (err == ERR_TOO_LONG) {
		give_up(c, err,
			arena_strdup(c->arena, "header fields too large"));
	} else if (!w) {
		give_up(c, ERR_TEMP, NULL);
	} else if (err) {
		if (w->pid)
			dismiss(w);
	} else {
		c->worker = w;
		w->asked = true;
		TAILQ_INSERT_TAIL(&w->calls, c, link);
	}
}

/* A worker ends by itself when it was idle for long, perhaps just now: then a
 * new one is asked. If the delivery was done anyway, it is recognised by its
 * queue id. */
void worker_wait(struct worker_call *c)
{
	while (!c->answered) {
		if (c->worker)
			hear_oldest(c->worker);
		else if (c->tries < TRIES)
			worker_ask(c);
		else
			give_up(c, ERR_TEMP, NULL);
	}
}
