/* One connection of qmgr: jobs in, results out, in order. */
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "local-deliver/ledger.h"
#include "local-deliver/local.h"
#include "local-deliver/worker.h"
#include "log/log.h"

#define SEND_MS 60000

/* Jobs that came together, and their recipients. */
struct batch {
	struct settings *settings;
	struct arena *arena;
	size_t n;
	struct task {
		struct job job;
		struct message message;
		struct recipient *recipient;
		struct result *result;
	} task[WORKER_BATCH];
};

/* Reads a job out of IN and begins it. */
static int begin_task(struct batch *b, struct ipc_in *in)
{
	struct task *t = &b->task[b->n];
	struct job *j = &t->job;
	int err = job_read(b->arena, in, j);

	if (err) {
		log_error("qmgr sent a job that is not understood");
		return err;
	}
	b->n++;
	t->message = (struct message){ .arena = b->arena,
				       .job = j,
				       .begun_us = clock_wall_us() };
	t->result = arena_alloc(b->arena, j->nrecipients * sizeof(*t->result));
	t->recipient =
		arena_alloc(b->arena, j->nrecipients * sizeof(*t->recipient));
	for (size_t i = 0; i < j->nrecipients; i++) {
		t->recipient[i].settings = b->settings;
		t->recipient[i].message = &t->message;
		t->recipient[i].job = &j->recipient[i];
		t->recipient[i].result = &t->result[i];
		recipient_begin(&t->recipient[i]);
	}
	return ERR_OK;
}

/* An expansion too long for an answer cannot be intended. */
static void refuse_expansions(struct result *result, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (result[i].status != RESULT_EXPANDED)
			continue;
		result[i].status = RESULT_FAILED;
		result[i].dsn = "5.4.6";
		result[i].reply = "expands to too many addresses at once";
		log_warn("an alias expands to %zu addresses: refused",
			 result[i].nexpanded);
	}
}

static int answer(const struct task *t, int fd, struct ipc_out *out)
{
	const struct job *j = &t->job;
	int err;

	job_results_write(out, j, t->result, j->nrecipients, JOB_DEST_OK);
	err = ipc_send(fd, out, SEND_MS);
	if (err == ERR_TOO_LONG) {
		refuse_expansions(t->result, j->nrecipients);
		job_results_write(out, j, t->result, j->nrecipients,
				  JOB_DEST_OK);
		err = ipc_send(fd, out, SEND_MS);
	}
	return err;
}

static void close_pages(const struct task *t)
{
	for (size_t i = 0; i < t->job.nrecipients; i++)
		if (t->recipient[i].noted &&
		    result_itself(&t->result[i]) != RESULT_DEFERRED)
			ledger_answered(t->job.id, t->recipient[i].text);
}

static int do_task(struct task *t, int fd, struct ipc_out *out)
{
	int err;

	for (size_t i = 0; i < t->job.nrecipients; i++) {
		recipient_deliver(&t->recipient[i]);
		report(&t->recipient[i]);
	}
	err = answer(t, fd, out);
	if (err)
		log_warn("%s: the results did not reach qmgr: %s", t->job.id,
			 err_why(err));
	else
		close_pages(t);
	return err;
}

/* Takes the jobs that have come. False: no more will come. */
static bool take_jobs(struct batch *b, int fd, struct ipc_in *in)
{
	int err = ERR_OK;

	while (!err && b->n < WORKER_BATCH) {
		err = ipc_recv(fd, in, 0);
		if (!err)
			err = begin_task(b, in);
	}
	return !err || err == ERR_BUSY;
}

static void do_mailboxes(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		for (size_t k = 0; k < b->task[i].job.nrecipients; k++)
			recipient_mailbox(&b->task[i].recipient[k]);
}

/* In order; after a failure the rest is also done, since it has begun. */
static bool do_jobs(struct batch *b, int fd, struct ipc_out *out)
{
	int err = ERR_OK;

	do_mailboxes(b);
	for (size_t i = 0; i < b->n; i++) {
		int now = do_task(&b->task[i], fd, out);

		err = err ? err : now;
	}
	for (; b->n > 0; b->n--) {
		struct task *t = &b->task[b->n - 1];

		strlist_free(&t->message.delivered_to);
		close(t->job.fd);
	}
	arena_reset(b->arena);
	return !err;
}

void serve_qmgr(struct settings *settings, int fd)
{
	struct batch b = { .settings = settings, .arena = arena_new() };
	struct ipc_in in = { 0 };
	struct ipc_out out = { 0 };
	bool more = true;

	while (more && prefork_await(fd, -1) == ERR_OK) {
		more = take_jobs(&b, fd, &in);
		more = do_jobs(&b, fd, &out) && more;
		ledger_tidy();
	}
	ledger_tidy();
	ledger_keep();
	arena_free(&b.arena);
	ipc_out_free(&out);
	ipc_in_free(&in);
	close(fd);
}
