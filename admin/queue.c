/*
 * posthorn queue: looking at the queue and changing it. All of it is asked of
 * qmgr (qmgr/admin.h), since only qmgr knows what it has in hand; the queue's
 * files are not touched, and who may do what is decided there.
 *
 * First the lists, then `show`, which copies the message from a descriptor that
 * qmgr hands over, the numbers of `stats`, the actions, and the dispatcher. A
 * list may be incomplete, while qmgr scans or if there are files that it leaves
 * alone: it says so, beside JSON on standard error. Addresses and reasons come
 * from strangers, and are printed so that a terminal takes no harm.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/encode.h"
#include "base/err.h"
#include "qmgr/admin.h"

static const char help[] =
	"usage: posthorn queue list [ID] [--json]   what waits, and why\n"
	"       posthorn queue show ID              one message, with content\n"
	"       posthorn queue stats [--json]       numbers\n"
	"       posthorn queue flush ID|ALL         try now\n"
	"       posthorn queue hold ID|ALL          try no more until release\n"
	"       posthorn queue release ID|ALL       end hold\n"
	"       posthorn queue requeue ID|ALL       route anew and try\n"
	"       posthorn queue bounce ID|ALL        give back to the sender\n"
	"       posthorn queue delete ID|ALL        remove; nobody is told\n";

static int exit_code(int err)
{
	switch (err) {
	case ERR_OK:
		return EX_OK;
	case ERR_DENIED:
		return EX_NOPERM;
	case ERR_NOT_FOUND:
		return EX_DATAERR;
	case ERR_SYNTAX:
		return EX_PROTOCOL;
	default:
		return EX_UNAVAILABLE;
	}
}

/* ID is what it was about, or NULL. */
static int failed(int err, const char *id, const struct buf *why)
{
	return admin_fail(exit_code(err), "%s%s%s", id ? id : "",
			  id ? ": " : "", why->len ? why->data : err_why(err));
}

static void put_visible(const char *text)
{
	struct buf b;

	buf_init(&b, 65536);
	encode_visible(&b, text, strlen(text));
	fputs(b.data, stdout);
	buf_free(&b);
}

static const char *const states[] = { "active", "waiting", "held" };

static void print_time(const char *label, int64_t when)
{
	char text[40];
	time_t t = (time_t)when;
	struct tm tm;

	if (when == 0 || !localtime_r(&t, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s%s", label, text);
}

static void list_text(const struct queue_item *m)
{
	printf("%s  %s  %lld bytes", m->id, states[m->state],
	       (long long)m->size);
	print_time("  since ", m->arrival);
	if (m->state == QUEUE_WAITING)
		print_time("  next try ", m->next);
	if (m->attempts)
		printf("  tried %u times", m->attempts);
	printf("\n    from <");
	put_visible(m->sender);
	puts(">");
	for (size_t i = 0; i < m->nrecipients; i++) {
		printf("    to   <");
		put_visible(m->recipient[i].address);
		putchar('>');
		if (*m->recipient[i].reason) {
			printf("  (");
			put_visible(m->recipient[i].reason);
			putchar(')');
		}
		putchar('\n');
	}
}

static void list_json(const struct queue_item *m)
{
	struct buf b;

	buf_init(&b, 1 << 24);
	buf_puts(&b, "{\"id\":");
	admin_json_string(&b, m->id);
	buf_printf(&b, ",\"state\":\"%s\",\"sender\":", states[m->state]);
	admin_json_string(&b, m->sender);
	buf_printf(&b,
		   ",\"size\":%lld,\"arrival\":%lld,\"next\":%lld,"
		   "\"attempts\":%u,\"recipients\":[",
		   (long long)m->size, (long long)m->arrival,
		   (long long)m->next, m->attempts);
	for (size_t i = 0; i < m->nrecipients; i++) {
		buf_puts(&b, i ? ",{\"address\":" : "{\"address\":");
		admin_json_string(&b, m->recipient[i].address);
		buf_puts(&b, ",\"reason\":");
		admin_json_string(&b, m->recipient[i].reason);
		buf_putc(&b, '}');
	}
	buf_puts(&b, "]}");
	puts(b.data);
	buf_free(&b);
}

struct listing {
	bool json;
	size_t n;
};

static bool print_item(void *context, const struct queue_item *m)
{
	struct listing *l = context;

	l->n++;
	if (l->json)
		list_json(m);
	else
		list_text(m);
	return true;
}

/* Prints why the list may be incomplete; beside JSON, for people only. */
static void print_summary(const struct queue_summary *sum, FILE *to)
{
	struct buf remarks;

	buf_init(&remarks, 4096);
	if (queue_admin_remarks(sum->strange, sum->corrupt, sum->aside, "",
				&remarks))
		fputs(remarks.data, to);
	if (sum->scanning)
		fputs("the queue is still being looked through after a start: "
		      "more may wait\n",
		      stderr);
	buf_free(&remarks);
}

static int do_list(const struct admin *a, const char *socket, const char *id,
		   struct buf *why)
{
	struct listing l = { a->json, 0 };
	struct queue_summary sum = { .scanning = false };
	int err = queue_admin_list(socket, id, print_item, &l, &sum, why);

	if (err)
		return failed(err, id, why);
	if (!a->json && l.n == 0 && !sum.scanning && !sum.strange)
		puts("the queue is empty");
	else if (!a->json)
		printf("%zu message%s\n", l.n, l.n == 1 ? "" : "s");
	err_ignore(fflush(stdout)); /* main looks at the end */
	print_summary(&sum, a->json ? stderr : stdout);
	return EX_OK;
}

static int copy_out(int fd, off_t at, off_t n)
{
	char block[65536];

	while (n > 0) {
		size_t want =
			n < (off_t)sizeof(block) ? (size_t)n : sizeof(block);
		ssize_t got = pread(fd, block, want, at);

		if (got <= 0 ||
		    fwrite(block, 1, (size_t)got, stdout) != (size_t)got)
			return admin_fail(EX_IOERR, "cannot copy the message");
		at += got;
		n -= got;
	}
	return EX_OK;
}

static int do_show(const struct admin *a, const char *socket, const char *id,
		   struct buf *why)
{
	struct buf text;
	off_t offset, length;
	int fd, err, status = EX_OK;

	(void)a;
	buf_init(&text, 1 << 26);
	err = queue_admin_show(socket, id, &text, &fd, &offset, &length, why);
	if (err)
		return failed(err, id, why);
	fputs(text.data, stdout);
	buf_free(&text);
	if (fd >= 0) {
		putchar('\n');
		status = copy_out(fd, offset, length);
		close(fd);
	}
	return status;
}

static const struct {
	const char *name;
	size_t offset;
	bool flag;
} numbers[] = {
	{ "active", offsetof(struct queue_stats, active), false },
	{ "waiting", offsetof(struct queue_stats, waiting), false },
	{ "held", offsetof(struct queue_stats, held), false },
	{ "received", offsetof(struct queue_stats, received), false },
	{ "delivered", offsetof(struct queue_stats, delivered), false },
	{ "deferred", offsetof(struct queue_stats, deferred), false },
	{ "bounced", offsetof(struct queue_stats, bounced), false },
	{ "destinations", offsetof(struct queue_stats, destinations), false },
	{ "dead_destinations", offsetof(struct queue_stats, dead), false },
	{ "slow_destinations", offsetof(struct queue_stats, slow), false },
	{ "slow_deliveries", offsetof(struct queue_stats, slow_jobs), false },
	{ "slots", offsetof(struct queue_stats, slots), false },
	{ "strange", offsetof(struct queue_stats, strange), false },
	{ "corrupt", offsetof(struct queue_stats, corrupt), false },
	{ "aside", offsetof(struct queue_stats, aside), false },
	{ "scanning", offsetof(struct queue_stats, scanning), true },
	{ "intake_stopped", offsetof(struct queue_stats, intake_stopped),
	  true },
};

static long long number(const struct queue_stats *s, size_t row)
{
	const char *at = (const char *)s + numbers[row].offset;

	return numbers[row].flag
		       ? *(const bool *)at
		       : (long long)*(const int64_t *)(const void *)at;
}

void admin_print_stats_json(const struct queue_stats *s)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		printf("%s\"%s\":%lld", i ? "," : "{", numbers[i].name,
		       number(s, i));
	putchar('}');
}

static int do_stats(const struct admin *a, const char *socket, struct buf *why)
{
	struct queue_stats s;
	int err = queue_admin_stats(socket, &s, why);

	if (err)
		return failed(err, NULL, why);
	if (a->json) {
		admin_print_stats_json(&s);
		putchar('\n');
		return EX_OK;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		printf("%-18s %lld\n", numbers[i].name, number(&s, i));
	return EX_OK;
}

static int do_act(const char *socket, enum queue_action action, const char *id,
		  struct buf *why)
{
	int64_t count = 0;
	int err = queue_admin_act(socket, action, id, &count, why);

	if (err)
		return failed(err, id, why);
	printf("%lld message%s\n", (long long)count, count == 1 ? "" : "s");
	return EX_OK;
}

static const struct {
	const char *name;
	enum queue_action action;
} actions[] = {
	{ "hold", QUEUE_HOLD },	    { "release", QUEUE_RELEASE },
	{ "flush", QUEUE_FLUSH },   { "requeue", QUEUE_REQUEUE },
	{ "bounce", QUEUE_BOUNCE }, { "delete", QUEUE_DELETE },
};

static int dispatch(const struct admin *a, const char *socket, struct buf *why)
{
	const char *verb = a->argv[0];

	if (a->argc == 2 && !*a->argv[1])
		return admin_fail(EX_USAGE, "queue %s: the ID is empty", verb);
	if (strcmp(verb, "list") == 0 && a->argc <= 2)
		return do_list(a, socket, a->argc > 1 ? a->argv[1] : NULL, why);
	if (strcmp(verb, "stats") == 0 && a->argc == 1)
		return do_stats(a, socket, why);
	if (strcmp(verb, "show") == 0 && a->argc == 2)
		return do_show(a, socket, a->argv[1], why);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, verb) == 0 && a->argc == 2)
			return do_act(socket, actions[i].action, a->argv[1],
				      why);
	admin_fail(EX_USAGE,
		   "queue %s: no such command, or another number of "
		   "arguments",
		   verb);
	return admin_usage(a, help);
}

int admin_queue(const struct admin *a)
{
	char *socket;
	struct buf why;
	int status;

	if (a->argc == 0 || a->help)
		return admin_usage(a, help);
	socket = admin_socket(a, "qmgr");
	buf_init(&why, 4096);
	status = dispatch(a, socket, &why);
	buf_free(&why);
	free(socket);
	return status;
}
