/* posthorn status: what runs, what does not and why, and the queue's state. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/admin.h"
#include "admin/doubts.h"
#include "base/err.h"

static const char help[] =
	"usage: posthorn status [--json]\n\n"
	"The services, why one is not ready, the queue, and lines of tables and "
	"of the\nfile of users that are not understood, because of which mail "
	"waits.\nExit code 0: all services are ready; 69: the suite does not "
	"run;\n75: a service is not ready, files in the queue were left "
	"alone,\nthere are such lines, or the log cannot be written.\n";

struct line {
	char name[64];
	char state[16];
	long pid;
	int restarts;
	long long seconds;
	int former;
	const char *why;
};

static bool parse_line(const char *text, struct line *l)
{
	int used = 0;

	if (sscanf(text, "%63s %ld %15s %d %lld %d %n", l->name, &l->pid,
		   l->state, &l->restarts, &l->seconds, &l->former, &used) != 6)
		return false;
	l->why = text + used;
	return true;
}

static bool is_ready(const struct line *l)
{
	return strcmp(l->state, "ready") == 0;
}

static void print_text(const struct line *l)
{
	printf("%-14s %-9s %7ld %9d %8lld s", l->name, l->state, l->pid,
	       l->restarts, l->seconds);
	if (l->former)
		printf("  (%d former finish their connections)", l->former);
	if (!is_ready(l))
		printf("  %s", *l->why ? l->why : "the log says why");
	else if (*l->why)
		printf("  (the last time it %s)", l->why);
	putchar('\n');
}

static void print_json(const struct line *l, bool first)
{
	struct buf why;

	buf_init(&why, 65536);
	admin_json_string(&why, l->why);
	printf("%s\n{\"service\":\"%s\",\"state\":\"%s\",\"pid\":%ld,"
	       "\"restarts\":%d,\"seconds\":%lld,\"former\":%d,\"why\":%s}",
	       first ? "" : ",", l->name, l->state, l->pid, l->restarts,
	       l->seconds, l->former, why.data);
	buf_free(&why);
}

/* Prints what master reports; true if all services are ready. */
static bool print_services(const struct admin *a, const struct ipc_in *m)
{
	struct line l;
	bool all = true;

	if (!a->json)
		printf("%-14s %-9s %7s %9s %10s\n", "SERVICE", "STATE", "PID",
		       "RESTARTS", "FOR");
	for (size_t i = 0; i < m->nattrs; i++) {
		if (strcmp(m->attr[i].name, "service") != 0 ||
		    !parse_line(m->attr[i].value, &l))
			continue;
		all = all && is_ready(&l);
		if (a->json)
			print_json(&l, i == 0);
		else
			print_text(&l);
	}
	return all;
}

static void print_queue_text(const struct admin *a, const struct queue_stats *s)
{
	struct buf remarks;

	buf_init(&remarks, 4096);
	printf("\nqueue: %" PRId64 " active, %" PRId64 " waiting, %" PRId64
	       " held; %" PRId64 " of %" PRId64 " destinations do not answer\n",
	       s->active, s->waiting, s->held, s->dead, s->destinations);
	if (s->slow > 0 || s->slow_jobs > 0)
		printf("%" PRId64 " deliveries take long, %" PRId64
		       " destinations are slow; others do not wait for them\n",
		       s->slow_jobs, s->slow);
	if (s->intake_stopped)
		printf("no new mail is taken: %s has less than queue_minfree "
		       "= %" PRId64 " bytes left\n",
		       config_string(a->config, "queue_directory"),
		       config_bytes(a->config, "queue_minfree"));
	if (queue_admin_remarks(s->strange, s->corrupt, s->aside, "",
				&remarks))
		fputs(remarks.data, stdout);
	if (s->scanning)
		puts("the queue is still being scanned after the start");
	buf_free(&remarks);
}

/* False: files in the queue, perhaps mail, wait for the administrator. */
static bool print_queue(const struct admin *a)
{
	char *socket = admin_socket(a, "qmgr");
	struct queue_stats s;
	struct buf why;
	int err;

	buf_init(&why, 4096);
	err = queue_admin_stats(socket, &s, &why);
	if (a->json && err)
		printf("null");
	else if (a->json)
		admin_print_stats_json(&s);
	else if (err)
		printf("\nqueue: the queue manager does not answer: %s\n",
		       why.len ? why.data : err_why(err));
	else
		print_queue_text(a, &s);
	buf_free(&why);
	free(socket);
	return err || s.strange == 0;
}

/* Mail goes on without the log, so nothing else shows that. False: it cannot be
 * written. */
static bool print_log(const struct admin *a, const struct ipc_in *m)
{
	const char *trouble = ipc_text(m, "log");
	struct buf text;

	buf_init(&text, 65536);
	if (a->json) {
		admin_json_string(&text, trouble);
		printf(",\n\"log\":%s", text.data);
	} else if (*trouble) {
		printf("the log cannot be written: %s: %s\n",
		       config_string(a->config, "log_target"), trouble);
	}
	buf_free(&text);
	return !*trouble;
}

/* False: mail waits because of lines that are not understood. */
static bool print_doubts(const struct admin *a)
{
	struct strlist doubts = { 0 };
	struct buf text;
	bool none;

	doubts_find(a->config, &doubts);
	buf_init(&text, 1 << 20);
	for (size_t i = 0; a->json && i < doubts.n; i++) {
		buf_puts(&text, i ? "," : "");
		admin_json_string(&text, doubts.item[i]);
	}
	if (a->json)
		printf(",\n\"tables\":[%s]", text.len ? text.data : "");
	for (size_t i = 0; !a->json && i < doubts.n; i++)
		printf("mail to names that are not found waits until this is "
		       "mended: %s\n",
		       doubts.item[i]);
	none = doubts.n == 0;
	buf_free(&text);
	strlist_free(&doubts);
	return none;
}

/* The report on M, what master answered; exit code. */
static int report(const struct admin *a, const struct ipc_in *m)
{
	bool good;

	if (a->json)
		printf("{\"services\":[");
	good = print_services(a, m);
	if (a->json)
		printf("\n],\n\"queue\":");
	good = print_queue(a) && good;
	good = print_doubts(a) && good;
	good = print_log(a, m) && good;
	if (a->json)
		puts("}");
	return good ? EX_OK : EX_TEMPFAIL;
}

int admin_status(const struct admin *a)
{
	struct ipc_in m = { 0 };
	int status;

	if (a->argc > 0)
		return admin_usage(a, help);
	status = admin_ask_master(a, "status", &m);
	if (status == EX_UNAVAILABLE)
		admin_not_running(a);
	if (status == EX_OK)
		status = report(a, &m);
	ipc_in_free(&m);
	return status;
}
