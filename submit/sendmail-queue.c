/*
 * mailq and -q. The list is byte for byte that of Postfix, since monitoring
 * tools read it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/err.h"
#include "queue/admin.h"
#include "submit/sendmail.h"

struct totals {
	int64_t messages;
	int64_t bytes;
};

static const char *socket_path(const struct sendmail *s)
{
	return arena_printf(s->arena, "%s/public/qmgr",
			    config_string(s->config, "run_directory"));
}

static void print_recipients(const struct queue_item *m)
{
	const char *reason = "";

	for (size_t i = 0; i < m->nrecipients; i++) {
		const struct queue_item_recipient *r = &m->recipient[i];
		int left = 76 - (int)strlen(r->reason);

		/* one reason stands before all recipients that share it */
		if (*r->reason && strcmp(reason, r->reason) != 0)
			printf("%*s(%s)\n", left > 0 ? left : 0, "", r->reason);
		reason = r->reason;
		printf("%41s%s\n", "", r->address);
	}
	putchar('\n');
}

static bool print_item(void *context, const struct queue_item *m)
{
	struct totals *t = context;
	char id[64], date[CLOCK_DATE_SIZE];

	if (t->messages++ == 0)
		printf("%-11s %7s %-20s %s\n", "-Queue ID-", "--Size--",
		       "----Arrival Time----", "-Sender/Recipient-------");
	t->bytes += m->size;
	snprintf(id, sizeof(id), "%s%s", m->id,
		 m->state == QUEUE_ACTIVE ? "*"
		 : m->state == QUEUE_HELD ? "!"
					  : " ");
	/* the year is left out, as in Postfix */
	printf("%-11s %7" PRId64 " %-20.19s %s\n", id, m->size,
	       clock_mbox_date(date, sizeof(date), (time_t)m->arrival),
	       *m->sender ? m->sender : "MAILER-DAEMON");
	print_recipients(m);
	return true;
}

int sendmail_list(struct sendmail *s)
{
	struct totals t = { 0 };
	struct buf why;
	int err;

	buf_init(&why, 4096);
	err = queue_admin_list(socket_path(s), NULL, print_item, &t, &why);
	if (err)
		sendmail_fail(EX_UNAVAILABLE,
			      "Queue report unavailable - mail system is "
			      "down: %s",
			      why.data);
	else if (t.messages == 0)
		puts("Mail queue is empty");
	else
		printf("-- %" PRId64 " Kbytes in %" PRId64 " Request%s.\n",
		       t.bytes / 1024, t.messages, t.messages == 1 ? "" : "s");
	buf_free(&why);
	return err ? EX_UNAVAILABLE : EX_OK;
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
				       "%s", why.data);
	buf_free(&why);
	return status;
}
