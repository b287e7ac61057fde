#include "local-deliver/loop.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "mime/delivered.h"

#define CHUNK 16384
static void scan(const char *data, const char *end, struct strlist *found)
{
	struct mime_field f;

	while (mime_field_next(&data, end, &f))
		mime_delivered_note(&f, found);
}

/* Reads a piece at a time until the header's end is in it. */
static void read_header(const struct job *j, struct strlist *found)
{
	struct buf b;
	off_t at = 0;
	size_t end = 0;

	buf_init(&b, 2 * QUEUE_HEADER_MAX + CHUNK);
	while (!end && at < j->length && b.len + CHUNK <= b.max) {
		off_t left = j->length - at;
		size_t n = left < CHUNK ? (size_t)left : CHUNK, seen = b.len;
		char *to = buf_room(&b, n);

		if (file_pread(j->fd, to, n, j->offset + at))
			break;
		buf_added(&b, n);
		at += (off_t)n;
		end = mime_header_end(b.data, b.len, seen);
	}
	scan(b.data, b.data + (end ? end : b.len), found);
	buf_free(&b);
}

bool loop_found(struct recipient *r)
{
	struct message *m = r->message;

	if (!m->scanned)
		read_header(m->job, &m->delivered_to);
	m->scanned = true;
	return mime_delivered_has(&m->delivered_to, r->text);
}
