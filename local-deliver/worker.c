/*
 * A worker's own side, and the packets, of local-deliver/worker.h. It becomes the
 * user, confines itself to the user's directories, and then answers requests
 * until it has been idle for a while.
 *
 * Requests that wait together become one batch: their messages share the syncs,
 * and the quota is judged for all of them at once. If anything is wrong with a
 * batch, each of its deliveries is done alone, so that each has a result of its
 * own; one that was made already is found by its queue id.
 */
#include "local-deliver/worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "io/wait.h"
#include "local-deliver/forward.h"
#include "local-deliver/identity.h"
#include "local-deliver/warning.h"
#include "log/log.h"
#include "mailbox/store.h"
#include "server/sandbox.h"
#include "server/watch.h"

#define IDLE_MS 10000
#define BATCH_BYTES (1 << 20) /* with this many no more are taken */

void worker_put_request(struct ipc_out *m, const struct worker_request *q)
{
	const struct delivery *d = &q->delivery;

	ipc_begin(m, q->measure ? "room" : "deliver");
	ipc_put(m, "maildir", d->maildir);
	ipc_put(m, "prologue", d->prologue);
	ipc_put_int(m, "offset", d->offset);
	ipc_put_int(m, "length", d->length);
	ipc_put(m, "queue-id", d->queue_id);
	ipc_put(m, "recipient", d->recipient);
	ipc_put_int(m, "arrival", d->arrival_us);
	if (q->forward) {
		ipc_put(m, "forward", q->home);
		ipc_put(m, "extension", q->extension);
	}
	quota_put(m, &q->quota);
	ipc_put_int(m, "grace", q->grace);
	ipc_put(m, "levels", q->levels);
	ipc_put(m, "origin", q->origin);
	if (!q->measure)
		ipc_put_fd(m, d->fd);
}

/* All of Q is in A, except the descriptor, which is Q's. */
static bool get_request(struct arena *a, struct ipc_in *m,
			struct worker_request *q)
{
	struct delivery *d = &q->delivery;
	int64_t offset, length, grace;

	*q = (struct worker_request){ .delivery = { .fd = -1 } };
	q->measure = ipc_is(m, "room");
	if ((!q->measure && !ipc_is(m, "deliver")) ||
	    !ipc_int(m, "offset", 0, INT64_MAX, &offset) ||
	    !ipc_int(m, "length", 0, INT64_MAX, &length) ||
	    !ipc_int(m, "arrival", 0, INT64_MAX, &d->arrival_us) ||
	    !ipc_int(m, "grace", 0, 100, &grace) || !quota_get(m, &q->quota))
		return false;
	d->maildir = arena_strdup(a, ipc_text(m, "maildir"));
	d->folder = "INBOX";
	q->grace = (int)grace;
	q->levels = arena_strdup(a, ipc_text(m, "levels"));
	q->origin = arena_strdup(a, ipc_text(m, "origin"));
	d->prologue = arena_strdup(a, ipc_text(m, "prologue"));
	d->offset = (off_t)offset;
	d->length = (off_t)length;
	d->queue_id = arena_strdup(a, ipc_text(m, "queue-id"));
	d->recipient = arena_strdup(a, ipc_text(m, "recipient"));
	d->fd = ipc_take_fd(m);
	q->forward = ipc_get(m, "forward") != NULL;
	q->home = arena_strdup(a, ipc_text(m, "forward"));
	q->extension = arena_strdup(a, ipc_text(m, "extension"));
	return q->measure != (d->fd >= 0);
}

/* What there is room for when the mailbox holds NOW. */
static void put_room(struct ipc_out *m, const struct worker_request *q,
		     const struct usage *now)
{
	if (quota_exists(&q->quota))
		ipc_put_int(m, "room",
			    quota_room(&q->quota, now, q->delivery.folder,
				       q->grace));
}

static void say_failed(struct ipc_out *m, int err)
{
	ipc_begin(m, "failed");
	ipc_put_int(m, "code", err);
	if (err_errno())
		ipc_put(m, "why", strerror(err_errno()));
}

static void say_delivered(struct ipc_out *m, const struct delivered *done)
{
	char folder[FOLDER_ID_SIZE];

	ipc_begin(m, "delivered");
	folder_id_text(done->folder, folder);
	ipc_put(m, "folder", folder);
	ipc_put_int(m, "uid", done->uid);
	if (done->duplicate)
		ipc_put(m, "duplicate", "yes");
}

/* Is there room for N messages of so many BYTES? *AFTER is what there will be
 * with them. ERR_LIMIT: no; others: that cannot be found. */
static int check_room(const struct worker_request *q, off_t bytes, size_t n,
		      struct usage *after)
{
	const struct quota_change c = { .to = q->delivery.folder,
					.bytes = (uint64_t)bytes,
					.messages = n };
	struct store *s;
	int err;

	*after = (struct usage){ 0 };
	if (!quota_exists(&q->quota))
		return ERR_OK;
	err = store_open(q->delivery.maildir, true, &s);
	if (err)
		return err;
	err = store_usage(s, &q->quota, after);
	store_close(&s);
	if (!err && !quota_allows(&q->quota, after, &c, q->grace))
		err = ERR_LIMIT;
	quota_add(&q->quota, after, c.to, c.bytes, c.messages);
	return err;
}

static void warn_if_due(const struct worker_request *q, const struct usage *now)
{
	if (quota_exists(&q->quota) && *q->levels)
		warning_consider(q, now);
}

static off_t size_of(const struct delivery *d)
{
	return d->length + (off_t)strlen(d->prologue);
}

/* One that was delivered before, and not reported, is not refused. */
static void deliver_alone(struct ipc_out *m, const struct worker_request *q)
{
	struct delivery d = q->delivery;
	struct delivered done;
	struct usage after;
	int err;

	err_clear();
	err = check_room(q, size_of(&d), 1, &after);
	d.full = err == ERR_LIMIT;
	if (!err || d.full)
		err = deliver_message(&d, &done);
	if (!err) {
		if (!done.duplicate)
			warn_if_due(q, &after);
		say_delivered(m, &done);
		put_room(m, q, &after);
		return;
	}
	if (err != ERR_LIMIT)
		log_error("%s: cannot deliver to %s: %s", d.queue_id, d.maildir,
			  err_why(err));
	say_failed(m, err);
	if (err == ERR_LIMIT)
		put_room(m, q, &after);
}

static void measure(struct ipc_out *m, const struct worker_request *q)
{
	struct usage now;
	int err;

	err_clear();
	err = check_room(q, 0, 0, &now);
	if (err && err != ERR_LIMIT) {
		log_error("cannot measure %s: %s", q->delivery.maildir,
			  err_why(err));
		say_failed(m, err);
		return;
	}
	ipc_begin(m, "room");
	put_room(m, q, &now);
}

/* What came together. */
struct batch {
	struct letterbox *box;
	struct arena *arena;
	struct worker_request request[WORKER_BATCH];
	bool good[WORKER_BATCH];
	struct buf told[WORKER_BATCH]; /* a .forward, or nothing */
	size_t n;
	off_t bytes;
	struct delivery delivery[WORKER_BATCH]; /* the others */
	struct delivered delivered[WORKER_BATCH];
	size_t ndeliveries;
	bool together;			      /* they are done */
	const struct worker_request *limited; /* one of those: its quota */
};

static void add_request(struct batch *b, struct ipc_in *in)
{
	size_t i = b->n++;
	struct worker_request *q = &b->request[i];

	b->good[i] = get_request(b->arena, in, q);
	buf_init(&b->told[i], WORKER_FORWARD_MAX);
	if (!b->good[i] || (q->forward && forward_found(q, &b->told[i])))
		return;
	buf_reset(&b->told[i]);
	if (q->measure)
		return;
	b->delivery[b->ndeliveries++] = q->delivery;
	b->bytes += size_of(&q->delivery);
	b->limited = q;
}

/* Answers request I; *DONE of the deliveries are answered, after which there is
 * AFTER. */
static void answer(const struct batch *b, size_t i, size_t *done,
		   const struct usage *after, struct ipc_out *out)
{
	if (!b->good[i]) {
		err_clear();
		say_failed(out, ERR_SYNTAX);
	} else if (b->told[i].len > 0) {
		ipc_begin(out, "forward");
		ipc_put_base64(out, "targets", b->told[i].data, b->told[i].len);
	} else if (b->request[i].measure) {
		measure(out, &b->request[i]);
	} else if (b->together) {
		say_delivered(out, &b->delivered[(*done)++]);
		put_room(out, &b->request[i], after);
	} else {
		deliver_alone(out, &b->request[i]);
	}
}

/* The deliveries share their cost. If that fails, each is done alone, and
 * reports what is wrong. */
static int do_batch(struct batch *b, int sock, struct ipc_out *out)
{
	size_t done = 0;
	struct usage after = { 0 };
	int err = ERR_OK;

	b->together = b->ndeliveries > 0 &&
		      check_room(b->limited, b->bytes, b->ndeliveries,
				 &after) == ERR_OK &&
		      deliver_together(b->box, b->delivery, b->ndeliveries,
				       b->delivered) == ERR_OK;
	if (b->together)
		warn_if_due(b->limited, &after);
	for (size_t i = 0; !err && i < b->n; i++) {
		answer(b, i, &done, &after, out);
		err = ipc_send(sock, out, IDLE_MS);
	}
	return err;
}

static void end_batch(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->request[i].delivery.fd >= 0)
			close(b->request[i].delivery.fd);
		buf_free(&b->told[i]);
	}
	b->n = b->ndeliveries = 0;
	b->bytes = 0;
	arena_reset(b->arena);
}

/* A failed delivery reports this too, but here the cause is known. */
static void make_dirs(const char *path)
{
	int err = file_make_dirs(path, 0700);

	if (err)
		log_error("%s", err_why(err));
}

/* From here on only the user's own directories can be reached. */
static void confine(const struct account *account)
{
	const char *const dirs[] = { account->home, account->maildir };
	const bool writable[] = { true, true };
	size_t n = strlen(account->home);
	bool inside = str_starts(account->maildir, account->home) &&
		      account->maildir[n] == '/';

	if (account->virtual_user)
		make_dirs(account->home);
	if (!inside)
		make_dirs(account->maildir);
	sandbox_only_dirs(dirs, writable, inside ? 1 : 2);
	sandbox_limit_own();
	sandbox_enter(SANDBOX_OPEN);
}

void worker_main(int sock, const struct account *account, struct watched *me)
{
	const struct identity id = { account->uid, account->gid, account->user,
				     account->home };
	struct batch b = { .box = letterbox_new(), .arena = arena_new() };
	struct ipc_in in = { 0 };
	struct ipc_out out = { 0 };
	int err = ERR_OK;

	identity_become(&id, &sock, 1);
	watch_me(me, false);
	confine(account);
	/* a request is rarely there already: waiting first saves a call */
	while (!err &&
	       wait_until(sock, POLLIN, clock_ms() + IDLE_MS) == ERR_OK) {
		while (b.n < WORKER_BATCH && b.bytes < BATCH_BYTES &&
		       (err = ipc_recv(sock, &in, 0)) == ERR_OK)
			add_request(&b, &in);
		err = err == ERR_BUSY ? ERR_OK : err;
		if (b.n > 0 && do_batch(&b, sock, &out) != ERR_OK)
			break;
		end_batch(&b);
	}
	_exit(0);
}
