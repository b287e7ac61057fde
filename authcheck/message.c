#include "authcheck/message.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "mime/field.h"

#define FIRST_READ (64 << 10)
#define BLOCK (256 << 10)

/* Looks for the empty line; the first SEEN bytes were searched before. */
static bool find_end(struct message *m, size_t seen)
{
	size_t end = mime_header_end(m->data, m->ndata, seen);

	if (end == 0)
		return false;
	m->header = end - 2;
	m->body = end;
	return true;
}

static int read_more(struct message *m, size_t want)
{
	size_t n = want - m->ndata;
	int err;

	m->data = mem_resize(m->data, want, 1);
	err = file_pread(m->fd, m->data + m->ndata, n,
			 m->offset + (off_t)m->ndata);
	if (!err)
		m->ndata = want;
	return err;
}

static int too_long(void)
{
	return err_set(ERR_TOO_LONG, "its header is over %d bytes",
		       MESSAGE_HEADER_MAX);
}

int message_open(struct message *m, int fd, off_t offset, off_t length)
{
	size_t want = FIRST_READ, before = 0;
	int err;

	*m = (struct message){ .fd = fd, .offset = offset, .length = length };
	for (;; want *= 4) {
		if ((off_t)want > length)
			want = (size_t)length;
		err = read_more(m, want);
		if (err)
			return err;
		if (find_end(m, before))
			return m->header > MESSAGE_HEADER_MAX ? too_long()
							      : ERR_OK;
		if ((off_t)want == length) {
			m->header = m->body = want;
			return ERR_OK;
		}
		if (want > MESSAGE_HEADER_MAX)
			return too_long();
		before = want;
	}
}

void message_close(struct message *m)
{
	free(m->data);
	m->data = NULL;
}

int message_body(const struct message *m,
		 bool (*take)(void *context, char *data, size_t n),
		 void *context)
{
	off_t at = (off_t)m->ndata;
	char *block;
	int err = ERR_OK;

	if (m->ndata > m->body &&
	    !take(context, m->data + m->body, m->ndata - m->body))
		return ERR_OK;
	if (at == m->length)
		return ERR_OK;
	block = mem_resize(NULL, BLOCK, 1);
	while (!err && at < m->length) {
		size_t n = m->length - at < BLOCK ? (size_t)(m->length - at)
						  : BLOCK;

		err = file_pread(m->fd, block, n, m->offset + at);
		if (err || !take(context, block, n))
			break;
		at += (off_t)n;
	}
	free(block);
	return err;
}
