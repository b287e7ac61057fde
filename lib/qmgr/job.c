/*
 * How jobs and their results are written in packets. If one attribute holds
 * several values, these are words in percent encoding, separated by blanks. A
 * long list of addresses travels in a file in memory, bounded by what one
 * record of the journal can hold. Both sides are parsed here, and neither
 * trusts the other: a malformed packet is ERR_SYNTAX as a whole.
 */
#include "qmgr/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "queue/journal.h"

#define EXPANDED_INLINE_MAX 32768 /* bytes of a list within the packet */

/* … and in a file: what one record of the journal can hold besides the words
 * before it. */
#define EXPANDED_MAX (JOURNAL_RECORD_MAX - 65536)

/* One attribute holds several values: words in percent encoding. */

static void add_word(struct buf *b, const char *word)
{
	if (b->len)
		buf_putc(b, ' ');
	encode_percent(b, word ? word : "", word ? strlen(word) : 0);
}

static void add_number(struct buf *b, unsigned value)
{
	buf_printf(b, b->len ? " %u" : "%u", value);
}

/* Splits VALUE into exactly N words of A. */
static bool get_words(struct arena *a, const char *value, const char **word,
		      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(value, " ");
		struct buf b;
		bool good;

		buf_init(&b, IPC_PACKET_MAX);
		good = decode_percent(&b, value, len) &&
		       !memchr(b.data, '\0', b.len);
		word[i] = arena_strndup(a, b.data, b.len);
		buf_free(&b);
		value += len;
		if (!good || (i + 1 < n && *value != ' '))
			return false;
		value += *value == ' ';
	}
	return *value == '\0';
}

static void put_recipient(struct ipc_out *m, struct buf *b,
			  const struct job_recipient *r)
{
	buf_reset(b);
	add_number(b, r->index);
	add_number(b, r->notify);
	add_word(b, r->address);
	add_word(b, r->orcpt);
	add_word(b, r->original);
	if (b->over)
		m->data.over = true;
	else
		ipc_put_span(m, "rcpt", b->data, b->len);
}

void job_write(struct ipc_out *m, const struct job *j)
{
	struct buf b;

	ipc_begin(m, "deliver");
	ipc_put_fd(m, j->fd);
	ipc_put_int(m, "number", (int64_t)j->number);
	ipc_put(m, "id", j->id);
	ipc_put_int(m, "offset", j->offset);
	ipc_put_int(m, "length", j->length);
	ipc_put(m, "destination", j->destination);
	ipc_put(m, "sender", j->sender);
	ipc_put(m, "envid", j->envid);
	ipc_put(m, "ret", j->ret);
	ipc_put(m, "body", j->body);
	ipc_put_int(m, "smtputf8", j->smtputf8);
	ipc_put_int(m, "arrival", j->arrival_us);
	if (j->patience_ms)
		ipc_put_int(m, "patience", j->patience_ms);
	ipc_put(m, "prologue", j->prologue);
	buf_init(&b, IPC_PACKET_MAX);
	for (size_t i = 0; i < j->nrecipients; i++)
		put_recipient(m, &b, &j->recipient[i]);
	buf_free(&b);
}

static size_t count(const struct ipc_in *m, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nattrs; i++)
		n += strcmp(m->attr[i].name, name) == 0;
	return n;
}

static bool get_number(const char *word, unsigned *value)
{
	int64_t v;

	if (!str_to_int(word, 0, UINT32_MAX, &v))
		return false;
	*value = (unsigned)v;
	return true;
}

static bool read_recipient(struct arena *a, const char *value,
			   struct job_recipient *r)
{
	const char *w[5];

	if (!get_words(a, value, w, 5) || !get_number(w[0], &r->index) ||
	    !get_number(w[1], &r->notify) || !*w[2])
		return false;
	r->address = w[2];
	r->orcpt = w[3];
	r->original = w[4];
	return true;
}

static bool read_numbers(const struct ipc_in *m, struct job *j)
{
	int64_t number, offset, length, utf8, arrival, patience = 0;

	if (!ipc_int(m, "number", 0, INT64_MAX, &number) ||
	    !ipc_int(m, "offset", 0, INT64_MAX / 2, &offset) ||
	    !ipc_int(m, "length", 0, INT64_MAX / 2, &length) ||
	    !ipc_int(m, "smtputf8", 0, 1, &utf8) ||
	    !ipc_int(m, "arrival", 0, INT64_MAX, &arrival) ||
	    (ipc_get(m, "patience") &&
	     !ipc_int(m, "patience", 1, INT32_MAX, &patience)))
		return false;
	j->number = (uint64_t)number;
	j->offset = (off_t)offset;
	j->length = (off_t)length;
	j->smtputf8 = utf8 != 0;
	j->arrival_us = arrival;
	j->patience_ms = patience;
	return true;
}

static bool read_recipients(struct arena *a, const struct ipc_in *m,
			    struct job *j)
{
	size_t n = count(m, "rcpt"), k = 0;

	j->recipient = arena_alloc(a, (n + 1) * sizeof(*j->recipient));
	j->nrecipients = n;
	for (size_t i = 0; i < m->nattrs; i++)
		if (strcmp(m->attr[i].name, "rcpt") == 0 &&
		    !read_recipient(a, m->attr[i].value, &j->recipient[k++]))
			return false;
	return n > 0;
}

int job_read(struct arena *a, struct ipc_in *m, struct job *j)
{
	*j = (struct job){ .fd = -1 };
	if (!ipc_is(m, "deliver") || !read_numbers(m, j) ||
	    !read_recipients(a, m, j))
		return ERR_SYNTAX;
	j->id = arena_strdup(a, ipc_text(m, "id"));
	j->destination = arena_strdup(a, ipc_text(m, "destination"));
	j->sender = arena_strdup(a, ipc_text(m, "sender"));
	j->envid = arena_strdup(a, ipc_text(m, "envid"));
	j->ret = arena_strdup(a, ipc_text(m, "ret"));
	j->body = arena_strdup(a, ipc_text(m, "body"));
	j->prologue = arena_strdup(a, ipc_text(m, "prologue"));
	j->fd = ipc_take_fd(m);
	return j->fd < 0 ? ERR_SYNTAX : ERR_OK;
}

/* A list too long for a packet travels in a file in memory. */
static void put_long_list(struct ipc_out *m, const struct buf *list)
{
	int fd = memfd_create("expanded", MFD_CLOEXEC);

	if (fd < 0 || file_write(fd, list->data, list->len)) {
		m->data.over = true;
		if (fd >= 0)
			close(fd);
		return;
	}
	ipc_put_int(m, "expanded-file", (int64_t)list->len);
	ipc_put_own_fd(m, fd);
}

static void put_expanded(struct ipc_out *m, const struct result *r)
{
	struct buf list;

	buf_init(&list, EXPANDED_MAX);
	for (size_t i = 0; i < r->nexpanded; i++)
		add_word(&list, r->expanded[i]);
	if (list.over)
		m->data.over = true;
	else if (list.len > EXPANDED_INLINE_MAX)
		put_long_list(m, &list);
	else
		ipc_put_span(m, "expanded", list.data, list.len);
	buf_free(&list);
}

/* "INDEX STATUS DSN FLAGS RELAY REPLY OWNER" */
static void put_result(struct ipc_out *m, struct buf *b, const struct result *r)
{
	char flags[RESULT_FLAGS_SIZE];

	buf_reset(b);
	add_number(b, r->index);
	add_word(b, result_name(r->status));
	add_word(b, r->dsn);
	add_word(b, result_letters(flags, r->flags));
	add_word(b, r->relay);
	add_word(b, r->reply);
	add_word(b, r->owner);
	if (b->over)
		m->data.over = true;
	else
		ipc_put_span(m, "result", b->data, b->len);
	if (r->status == RESULT_EXPANDED)
		put_expanded(m, r);
}

/* What the answer says about the destination. */
static const char *const destination_words[] = {
	[JOB_DEST_OK] = "ok",
	[JOB_DEST_DOWN] = "down",
	[JOB_DEST_SLOW] = "slow",
};

static bool read_destination(const char *word, enum job_destination *dest)
{
	for (int i = JOB_DEST_OK; i <= JOB_DEST_SLOW; i++)
		if (strcmp(word, destination_words[i]) == 0) {
			*dest = (enum job_destination)i;
			return true;
		}
	return false;
}

void job_results_write(struct ipc_out *m, const struct job *j,
		       const struct result *r, size_t n,
		       enum job_destination dest)
{
	struct buf b;

	ipc_begin(m, "done");
	ipc_put_int(m, "number", (int64_t)j->number);
	ipc_put(m, "destination", destination_words[dest]);
	buf_init(&b, IPC_PACKET_MAX);
	for (size_t i = 0; i < n; i++)
		put_result(m, &b, &r[i]);
	buf_free(&b);
}

static bool read_result(struct arena *a, const char *value, struct result *r)
{
	const char *w[7];

	if (!get_words(a, value, w, 7) || !get_number(w[0], &r->index) ||
	    !result_status_of(w[1], &r->status))
		return false;
	r->dsn = w[2];
	r->flags = result_flags_of(w[3]);
	r->relay = w[4];
	r->reply = w[5];
	r->owner = w[6];
	return true;
}

static bool read_expanded(struct arena *a, const char *value, struct result *r)
{
	size_t n = *value != '\0';
	const char **list;

	for (const char *p = value; *p; p++)
		n += *p == ' ';
	list = arena_alloc(a, (n + 1) * sizeof(*list));
	r->expanded = list;
	r->nexpanded = n;
	return n == 0 || get_words(a, value, list, n);
}

static bool read_long_list(struct arena *a, struct ipc_in *m, const char *value,
			   struct result *r)
{
	int fd = ipc_take_fd(m);
	int64_t n;
	char *list;
	bool good = fd >= 0 && str_to_int(value, 0, EXPANDED_MAX, &n);

	if (good) {
		list = arena_alloc(a, (size_t)n + 1);
		good = file_pread(fd, list, (size_t)n, 0) == ERR_OK &&
		       !memchr(list, '\0', (size_t)n) &&
		       read_expanded(a, list, r);
	}
	if (fd >= 0)
		close(fd);
	return good;
}

static bool read_attr(struct arena *a, struct ipc_in *m, size_t i,
		      struct result *r, size_t *k)
{
	const struct ipc_attr *at = &m->attr[i];
	bool expanded = *k > 0 && r[*k - 1].status == RESULT_EXPANDED;

	if (strcmp(at->name, "result") == 0)
		return read_result(a, at->value, &r[(*k)++]);
	if (strcmp(at->name, "expanded") == 0)
		return expanded && read_expanded(a, at->value, &r[*k - 1]);
	if (strcmp(at->name, "expanded-file") == 0)
		return expanded && read_long_list(a, m, at->value, &r[*k - 1]);
	return true;
}

int job_results_read(struct arena *a, struct ipc_in *m, uint64_t *number,
		     struct result **r, size_t *n, enum job_destination *dest)
{
	int64_t value;
	size_t k = 0;

	*n = count(m, "result");
	if (!ipc_is(m, "done") ||
	    !ipc_int(m, "number", 0, INT64_MAX, &value) ||
	    !read_destination(ipc_text(m, "destination"), dest) ||
	    (*n == 0 && *dest != JOB_DEST_SLOW))
		return ERR_SYNTAX;
	*number = (uint64_t)value;
	*r = arena_alloc(a, (*n + 1) * sizeof(**r));
	for (size_t i = 0; i < m->nattrs; i++)
		if (!read_attr(a, m, i, *r, &k))
			return ERR_SYNTAX;
	return ERR_OK;
}
