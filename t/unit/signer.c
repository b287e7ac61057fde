/*
 * For which domain a message of ours is signed: that of the author whom readers
 * see, also after a row has changed it, if who sends it may write as that.
 *
 * link: t/lib/bed.c
 */
#include "intake/intake.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "client/account.h"
#include "client/check.h"
#include "intake/edit.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

/* In place of authcheck and accountd: */

static char asked[256]; /* the domain of the last signature */

int check_sign(int fd, off_t offset, off_t length, const char *domain,
	       struct buf *fields, int64_t ms)
{
	(void)fd, (void)offset, (void)length, (void)ms;
	str_copy(asked, sizeof(asked), domain);
	buf_puts(fields, "DKIM-Signature: x\r\n");
	return ERR_OK;
}

int check_verify(const struct check_request *r, struct check_verdict *v,
		 struct buf *fields, int64_t ms)
{
	(void)r, (void)v, (void)fields, (void)ms;
	return ERR_TEMP;
}

enum account_status account_may_send(const char *user, const char *address)
{
	const char *domain = strchr(address, '@') + 1;

	(void)user;
	return strcmp(domain, "ours.test") && strcmp(domain, "second.test")
		       ? ACCOUNT_NONE
		       : ACCOUNT_FOUND;
}

static const char *new_from; /* what the row makes of From, or NULL */

static enum intake_action on_end(const struct intake_question *q,
				 struct answer *a)
{
	struct intake_header *h = intake_header(q->intake);

	(void)a;
	if (new_from)
		ok(intake_header_change(h, intake_header_find(h, "From", 0),
					new_from),
		   "From is changed");
	return INTAKE_ACCEPT;
}

static const struct intake_row rows[] = {
	{ "end", INTAKE_END, INTAKE_ALL, on_end },
	{ NULL, INTAKE_END, 0, NULL },
};

static const struct {
	const char *promise;
	const char *client; /* "" for a local program */
	const char *login, *sender;
	const char *from, *new_from;
	const char *domain; /* "": not signed */
} cases[] = {
	{ "a login's author", "192.0.2.1", "u@ours.test", "u@ours.test",
	  "u@second.test", NULL, "second.test" },
	{ "another one by a row", "192.0.2.1", "u@ours.test", "u@ours.test",
	  "u@ours.test", "u@second.test", "second.test" },
	{ "one whom the login may not write as, by a row", "192.0.2.1",
	  "u@ours.test", "u@ours.test", "u@ours.test", "ceo@bank.test", "" },
	{ "a program's sender", "", "root@ours.test", "root@second.test",
	  "root@ours.test", NULL, "second.test" },
	{ "a notice of our own domain", "", "root@ours.test", "",
	  "Root <root@ours.test>", NULL, "ours.test" },
	{ "a notice of another domain", "", "root@ours.test", "",
	  "root@second.test", NULL, "" },
	{ "a notice in which readers may see another", "", "root@ours.test",
	  "", "root@ours.test <ceo@bank.test", NULL, "" },
	{ "a notice by two of us", "", "root@ours.test", "",
	  "root@ours.test, ceo@ours.test", NULL, "ours.test" },
};

static void post(struct intake *in, size_t i)
{
	struct envelope_recipient r = { "ok1@remote.test", 0, "" };
	struct envelope e = { .sender = cases[i].sender,
			      .recipient = &r,
			      .nrecipients = 1,
			      .client = cases[i].client,
			      .login = cases[i].login };
	struct answer a;

	e.envid = e.ret = e.body = e.client_name = e.helo = e.protocol = e.tls =
		e.prologue = e.hold = "";
	new_from = cases[i].new_from;
	asked[0] = '\0';
	ok(intake_begin(in, INTAKE_SUBMITTED, &e, &a), "begun");
	intake_write(in, "From: ", 6);
	intake_write(in, cases[i].from, strlen(cases[i].from));
	intake_write(in, "\r\n\r\nbody\r\n", 10);
	ok(intake_end(in, "client=test", &a), "taken: %s", a.text);
	is(asked, cases[i].domain, cases[i].promise);
}

int main(void)
{
	static const char *const lines[] = { "myhostname=mail.local.test",
					     "smtpd_from_login_mismatch=nosign",
					     "authcheck_incoming=no" };
	struct queue_receiver *r = bed_begin();
	struct config *c;
	struct intake *in;
	struct buf faults;

	if (!r)
		return 0;
	buf_init(&faults, 1 << 16);
	c = config_load(NULL, lines, 3, &faults);
	in = intake_new(c, rows);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		post(in, i);
	intake_free(&in);
	config_free(&c);
	buf_free(&faults);
	bed_end(r);
	return done();
}
