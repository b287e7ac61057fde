/*
 * Sending the message on standard input: its header is read first, since it
 * may name the recipients (-t) and lack fields; then a posting is made of the
 * envelope, the header and the rest (intake/posting.h), and handed to pickup,
 * or put into the drop folder if that does not run. Until then nothing is
 * promised: a failure ends with an exit status from sysexits.h, which says
 * what the caller can do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address/address.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "intake/posting.h"
#include "pickup/sendmail.h"

#define HEADER_MAX (16 << 20)
#define HAND_OVER_MS 300000
#define PIECE 65536

/* Standard input, a line at a time. */
struct input {
	char *line;
	size_t cap;
	ssize_t n; /* of the line, with its LF */
	bool dots; /* a lone dot ends the message */
	bool over;
	int errnum; /* why it could not be read, or 0 */
};

/* The message before it is handed over. */
struct outgoing {
	struct sendmail *s;
	struct input in;
	struct buf header;
	bool gap; /* an empty line ended the header */
	struct strlist recipients;
	struct envelope envelope;
	int fd;
	struct buf text; /* not yet written to it */
	off_t begin;	 /* of the message in it */
	int64_t size, limit;
};

/* False at the end. */
static bool next_line(struct input *in)
{
	if (in->over)
		return false;
	in->n = getline(&in->line, &in->cap, stdin);
	if (in->n < 0 && !feof(stdin))
		in->errnum = errno;
	if (in->n > 0 && in->dots &&
	    (strcmp(in->line, ".\n") == 0 || strcmp(in->line, ".\r\n") == 0 ||
	     strcmp(in->line, ".") == 0))
		in->n = -1;
	in->over = in->n <= 0;
	return !in->over;
}

static bool is_empty(const struct input *in)
{
	return strcmp(in->line, "\n") == 0 || strcmp(in->line, "\r\n") == 0;
}

/* A printable name, then a colon; or the continuation of a field (RFC 5322
 * section 2.2); or the first line of an mbox. */
static bool is_field_line(const struct input *in, bool first)
{
	const char *p = in->line;

	if (!first && (*p == ' ' || *p == '\t'))
		return true;
	if (first &&
	    (strncmp(p, "From ", 5) == 0 || strncmp(p, ">From ", 6) == 0))
		return true;
	while (*p > ' ' && *p < 0x7f && *p != ':')
		p++;
	if (p == in->line)
		return false;
	p += strspn(p, " \t");
	return *p == ':';
}

/* Reads the header; the line that ended it stays in IN unless it is empty. */
static bool read_header(struct outgoing *m)
{
	while (next_line(&m->in)) {
		if (is_empty(&m->in)) {
			m->gap = true;
			break;
		}
		if (!is_field_line(&m->in, m->header.len == 0))
			break;
		buf_put(&m->header, m->in.line, (size_t)m->in.n);
	}
	return !m->header.over;
}

static int refuse_control(const char *recipient)
{
	struct buf visible;
	int status;

	buf_init(&visible, 1 << 20);
	encode_visible(&visible, recipient, strlen(recipient));
	status = sendmail_fail(EX_USAGE,
			       "control character in recipient address: %s",
			       visible.data);
	buf_free(&visible);
	return status;
}

static int add_arguments(struct outgoing *m)
{
	const struct sendmail_options *o = m->s->options;

	for (int i = 0; i < o->narguments; i++) {
		const char *text = o->argument[i];
		size_t before = m->recipients.n;

		if (sendmail_has_control(text))
			return refuse_control(text);
		if (address_header(text, strlen(text), POSTING_RECIPIENTS_MAX,
				   &m->recipients) ||
		    m->recipients.n == before)
			return sendmail_fail(EX_DATAERR,
					     "bad recipient address: %s", text);
	}
	return EX_OK;
}

/* Addresses that differ only in case are one recipient, as everywhere
 * (address/address.h). */
static const char *lower(const struct sendmail *s, const char *address)
{
	return str_lower(arena_strdup(s->arena, address));
}

/* Each once, completed. */
static int fill_recipients(struct outgoing *m)
{
	struct envelope *e = &m->envelope;
	struct map *seen = map_new();
	int status = EX_OK;

	e->recipient = arena_alloc(m->s->arena, (m->recipients.n + 1) *
							sizeof(*e->recipient));
	for (size_t i = 0; i < m->recipients.n && !status; i++) {
		const char *text = m->recipients.item[i];
		const char *address = sendmail_address(m->s, text);

		if (!address)
			status = sendmail_fail(
				EX_DATAERR, "bad recipient address: %s", text);
		else if (!map_put(seen, lower(m->s, address), m))
			e->recipient[e->nrecipients++] =
				(struct envelope_recipient){
					.address = address,
					.notify = m->s->options->notify,
					.orcpt = "",
				};
	}
	map_free(&seen);
	return status;
}

static int find_recipients(struct outgoing *m)
{
	struct sendmail_header h = { m->header.data, m->header.len };
	bool extract = m->s->options->extract;
	struct buf why;
	int status = add_arguments(m);

	if (status)
		return status;
	buf_init(&why, 1024);
	if (extract && !sendmail_extract(m->s, &h, &m->recipients, &why))
		status = sendmail_fail(EX_DATAERR, "%s", why.data);
	buf_free(&why);
	if (!status && m->recipients.n == 0)
		status = sendmail_fail(
			EX_USAGE, "%s",
			extract ? "No recipient addresses found in message "
				  "header"
				: "Recipient addresses must be specified on "
				  "the command line or via the -t option");
	return status ? status : fill_recipients(m);
}

static int find_sender(struct outgoing *m)
{
	const char *given = m->s->options->sender;
	struct envelope *e = &m->envelope;

	if (given && sendmail_has_control(given))
		e->sender = NULL;
	else if (!given)
		e->sender = sendmail_caller(m->s);
	else if (*given == '\0' || strcmp(given, "<>") == 0)
		e->sender = "";
	else
		e->sender = sendmail_address(m->s, given);
	if (e->sender)
		return EX_OK;
	if (given)
		return sendmail_fail(EX_USAGE, "bad sender address: %s", given);
	return sendmail_fail(EX_OSERR, "the user %ld has no login name: use -f",
			     (long)getuid());
}

static int flush(struct outgoing *m)
{
	if (file_write(m->fd, m->text.data, m->text.len))
		return sendmail_fail(EX_TEMPFAIL, "cannot keep the message: %s",
				     strerror(errno));
	buf_reset(&m->text);
	return EX_OK;
}

/* A line may be as long as the message. */
static int put(struct outgoing *m, const char *data, size_t n)
{
	m->size += (int64_t)n;
	if (m->limit && m->size > m->limit)
		return sendmail_fail(EX_UNAVAILABLE, "message file too big");
	buf_put(&m->text, data, n);
	if (m->text.over)
		return sendmail_fail(EX_UNAVAILABLE, "message file too big");
	return m->text.len >= PIECE ? flush(m) : EX_OK;
}

static int put_header(struct outgoing *m)
{
	struct sendmail_header h = { m->header.data, m->header.len };
	struct buf out;
	int status;

	buf_init(&out, HEADER_MAX + 65536);
	sendmail_put_header(m->s, &h, m->envelope.sender, &out);
	buf_putc(&out, '\n');
	status = put(m, out.data, out.len);
	buf_free(&out);
	return status;
}

static int put_body(struct outgoing *m)
{
	int status = EX_OK;

	/* the line that was not a field belongs to the body */
	if (!m->gap && !m->in.over)
		status = put(m, m->in.line, (size_t)m->in.n);
	while (!status && next_line(&m->in))
		status = put(m, m->in.line, (size_t)m->in.n);
	return status ? status : flush(m);
}

int sendmail_hand_over(const struct sendmail *s, int fd, struct buf *reply)
{
	const struct config *c = s->config;
	const char *socket = arena_printf(s->arena, "%s/public/pickup",
					  config_string(c, "run_directory"));
	const char *drop = arena_printf(s->arena, "%s/drop",
					config_string(c, "queue_directory"));

	switch (posting_send(socket, fd, HAND_OVER_MS, reply)) {
	case POSTING_QUEUED:
		return EX_OK;
	case POSTING_REFUSED:
		return EX_UNAVAILABLE;
	case POSTING_UNKNOWN:
		return EX_TEMPFAIL;
	case POSTING_LATER:
		/* no space in the queue means none in the folder either */
		if (str_starts(reply->data, "452"))
			return EX_TEMPFAIL;
		break;
	case POSTING_AWAY:
		break;
	}
	buf_reset(reply);
	if (posting_drop(drop, fd, reply))
		return EX_TEMPFAIL;
	buf_puts(reply, "250 2.0.0 Ok: kept until the mail system runs");
	return EX_OK;
}

static int hand_over(struct outgoing *m)
{
	struct buf reply;
	int status;

	if (m->s->options->verp && *m->envelope.sender)
		return sendmail_verp(m->s, &m->envelope, m->fd, m->begin);
	buf_init(&reply, 4096);
	status = sendmail_hand_over(m->s, m->fd, &reply);
	if (status)
		sendmail_fail(status, "%s", reply.data);
	buf_free(&reply);
	return status;
}

static int check_input(const struct outgoing *m)
{
	return m->in.errnum ? sendmail_fail(EX_NOINPUT, "standard input: %s",
					    strerror(m->in.errnum))
			    : EX_OK;
}

static int send_message(struct outgoing *m)
{
	int status;

	if (!read_header(m))
		return sendmail_fail(EX_DATAERR, "the header is too large");
	status = check_input(m);
	if (!status)
		status = find_sender(m);
	if (!status)
		status = find_recipients(m);
	if (status)
		return status;
	m->fd = posting_begin(&m->envelope);
	if (m->fd < 0)
		return sendmail_fail(EX_TEMPFAIL, "cannot keep the message: %s",
				     strerror(errno));
	m->begin = lseek(m->fd, 0, SEEK_CUR);
	status = put_header(m);
	if (!status)
		status = put_body(m);
	if (!status)
		status = check_input(m);
	if (!status)
		status = hand_over(m);
	close(m->fd);
	return status;
}

int sendmail_send(struct sendmail *s)
{
	struct outgoing m = {
		.s = s,
		.in = { .dots = s->options->dots },
		.envelope = { .envid = s->options->envid,
			      .ret = s->options->ret,
			      .body = s->options->body },
		.limit = config_bytes(s->config, "message_size_limit"),
	};
	int status;

	buf_init(&m.header, HEADER_MAX);
	buf_init(&m.text, INT32_MAX);
	status = send_message(&m);
	buf_free(&m.header);
	buf_free(&m.text);
	strlist_free(&m.recipients);
	free(m.in.line);
	return status;
}
