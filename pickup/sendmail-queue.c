/*
 * mailq and -q. The list is, byte for byte, that of Postfix with long queue
 * ids, since monitoring tools read it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "pickup/sendmail.h"

struct totals {
	int64_t messages;
	int64_t bytes;
};

static const char *socket_path(const struct sendmail *s)
{
	return arena_printf(s->arena, "%s/public/qmgr",
			    config_string(s->config, "run_directory"));
}

/* Untrusted: it must not reach the terminal unescaped. */
static void put_visible(const char *text)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	encode_visible(&b, text, strlen(text));
	fputs(b.data, stdout);
	buf_free(&b);
}

static void print_recipients(const struct queue_item *m)
{
	const char *reason = "";

	for (size_t i = 0; i < m->nrecipients; i++) {
		const struct queue_item_recipient *r = &m->recipient[i];
		int left = 76 - (int)strlen(r->reason);

		/* a reason comes before all recipients that share it */
		if (*r->reason && strcmp(reason, r->reason) != 0) {
			printf("%*s(", left > 0 ? left : 0, "");
			put_visible(r->reason);
			puts(")");
		}
		reason = r->reason;
		printf("%47s", "");
		put_visible(r->address);
		putchar('\n');
	}
	putchar('\n');
}

static bool print_item(void *context, const struct queue_item *m)
{
	struct totals *t = context;
	char id[64], date[CLOCK_DATE_SIZE];
	int left;

	if (t->messages++ == 0)
		puts("----Queue ID----- --Size-- ---Arrival Time---- "
		     "--Sender/Recipient------");
	t->bytes += m->size;
	snprintf(id, sizeof(id), "%s%s", m->id,
		 m->state == QUEUE_ACTIVE ? "*"
		 : m->state == QUEUE_HELD ? "!"
					  : "");
	/* an id of 17 characters and its mark use up the blank before the
	 * size */
	left = 26 - (int)strlen(id);
	/* the year is left out, as in Postfix */
	printf("%s%*" PRId64 " %-19.19s ", id, left > 1 ? left : 1, m->size,
	       clock_mbox_date(date, sizeof(date), (time_t)m->arrival));
	put_visible(*m->sender ? m->sender : "MAILER-DAEMON");
	putchar('\n');
	print_recipients(m);
	return true;
}

/* The report while qmgr does not answer: only qmgr knows the queue, so only the
 * drop folder can be listed. */
static int report_down(const struct buf *why, int drop)
{
	sendmail_fail(EX_UNAVAILABLE,
		      "Queue report unavailable - mail system is down: %s",
		      why->data);
	if (drop == ERR_DENIED)
		sendmail_fail(EX_UNAVAILABLE,
			      "what waits in the drop folder only root can "
			      "list");
	return EX_UNAVAILABLE;
}

/* What follows the messages: lines of text that no parser of the list takes
 * for one. */
static void print_end(const struct totals *t, const struct queue_summary *sum,
		      bool whole)
{
	struct buf remarks;
	bool any;

	buf_init(&remarks, 4096);
	any = queue_admin_remarks(sum->strange, sum->corrupt, sum->aside,
				  "-- ", &remarks);
	if (t->messages > 0)
		printf("-- %" PRId64 " Kbytes in %" PRId64 " Request%s.\n",
		       t->bytes / 1024, t->messages,
		       t->messages == 1 ? "" : "s");
	else if (whole && !sum->scanning && !sum->strange)
		puts("Mail queue is empty");
	if (any)
		fputs(remarks.data, stdout);
	if (sum->scanning)
		puts("-- The queue is still being looked through: more may "
		     "wait.");
	buf_free(&remarks);
}

int sendmail_list(struct sendmail *s)
{
	int err, drop, written, status = EX_OK;
	struct totals t = { 0 };
	struct queue_summary sum = { .scanning = false };
	struct buf why;

	file_begin_output();
	buf_init(&why, 4096);
	err = queue_admin_list(socket_path(s), NULL, print_item, &t, &sum,
			       &why);
	drop = sendmail_list_drop(s, print_item, &t);
	print_end(&t, &sum, !err);
	if (drop && drop != ERR_DENIED)
		status = sendmail_fail(EX_IOERR, "the drop folder: %s",
				       err_why(drop));
	written = file_end_output();
	if (written)
		status = sendmail_fail(EX_IOERR, "%s", err_why(written));
	if (err)
		status = report_down(&why, drop);
	buf_free(&why);
	return status;
}

int sendmail_flush(struct sendmail *s)
{
	const char *id = s->options->flush_id ? s->options->flush_id : "ALL";
	struct buf why;
	int64_t count;
	int err, status = EX_OK;

	buf_init(&why, 4096);
	err = queue_admin_act(socket_path(s), QUEUE_FLUSH, id, &count, &why);
	if (err)
		status = sendmail_fail(err == ERR_DENIED      ? EX_NOPERM
				       : err == ERR_NOT_FOUND ? EX_DATAERR
							      : EX_UNAVAILABLE,
				       "%s: %s", id, why.data);
	buf_free(&why);
	return status;
}
