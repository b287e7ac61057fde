/*
 * The intake between a receiver and the real qmgr: rows of every stage, what
 * they decide, and what they change.
 *
 * link: t/lib/bed.c
 */
#include "intake/intake.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "intake/edit.h"
#include "t/unit/intake-lib.h"

/* What the rows below do, by the word in X-Test of the message. */
static struct {
	int asked[INTAKE_END + 1];
	size_t body;
} self;

static bool is_test(const struct intake_question *q, const char *word)
{
	struct intake_header *h = intake_header(q->intake);
	size_t at = intake_header_find(h, "X-Test", 0);
	struct buf value;
	bool good;

	if (at == h->n)
		return false;
	buf_init(&value, 1000);
	intake_header_value(h, at, &value);
	good = strcmp(value.data, word) == 0;
	buf_free(&value);
	return good;
}

static void edit_header(struct intake_header *h)
{
	size_t at = intake_header_find(h, "Subject", 0);

	ok(intake_header_change(h, at, "[seen] it"), "a field is changed");
	ok(intake_header_insert(h, at, "X-Before", "a\r\n\tfold"),
	   "one is inserted");
	ok(intake_header_insert(h, h->n, "X-Last", "z"), "one is added");
	intake_header_remove(h, intake_header_find(h, "X-Gone", 0));
	ok(!intake_header_insert(h, 0, "X-Bad", "a\r\nBcc: b") &&
		   !intake_header_insert(h, 0, "X-Bad", "a\nb") &&
		   !intake_header_insert(h, 0, "X-Bad", "a\r\n \r\n b") &&
		   !intake_header_insert(h, 0, "X Bad", "a") &&
		   !intake_header_insert(h, 0, "X:", "a") &&
		   !intake_header_insert(h, 99, "X", "a") &&
		   !intake_header_change(h, 99, "a"),
	   "no value can end the field that it stands in");
}

static enum intake_action on_header(const struct intake_question *q,
				    struct answer *a)
{
	self.asked[INTAKE_HEADER]++;
	if (is_test(q, "refuse"))
		return intake_no(a, "550 5.7.1 no");
	if (is_test(q, "edit") || is_test(q, "edit large"))
		edit_header(intake_header(q->intake));
	return INTAKE_ACCEPT;
}

static enum intake_action on_body(const struct intake_question *q,
				  struct answer *a)
{
	self.asked[INTAKE_BODY]++;
	self.body += q->n;
	if (!is_test(q, "later"))
		return INTAKE_ACCEPT;
	return intake_no(a, "451 4.7.1 later");
}

/* Rows see the message as it came. */
static bool file_is(struct intake *in, const char *text)
{
	off_t offset, length, body;
	int fd = intake_file(in, &offset, &length, &body);
	char *data = mem_alloc((size_t)length + 1);
	bool good = fd >= 0 && !file_pread(fd, data, (size_t)length, offset) &&
		    strstr(data, text) && data[body - offset - 1] == '\n';

	free(data);
	return good;
}

/* As two filters do, one after the other. */
static void put_bodies(struct intake *in)
{
	intake_new_body(in);
	ok(intake_put_body(in, "body of the first\r\n", 19), "another body");
	intake_new_body(in);
	ok(intake_put_body(in, "new ", 4) &&
		   intake_put_body(in, "body\r\n", 6),
	   "and one instead of it");
}

static enum intake_action on_end(const struct intake_question *q,
				 struct answer *a)
{
	struct intake *in = q->intake;

	self.asked[INTAKE_END]++;
	if (is_test(q, "edit") || is_test(q, "edit large"))
		ok(file_is(in, "X-Gone: x\r\n"), "END sees what came");
	if (is_test(q, "body"))
		put_bodies(in);
	if (is_test(q, "envelope")) {
		ok(intake_change_sender(in, "other@remote.test") &&
			   intake_add_recipient(in, "ok8@Remote.Test") &&
			   intake_remove_recipient(in, "ok1@remote.test"),
		   "another envelope");
		ok(!intake_change_sender(in, "a b") &&
			   !intake_add_recipient(in, "x@y> NOTIFY=NEVER <z") &&
			   !intake_remove_recipient(in, "ok7@remote.test"),
		   "of addresses alone");
	}
	if (is_test(q, "nobody") || is_test(q, "redirect"))
		ok(intake_remove_recipient(in, "OK1@remote.test"),
		   "no recipient is left");
	if (is_test(q, "redirect"))
		ok(intake_add_recipient(in, "m\xc3\xbcller@remote.test") &&
			   intake_remove_recipient(
				   in, "m\xc3\xbcller@remote.test") &&
			   intake_add_recipient(in, "ok8@remote.test"),
		   "another one is");
	answer_set(a, "as the test wants");
	if (is_test(q, "discard"))
		return INTAKE_DISCARD;
	return is_test(q, "quarantine") ? INTAKE_QUARANTINE : INTAKE_ACCEPT;
}

static const struct intake_row rows[] = {
	{ "header", INTAKE_HEADER, INTAKE_ALL, on_header },
	{ "body", INTAKE_BODY, INTAKE_ALL, on_body },
	{ "end", INTAKE_END, INTAKE_OUTSIDE | INTAKE_RELAYED, on_end },
	{ NULL, INTAKE_END, 0, NULL },
};

#define HEAD "From: a@b.test\r\nX-Gone: x\r\nSubject: it\r\nX-Test: "

/* A message of the test WORD to TO with SIZE more bytes of body; the answer
 * in A. */
static bool post(struct intake *in, const char *word, const char *to,
		 size_t size, struct answer *a)
{
	struct envelope_recipient r = { .address = to, .orcpt = "" };
	struct envelope e = { .sender = "sender@remote.test",
			      .recipient = &r,
			      .nrecipients = 1,
			      .envid = "",
			      .ret = "",
			      .body = "",
			      .client = "192.0.2.1",
			      .client_name = "",
			      .helo = "x",
			      .login = "",
			      .protocol = "ESMTP",
			      .tls = "",
			      .prologue = "",
			      .hold = "" };
	char line[] = "1234567890123456789012345678901234567890\r\n";

	memset(&self, 0, sizeof(self));
	if (!intake_begin(in, INTAKE_RELAYED, &e, a))
		return false;
	intake_write(in, HEAD, strlen(HEAD));
	intake_write(in, word, strlen(word));
	intake_write(in, "\r\n\r\nbody\r\n", 10);
	for (size_t n = 0; n < size; n += 42)
		intake_write(in, line, 42);
	return intake_end(in, "client=test", a);
}

static void test_decisions(struct intake *in)
{
	static const enum queue_state held = QUEUE_HELD;
	struct answer a;
	struct found f;
	struct buf why;
	int64_t n;

	ok(!post(in, "refuse", "ok1@remote.test", 0, &a), "refused");
	is(a.text, "550 5.7.1 no", "with the row's words");
	ok(self.asked[INTAKE_END] == 0, "and later rows are not asked");
	ok(!post(in, "later", "ok1@remote.test", 9000, &a) && self.body >= 6,
	   "rows see the body");
	is(a.text, "451 4.7.1 later", "and may put it off");
	ok(post(in, "discard", "ok1@remote.test", 0, &a), "discarded");
	ok(str_starts(a.text, "250 2.0.0"), "which the client is not told");
	ok(post(in, "nobody", "ok1@remote.test", 0, &a), "without recipients");
	ok(bed_in_queue() == 0, "nothing of these is in the queue");
	ok(post(in, "quarantine", "ok1@remote.test", 0, &a), "quarantined");
	ok(bed_wait(is_alone, &held), "is held in the queue");
	bed_end_qmgr(9);
	bed_start_qmgr();
	ok(bed_wait(is_alone, &held), "after a crash, too");
	buf_init(&why, 1000);
	f = find();
	bed_forget_record();
	ok(!queue_admin_act(bed.public, QUEUE_RELEASE, f.id, &n, &why) &&
		   bed_wait(bed_is_recorded, "to=<ok1@remote.test>"),
	   "until it is released");
	buf_free(&why);
	ok(bed_wait(bed_is_empty, NULL), "and delivered");
}

static bool is_edited(const char *data, size_t size)
{
	const char *head = strstr(data, "From: a@b.test\r\nX-Before: a\r\n\t"
					"fold\r\nSubject: [seen] it\r\n"
					"X-Test: ");
	const char *last =
		head ? strstr(head, "\r\nX-Last: z\r\n\r\nbody\r\n") : NULL;

	return str_starts(data, "Received: ") && last &&
	       strlen(last) >= 21 + size && !strstr(data, "X-Gone");
}

static void test_edits(struct intake *in, const char *word, size_t size)
{
	static const enum queue_state waits = QUEUE_WAITING;
	struct answer a;
	char *data;

	ok(post(in, word, "defer9@remote.test", size, &a), "%zu bytes", size);
	ok(bed_wait(is_alone, &waits), "are in the queue");
	data = content();
	ok(is_edited(data, size), "with the header that was wanted");
	free(data);
	bed_end_qmgr(9);
	bed_start_qmgr();
	ok(bed_wait(is_alone, &waits), "and found again: their checksum is so");
	empty();
}

static void test_body(struct intake *in, size_t size)
{
	static const enum queue_state waits = QUEUE_WAITING;
	struct answer a;
	char *data;
	const char *body;

	ok(post(in, "body", "defer9@remote.test", size, &a), "%zu bytes", size);
	ok(bed_wait(is_alone, &waits), "are in the queue");
	data = content();
	body = strstr(data, "\r\n\r\n");
	is(body, "\r\n\r\nnew body\r\n", "with another body");
	free(data);
	empty();
}

static void test_envelope(struct intake *in)
{
	struct answer a;

	bed_forget_record();
	ok(post(in, "envelope", "ok1@remote.test", 0, &a), "taken");
	ok(bed_wait(bed_is_recorded,
		    "from=<other@remote.test> to=<ok8@remote.test>"),
	   "goes to whom the row wants, in whose name it wants");
	ok(bed_wait(bed_is_empty, NULL) &&
		   bed_occurs(bed.record, "to=<ok1@remote.test>") == 0,
	   "and to nobody else");
}

/* What a row took back leaves no trace: neither having no recipient … */
static void test_redirect(struct intake *in)
{
	struct answer a;

	bed_forget_record();
	ok(post(in, "redirect", "ok1@remote.test", 0, &a), "redirected");
	ok(bed_wait(bed_is_recorded, "to=<ok8@remote.test>"),
	   "goes to the other one");
	/* … nor an address that only some hosts take */
	ok(bed_wait(bed_is_empty, NULL) &&
		   bed_occurs(bed.record, "SMTPUTF8") == 0,
	   "and any host may have it");
}

/* A header of many small fields costs no more than its size. */
static void test_many_fields(struct intake *in)
{
	static const char *const lines[] = {
		"Return-Path:\r\n",
		"Authentication-Results: mail.local.test;\r\n"
	};

	static const char end[] = "X-Test: discard\r\n\r\nbody\r\n";

	for (size_t i = 0; i < 2; i++) {
		struct envelope_recipient r = { "ok1@remote.test", 0, "" };
		struct envelope e = { .sender = "a@b.test",
				      .recipient = &r,
				      .nrecipients = 1 };
		size_t n = strlen(lines[i]);
		clock_t start = clock();
		struct answer a;

		e.envid = e.ret = e.body = e.client = e.client_name = e.helo =
			e.login = e.protocol = e.tls = e.hold = e.prologue = "";
		ok(intake_begin(in, INTAKE_RELAYED, &e, &a), "begun");
		for (size_t size = n; size < QUEUE_HEADER_MAX - 100; size += n)
			intake_write(in, lines[i], n);
		intake_write(in, end, sizeof(end) - 1);
		intake_end(in, "client=test", &a);
		ok((clock() - start) / CLOCKS_PER_SEC < 1,
		   "%zu fields that go: %s", QUEUE_HEADER_MAX / n, a.text);
	}
}

int main(void)
{
	static const char *const lines[] = { "myhostname=mail.local.test",
					     "authcheck_incoming=no" };
	struct queue_receiver *r = bed_begin();
	struct config *c;
	struct intake *in;
	struct buf faults;

	if (!r)
		return 0;
	buf_init(&faults, 1 << 16);
	c = config_load(NULL, lines, 2, &faults);
	in = intake_new(c, rows);
	test_decisions(in);
	test_edits(in, "edit", 0);
	test_edits(in, "edit", 29000);
	test_edits(in, "edit large", 200000);
	test_body(in, 0);
	test_body(in, 200000);
	test_envelope(in);
	test_redirect(in);
	test_many_fields(in);
	intake_free(&in);
	config_free(&c);
	buf_free(&faults);
	bed_end(r);
	return done();
}
