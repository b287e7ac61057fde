/*
 * A message on its way through the intake, cut into pieces, with a row that
 * edits its header as the first bytes say. The queue is played here, in
 * memory. What is queued has our Received first, none of the fields that
 * nobody else may write, and the body that came.
 */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "intake/edit.h"
#include "intake/intake.h"
#include "mime/field.h"
#include "qmgr/receive.h"
#include "smtp/data.h"

FUZZ_SEEDS("\001\002Subject: x\r\nFrom: a@b.test\r\n\r\nbody\r\n",
	   "\003\001Received: x\r\n\ty\r\nReturn-Path: <a>\r\nno field\r\n",
	   "\004\002From joe Mon\r\nBcc: a\r\nX : y\r\n\r\n",
	   "\006\003Authentication-Results: mail.test; spf=pass\r\n\r\n\r\n",
	   "\005\010\r\n\r\nbody", "\002\001a:b\r\n c\r\n\t\r\n\r\n.\r\n")

struct queue_receiver {
	struct buf content;
	bool begun;
	int file;
};

static struct {
	struct queue_receiver queue;
	char edit; /* which one the row makes */
} self;

struct queue_receiver *queue_receiver_new(void)
{
	buf_init(&self.queue.content, 1 << 24);
	self.queue.file = -1;
	return &self.queue;
}

void queue_receiver_free(struct queue_receiver **r)
{
	buf_free(&(*r)->content);
	*r = NULL;
}

int queue_begin(struct queue_receiver *r)
{
	buf_reset(&r->content);
	r->begun = true;
	return ERR_OK;
}

const char *queue_id(const struct queue_receiver *r)
{
	return r ? "ID" : "";
}

int queue_write(struct queue_receiver *r, const void *data, size_t n)
{
	FUZZ_CHECK(r->begun);
	buf_put(&r->content, data, n);
	return ERR_OK;
}

int queue_flush(struct queue_receiver *r)
{
	if (r->file >= 0)
		close(r->file);
	r->file = memfd_create("slot", MFD_CLOEXEC);
	return file_write(r->file, r->content.data, r->content.len);
}

int queue_file(const struct queue_receiver *r, off_t *offset, off_t *length)
{
	*offset = 0;
	*length = (off_t)r->content.len;
	return r->file;
}

int queue_replace_head(struct queue_receiver *r, size_t n, const void *data,
		       size_t m)
{
	struct buf b;

	FUZZ_CHECK(n <= r->content.len);
	buf_init(&b, r->content.max);
	buf_put(&b, data, m);
	buf_put(&b, r->content.data + n, r->content.len - n);
	buf_free(&r->content);
	r->content = b;
	return ERR_OK;
}

int queue_restart(struct queue_receiver *r)
{
	buf_reset(&r->content);
	return ERR_OK;
}

int queue_commit(struct queue_receiver *r, const struct envelope *e)
{
	FUZZ_CHECK(r->begun && e->nrecipients > 0);
	r->begun = false;
	return ERR_OK;
}

void queue_abandon(struct queue_receiver *r)
{
	r->begun = false;
}

static enum intake_action edit(const struct intake_question *q,
			       struct answer *a)
{
	struct intake_header *h = intake_header(q->intake);
	const size_t at = (unsigned char)self.edit / 8 % (h->n + 1);

	(void)a;
	if (self.edit & 1)
		FUZZ_CHECK(intake_header_insert(h, at, "X-New", "x\r\n\ty"));
	if (self.edit & 2 && at > 0)
		intake_header_change(h, at, "changed");
	if (self.edit & 4 && at > 1)
		intake_header_remove(h, at - 1);
	return INTAKE_ACCEPT;
}

static enum intake_action look(const struct intake_question *q,
			       struct answer *a)
{
	off_t offset, length, body;

	(void)a;
	FUZZ_CHECK(intake_file(q->intake, &offset, &length, &body) >= 0 &&
		   body <= length);
	return INTAKE_ACCEPT;
}

static const struct intake_row rows[] = {
	{ "edit", INTAKE_HEADER, INTAKE_ALL, edit },
	{ "look", INTAKE_END, INTAKE_ALL, look },
	{ NULL, INTAKE_END, 0, NULL },
};

/* The fields of what was queued are well formed, and none is a stranger's
 * that only we may write. */
static void check_header(const struct buf *b, bool submitted)
{
	const char *pos = b->data, *end;
	struct mime_field f;
	size_t n = mime_header_size(b->data, b->len), fields = 0;

	FUZZ_CHECK(n >= 4 && memcmp(b->data + n - 4, "\r\n\r\n", 4) == 0);
	for (end = b->data + n; mime_field_next(&pos, end, &f); fields++) {
		FUZZ_CHECK(f.nname > 0);
		FUZZ_CHECK(!mime_field_is(&f, "Return-Path"));
		FUZZ_CHECK(!submitted || !mime_field_is(&f, "Bcc"));
	}
	FUZZ_CHECK(fields > 0 || self.edit & 4);
}

static void check_body(const struct buf *queued, const struct buf *came)
{
	const size_t n = mime_header_end(came->data, came->len, 0);
	size_t body = n ? came->len - n : 0;

	FUZZ_CHECK(queued->len >= body &&
		   memcmp(queued->data + queued->len - body,
			  came->data + came->len - body, body) == 0);
}

static int collect(void *context, const void *data, size_t n)
{
	buf_put(context, data, n);
	return ERR_OK;
}

/* Mail has CRLF line ends when it comes here. */
static void make_lines(struct buf *out, const char *data, size_t n)
{
	struct smtp_data_reader r;
	size_t used;

	buf_init(out, 1 << 24);
	smtp_data_begin(&r, false, collect, out);
	FUZZ_CHECK(smtp_data_read(&r, data, n, &used) == ERR_OK);
	FUZZ_CHECK(smtp_data_finish(&r) == ERR_OK);
}

void fuzz_one(const char *data, size_t n)
{
	static const char *const lines[] = { "authcheck_incoming=no",
					     "myhostname=mail.test",
					     "message_reject_characters=",
					     "log_target=/dev/null" };
	static struct config *config;
	static struct intake *in;
	struct envelope_recipient to = { .address = "b@c.test", .orcpt = "" };
	struct envelope e = { "a@b.test", &to, 1, "", "", "", .client = "" };
	enum intake_kind kind;
	struct answer a;
	struct buf text;

	if (n < 2)
		return;
	if (!in) {
		buf_init(&text, 1 << 16);
		config = config_load(NULL, lines, 4, &text);
		in = intake_new(config, rows);
		buf_free(&text);
	}
	self.edit = data[0];
	kind = data[1] & 1 ? INTAKE_RELAYED : INTAKE_OUTSIDE;
	FUZZ_CHECK(config); /* the intake reads it */
	e.client_name = e.helo = e.login = e.protocol = e.tls = e.hold =
		e.prologue = "";
	make_lines(&text, data + 2, n - 2);
	FUZZ_CHECK(intake_begin(in, kind, &e, &a));
	for (size_t i = 0; i < text.len; i += (unsigned char)data[1] + 1) {
		size_t left = text.len - i, piece = (unsigned char)data[1] + 1;

		intake_write(in, text.data + i, left < piece ? left : piece);
	}
	if (intake_end(in, "client=fuzz", &a)) {
		check_header(&self.queue.content, kind == INTAKE_SUBMITTED);
		check_body(&self.queue.content, &text);
	}
	buf_free(&text);
}
