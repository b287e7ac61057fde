/* One connection of qmgr: jobs in, results out, in order. */
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "local-deliver/local.h"
#include "log/log.h"

#include <stdlib.h>

#define SEND_MS 60000

static void deliver(struct settings *s, struct message *m,
		    const struct job_recipient *job, struct job_result *result)
{
	struct recipient r = {
		.settings = s, .message = m, .job = job, .result = result
	};

	recipient_deliver(&r);
	report(&r);
}

/* An expansion that no answer can hold is no list anybody meant. */
static void refuse_expansions(struct job_result *result, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (result[i].status != JOB_EXPANDED)
			continue;
		result[i].status = JOB_FAILED;
		result[i].dsn = "5.4.6";
		result[i].reply = "expands to too many addresses at once";
		log_warn("an alias expands to %zu addresses: refused",
			 result[i].nexpanded);
	}
}

static int do_job(struct settings *s, struct message *m, int fd,
		  struct ipc_out *out)
{
	const struct job *j = m->job;
	struct job_result *result = mem_array(j->nrecipients, sizeof(*result));
	int err;

	for (size_t i = 0; i < j->nrecipients; i++)
		deliver(s, m, &j->recipient[i], &result[i]);
	job_results_write(out, j, result, j->nrecipients, JOB_DEST_OK);
	err = ipc_send(fd, out, SEND_MS);
	if (err == ERR_TOO_LONG) {
		refuse_expansions(result, j->nrecipients);
		job_results_write(out, j, result, j->nrecipients, JOB_DEST_OK);
		err = ipc_send(fd, out, SEND_MS);
	}
	free(result);
	return err;
}

/* True: go on with this connection. */
static bool next_job(struct settings *s, int fd, struct ipc_in *in,
		     struct ipc_out *out, struct arena *arena)
{
	struct message m = { .arena = arena };
	struct job job;
	int err = ipc_recv(fd, in, 0);

	if (err == ERR_BUSY)
		return true;
	if (!err) {
		err = job_read(arena, in, &job);
		if (err)
			log_error("qmgr sent a job that is not understood");
	}
	if (err)
		return false;
	m.job = &job;
	m.begun_us = clock_wall_us();
	err = do_job(s, &m, fd, out);
	strlist_free(&m.delivered_to);
	close(job.fd);
	if (err)
		log_warn("%s: the results did not reach qmgr: %s", job.id,
			 err_text(err));
	return !err;
}

bool serve_qmgr(void *settings, const struct prefork_listener *listener, int fd)
{
	struct ipc_in in = { 0 };
	struct ipc_out out = { 0 };
	struct arena *arena = arena_new();

	(void)listener;
	while (prefork_await(fd, -1) == ERR_OK &&
	       next_job(settings, fd, &in, &out, arena))
		arena_reset(arena);
	arena_free(&arena);
	ipc_out_free(&out);
	ipc_in_free(&in);
	close(fd);
	return true;
}
