#include "local-deliver/loop.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"

#define CHUNK 16384
#define HEADER_MAX 262144 /* no further is looked */
#define FIELDS_MAX 100

static const char field[] = "Delivered-To:";

/* The end of the header in the first N bytes, or NULL if it is not there. */
static const char *header_end(const char *data, size_t n)
{
	if (n >= 2 && memcmp(data, "\r\n", 2) == 0)
		return data;
	return memmem(data, n, "\r\n\r\n", 4);
}

static void scan(const char *data, const char *end, struct strlist *found)
{
	while (data < end && found->n < FIELDS_MAX) {
		const char *lf = memchr(data, '\n', (size_t)(end - data));
		const char *stop = lf ? lf : end;
		size_t n = (size_t)(stop - data), skip = sizeof(field) - 1;

		if (n > skip && str_span_is(data, skip, field)) {
			struct strlist line = { 0 };

			strlist_add_span(&line, data + skip, n - skip);
			strlist_add(found, str_trim(line.item[0]));
			strlist_free(&line);
		}
		data = stop + 1;
	}
}

/* Reads a piece at a time until the header's end is in it. */
static void read_header(const struct job *j, struct strlist *found)
{
	struct buf b;
	off_t at = 0;
	const char *end = NULL;

	buf_init(&b, HEADER_MAX);
	while (!end && at < j->length && b.len + CHUNK <= b.max) {
		off_t left = j->length - at;
		size_t n = left < CHUNK ? (size_t)left : CHUNK;
		char *to = buf_room(&b, n);

		if (file_pread(j->fd, to, n, j->offset + at))
			break;
		buf_added(&b, n);
		at += (off_t)n;
		end = header_end(b.data, b.len);
	}
	scan(b.data, end ? end : b.data + b.len, found);
	buf_free(&b);
}

bool loop_found(struct recipient *r)
{
	struct message *m = r->message;

	if (!m->scanned)
		read_header(m->job, &m->delivered_to);
	m->scanned = true;
	return strlist_has_ci(&m->delivered_to, r->text);
}
