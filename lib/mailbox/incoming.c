/*
 * Line ends on their way to the disk, the checksum of what was written, and
 * copies of files that are there, cloned where the file system can do that.
 */
#include "mailbox/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "mime/crlf.h"

#define KEEP_MAX (8u << 20) /* above this it is written in pieces */
#define PIECE (256u << 10)

int incoming_begin(struct incoming *in, struct messages *ms, unsigned dir)
{
	memset(in, 0, sizeof(*in));
	in->ms = ms;
	in->whole = true;
	buf_init(&in->text, KEEP_MAX + 2 * PIECE);
	return messages_create(ms, dir, &in->file);
}

static int write_out(struct incoming *in)
{
	int code = file_write(in->file.fd, in->text.data, in->text.len);

	in->written += in->text.len;
	in->crc = crc32c(in->crc, in->text.data, in->text.len);
	return code;
}

/* Converts line ends of B to CRLF, from byte AT on. */
static void expand(struct buf *b, char last, size_t at)
{
	struct buf out;

	buf_init(&out, b->max);
	mime_put_crlf(&out, last, b->data + at, b->len - at);
	buf_truncate(b, at);
	buf_put(b, out.data, out.len);
	buf_free(&out);
}

/* Writes what was written so far again, with CRLF line ends. */
static int copy_expanded(struct incoming *in, int from, uint64_t n)
{
	struct buf piece;
	uint64_t at = 0;
	char last = 0;
	int code = ERR_OK;

	buf_init(&piece, 2 * PIECE);
	while (!code && at < n) {
		size_t want = n - at > PIECE ? PIECE : (size_t)(n - at);
		char *p = buf_room(&piece, want);

		code = file_pread(from, p, want, (off_t)at);
		if (code)
			break;
		buf_added(&piece, want);
		at += want;
		want = piece.len;
		expand(&piece, last, 0);
		last = piece.data[piece.len - 1];
		code = file_write(in->file.fd, piece.data, piece.len);
		in->written += piece.len;
		in->crc = crc32c(in->crc, piece.data, piece.len);
		buf_reset(&piece);
	}
	buf_free(&piece);
	return code;
}

/* A CR outside a line end was seen: restores what came so far, and keeps the
 * rest as it comes. */
static int keep_exact(struct incoming *in)
{
	struct incoming old = *in;
	int code = ERR_OK;

	in->exact = true;
	/* Up to here every line end was LF: the text may double at most. */
	in->text.max = 2 * in->text.max;
	expand(&in->text, 0, 0);
	if (in->written > 0) {
		code = messages_create(in->ms, old.file.dir, &in->file);
		in->written = 0;
		in->crc = 0;
		if (!code)
			code = copy_expanded(in, old.file.fd, old.written);
		messages_discard(in->ms, &old.file);
	}
	in->size = in->written + in->text.len;
	return code;
}

/* Bytes without CR: lines may end with a bare LF. */
static void put_plain(struct incoming *in, const char *data, size_t n)
{
	const char *p = data, *end = data + n;

	buf_put(&in->text, data, n);
	in->size += n;
	in->wire += n;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		if (p > data || in->last != '\r')
			in->wire++;
		p++;
	}
	in->last = data[n - 1];
}

/* A CR followed by the byte NEXT. */
static int put_cr(struct incoming *in, char next)
{
	int code = ERR_OK;

	if (next == '\n' && !in->exact)
		return ERR_OK;
	if (!in->exact)
		code = keep_exact(in);
	buf_putc(&in->text, '\r');
	in->size++;
	in->wire++;
	in->last = '\r';
	return code;
}

static int put_piece(struct incoming *in, const char *data, size_t n)
{
	const char *p = data, *end = data + n;
	int code = ERR_OK;

	if (in->cr && n > 0) {
		in->cr = false;
		code = put_cr(in, *p);
	}
	while (!code && p < end) {
		const char *cr = memchr(p, '\r', (size_t)(end - p));
		const char *stop = cr ? cr : end;

		if (stop > p)
			put_plain(in, p, (size_t)(stop - p));
		if (!cr)
			break;
		p = cr + 1;
		if (p == end)
			in->cr = true;
		else
			code = put_cr(in, *p);
	}
	if (code || in->text.over)
		return code ? code : ERR_TOO_LONG;
	if (in->text.len < KEEP_MAX)
		return ERR_OK;
	in->whole = false;
	code = write_out(in);
	buf_reset(&in->text);
	return code;
}

int incoming_write(struct incoming *in, const char *data, size_t n)
{
	int code = ERR_OK;

	while (!code && n > 0) {
		size_t piece = n > PIECE ? PIECE : n;

		code = put_piece(in, data, piece);
		data += piece;
		n -= piece;
	}
	if (in->wire > UINT32_MAX)
		return ERR_TOO_LONG;
	return code;
}

int incoming_finish(struct incoming *in)
{
	int code = ERR_OK;

	if (in->cr) {
		in->cr = false;
		code = put_cr(in, 0);
	}
	if (!code && in->text.over)
		code = ERR_TOO_LONG;
	if (!code)
		code = write_out(in);
	/* only started here: a failure comes again in incoming_wait */
	if (!code)
		err_ignore(sync_file_range(in->file.fd, 0, 0,
					   SYNC_FILE_RANGE_WRITE));
	return code;
}

/* Whatever the reason, if it cannot be shared it can be copied. */
static bool is_cloned(struct incoming *in, int fd)
{
	in->unread = ioctl(in->file.fd, FICLONE, fd) == 0;
	return in->unread;
}

/* Not by copy_file_range(2): it would not show us the bytes, whose checksum we
 * record, and so is no quicker. */
static int copy_bytes(struct incoming *in, int fd, uint64_t size)
{
	int code = ERR_OK;

	while (!code && in->written < size) {
		uint64_t left = size - in->written;
		size_t n = left > PIECE ? PIECE : (size_t)left;

		code = file_pread(fd, buf_room(&in->text, n), n,
				  (off_t)in->written);
		if (code)
			break;
		buf_added(&in->text, n);
		code = write_out(in);
		buf_reset(&in->text);
	}
	buf_free(&in->text);
	return code;
}

int incoming_copy(struct incoming *in, int fd, uint64_t size)
{
	in->size = size;
	return is_cloned(in, fd) ? ERR_OK : copy_bytes(in, fd, size);
}

int incoming_wait(const struct incoming *in)
{
	const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE |
			     SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	if (in->durable || sync_file_range(in->file.fd, 0, 0, all) == 0)
		return ERR_OK;
	/* a write error is reported only once: a sync would not report it */
	if (errno != ENOSYS && errno != EINVAL && errno != ESPIPE)
		return err_sys("write out", "a message");
	return incoming_sync(in);
}

int incoming_sync(const struct incoming *in)
{
	return !in->durable && file_sync(in->file.fd) < 0
		       ? err_sys("sync", "a message")
		       : ERR_OK;
}

void incoming_end(struct incoming *in)
{
	if (in->ms)
		messages_discard(in->ms, &in->file);
	in->ms = NULL;
	buf_free(&in->text);
}
