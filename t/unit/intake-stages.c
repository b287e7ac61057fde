/* Rows of a stage: which are asked, and which of their answers counts. */
#include "intake/intake.h"

#include "base/str.h"
#include "t/unit/tap.h"

static enum intake_action accept(const struct intake_question *q,
				 struct answer *a)
{
	(void)q;
	answer_set(a, "fine");
	return INTAKE_ACCEPT;
}

static enum intake_action doubt(const struct intake_question *q,
				struct answer *a)
{
	(void)q;
	answer_set(a, "odd");
	return INTAKE_QUARANTINE;
}

static enum intake_action refuse(const struct intake_question *q,
				 struct answer *a)
{
	return intake_no(a, "%d 4.7.1 %s", *(int *)q->session,
			 q->address ? q->address->local : "");
}

static void test_stages(void)
{
	static const struct intake_row table[] = {
		{ "yes", INTAKE_MAIL, INTAKE_ALL, accept },
		{ "doubt", INTAKE_MAIL, INTAKE_OUTSIDE, doubt },
		{ "no", INTAKE_RCPT, INTAKE_ALL, refuse },
		{ "never", INTAKE_RCPT, INTAKE_ALL, doubt },
		{ NULL, INTAKE_END, 0, NULL },
	};
	int code = 450;
	struct address address = { .local = "joe" };
	struct intake_question q = { .stage = INTAKE_MAIL,
				     .kind = INTAKE_OUTSIDE,
				     .session = &code,
				     .address = &address };
	const char *name = NULL;
	struct answer a;

	ok(intake_ask(table, &q, &a, &name) == INTAKE_QUARANTINE &&
		   str_equal(name, "doubt"),
	   "the gravest action counts");
	is(a.text, "odd", "with its reason");
	q.kind = INTAKE_SUBMITTED;
	ok(intake_ask(table, &q, &a, &name) == INTAKE_ACCEPT,
	   "a row is for its kinds of mail");
	q.stage = INTAKE_RCPT;
	ok(intake_ask(table, &q, &a, &name) == INTAKE_DEFER, "4xx defers");
	is(a.text, "450 4.7.1 joe", "of the address that is asked about");
	code = 550;
	ok(intake_ask(table, &q, &a, NULL) == INTAKE_REFUSE, "5xx refuses");
	q.stage = INTAKE_CONNECT;
	ok(intake_ask(table, &q, &a, NULL) == INTAKE_ACCEPT &&
		   intake_ask(NULL, &q, &a, NULL) == INTAKE_ACCEPT,
	   "without a row all is accepted");
}

int main(void)
{
	test_stages();
	return done();
}
