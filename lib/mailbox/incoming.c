#include "mailbox/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "mime/section.h"

#define KEEP_MAX (8u << 20) /* above this it is written in pieces */
#define PIECE (256u << 10)

static int open_named(struct incoming *in)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		snprintf(in->name, sizeof(in->name), "tmp/%lld.P%d",
			 (long long)clock_wall_us(), (int)getpid());
		in->fd = openat(in->tmp, in->name,
				O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
					O_NOFOLLOW,
				0600);
		if (in->fd >= 0)
			return ERR_OK;
		if (errno == ENOENT)
			mkdirat(in->tmp, "tmp", 0700);
	}
	in->name[0] = '\0';
	return err_from_errno(errno);
}

static int open_file(struct incoming *in)
{
	in->name[0] = '\0';
	in->fd = openat(in->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (in->fd >= 0)
		return ERR_OK;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return err_from_errno(errno);
	return open_named(in);
}

int incoming_begin(struct incoming *in, int folder, int dir)
{
	memset(in, 0, sizeof(*in));
	in->tmp = folder;
	in->dir = dir;
	in->whole = true;
	buf_init(&in->text, KEEP_MAX + 2 * PIECE);
	return open_file(in);
}

static int write_out(struct incoming *in)
{
	int code = file_write(in->fd, in->text.data, in->text.len);

	in->written += in->text.len;
	return code;
}

/* Line ends of B become CRLF, from byte AT on. */
static void expand(struct buf *b, char last, size_t at)
{
	struct buf out;

	buf_init(&out, b->max);
	mime_put_crlf(&out, last, b->data + at, b->len - at);
	buf_truncate(b, at);
	buf_put(b, out.data, out.len);
	buf_free(&out);
}

/* What was written so far, again, with CRLF line ends. */
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
		code = file_write(in->fd, piece.data, piece.len);
		in->written += piece.len;
		buf_reset(&piece);
	}
	buf_free(&piece);
	return code;
}

/* A CR that is part of no line end was seen: what came so far is made what
 * it was, and the rest stays as it comes. */
static int keep_exact(struct incoming *in)
{
	struct incoming old = *in;
	int code = ERR_OK;

	in->exact = true;
	/* Up to here every line end was LF: the text may double at most. */
	in->text.max = 2 * in->text.max;
	expand(&in->text, 0, 0);
	if (in->written > 0) {
		code = open_file(in);
		in->written = 0;
		if (!code)
			code = copy_expanded(in, old.fd, old.written);
		close(old.fd);
		if (old.name[0])
			unlinkat(old.tmp, old.name, 0);
	}
	in->size = in->written + in->text.len;
	return code;
}

/* Bytes without CR: lines may end with LF alone. */
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
	return code ? code : write_out(in);
}

int incoming_link(struct incoming *in, const char *name)
{
	char path[40];

	if (in->name[0])
		return renameat(in->tmp, in->name, in->dir, name) < 0
			       ? err_from_errno(errno)
			       : ERR_OK;
	if (linkat(in->fd, "", in->dir, name, AT_EMPTY_PATH) == 0)
		return ERR_OK;
	if (errno != ENOENT && errno != EPERM)
		return err_from_errno(errno);
	/* Before Linux 6.10 that needs a privilege; this way does not. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", in->fd);
	return linkat(AT_FDCWD, path, in->dir, name, AT_SYMLINK_FOLLOW) < 0
		       ? err_from_errno(errno)
		       : ERR_OK;
}

void incoming_end(struct incoming *in)
{
	if (in->fd >= 0) {
		close(in->fd);
		/* After a rename nothing is there under this name. */
		if (in->name[0])
			unlinkat(in->tmp, in->name, 0);
	}
	in->fd = -1;
	buf_free(&in->text);
}
