/* The workers of one child, of local-deliver/worker.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "local-deliver/identity.h"
#include "local-deliver/targets.h"
#include "local-deliver/worker.h"
#include "log/log.h"

#define WORKERS_MAX 32
#define WORK_MS 300000 /* for one delivery, a slow disk included */

struct worker {
	char user[sizeof(((struct account *)0)->user)];
	char maildir[sizeof(((struct account *)0)->maildir)];
	uid_t uid;
	int sock;
	pid_t pid; /* 0: the place is free */
	int64_t used_ms;
};

static struct {
	struct worker worker[WORKERS_MAX];
	struct ipc_out out;
	struct ipc_in in;
} self;

/* A worker that waits has nothing in hand. To ask it to end would be to trust
 * it: its user may have stopped it. */
static void dismiss(struct worker *w)
{
	close(w->sock);
	kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
}

static bool is_for(const struct worker *w, const struct account *account)
{
	return w->pid && w->uid == account->uid &&
	       str_equal(w->user, account->user) &&
	       str_equal(w->maildir, account->maildir);
}

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
	dismiss(oldest);
	return oldest;
}

static struct worker *start(const struct account *account)
{
	struct worker *w = choose_place();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return NULL;
	w->pid = fork();
	if (w->pid == 0)
		worker_main(pair[1], account);
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
	return w;
}

static struct worker *find(const struct account *account)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (is_for(&self.worker[i], account))
			return &self.worker[i];
	return start(account);
}

static void fail(struct worker_reply *reply, int err, char *why)
{
	reply->answer = WORKER_FAILED;
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
	int64_t dev = 0, ino = 0;

	reply->answer = WORKER_DELIVERED;
	ipc_int(&self.in, "dev", INT64_MIN, INT64_MAX, &dev);
	ipc_int(&self.in, "ino", INT64_MIN, INT64_MAX, &ino);
	reply->delivered.dev = (dev_t)dev;
	reply->delivered.ino = (ino_t)ino;
	reply->delivered.duplicate = ipc_get(&self.in, "duplicate") != NULL;
}

static void hear(struct arena *a, struct worker_reply *reply)
{
	int64_t err = ERR_IO;

	if (ipc_is(&self.in, "delivered")) {
		hear_delivered(reply);
	} else if (ipc_is(&self.in, "forward")) {
		hear_forward(a, reply);
	} else {
		ipc_int(&self.in, "code", ERR_EOF, ERR_UNSUPPORTED, &err);
		fail(reply, (int)err,
		     *ipc_text(&self.in, "why")
			     ? arena_strdup(a, ipc_text(&self.in, "why"))
			     : NULL);
	}
}

/* One try. ERR_EOF: the worker was about to end, or died. */
static int ask(const struct worker_request *q)
{
	struct worker *w = find(q->account);
	int err;

	if (!w)
		return ERR_TEMP;
	worker_put_request(&self.out, q);
	err = ipc_call(w->sock, &self.out, &self.in, WORK_MS);
	w->used_ms = clock_ms();
	if (err)
		dismiss(w);
	return err;
}

/* A worker ends by itself when it was idle for long, perhaps just now: then a
 * new one is asked. A delivery that was done nevertheless is recognised by
 * its queue id. */
void worker_deliver(struct arena *a, const struct worker_request *q,
		    struct worker_reply *reply)
{
	int err = ask(q);

	*reply = (struct worker_reply){ 0 };
	if (err == ERR_EOF || err == ERR_IO)
		err = ask(q);
	if (err == ERR_TOO_LONG)
		fail(reply, err, arena_strdup(a, "header fields too large"));
	else if (err)
		fail(reply, ERR_TEMP, NULL);
	else
		hear(a, reply);
}
