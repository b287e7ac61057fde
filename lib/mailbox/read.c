/* Reading messages: LF on disk, CRLF for the caller. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "mailbox/name.h"
#include "mailbox/session.h"
#include "mime/field.h"
#include "mime/part.h"
#include "mime/section.h"

#define PIECE (64u << 10)
#define HEADER_PIECE 8192 /* most headers are shorter */
#define SIZES_AT_ONCE 1000

struct mailbox_reader {
	int fd;
	uint64_t left;	/* bytes of the file still to come */
	uint32_t wire;	/* bytes still to be given */
	bool plain;	/* nothing to convert */
	char last;	/* the byte before */
	struct buf out; /* converted, not yet given */
	size_t given;	/* of it */
};

bool session_file_name(const struct mailbox *m, const struct entry *e,
		       char out[NAME_SIZE])
{
	const char *base = entries_name(&m->t, e);

	if (!base || memchr(base, '/', e->nname))
		return false;
	name_file(out, base, e->nname, e->dir, e->letters);
	return true;
}

static int try_open(struct mailbox *m, uint32_t uid)
{
	const struct entry *e = entries_get(&m->t, uid);
	char name[NAME_SIZE];

	errno = ENOENT;
	if (!e || !session_file_name(m, e, name))
		return -1;
	return openat(m->f.sub[e->dir], name,
		      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/* Others may have renamed it, in the journal or without. */
static int open_anywhere(struct mailbox *m, uint32_t uid)
{
	const struct entry *e;
	int fd = try_open(m, uid);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (session_lock(m) == ERR_OK) {
		session_unlock(m);
		fd = try_open(m, uid);
	}
	e = entries_get(&m->t, uid);
	if (fd >= 0 || !e || e->state & ENTRY_GONE)
		return fd;
	m->suspect = true;
	if (session_scan(m) == ERR_OK)
		fd = try_open(m, uid);
	return fd;
}

static void remove_torn(struct mailbox *m, const struct entry *e)
{
	log_warn("mailbox: the file of message %u is incomplete: removed",
		 e->uid);
	session_unlink(m, e);
	m->suspect = true;
	session_scan(m);
}

/* Opens E's file: a descriptor, or -1 (*CODE: ERR_NOT_FOUND …). A file that
 * was moved by others is found by a scan; one that is shorter than recorded
 * was torn by a power cut and never promised: it is removed. */
static int open_file(struct mailbox *m, uint32_t uid, int *code)
{
	const struct entry *e;
	struct stat st;
	int fd = open_anywhere(m, uid);

	*code = ERR_OK;
	if (fd < 0) {
		*code = err_from_errno(errno);
		return -1;
	}
	e = entries_get(&m->t, uid);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		*code = ERR_IO;
	else if (st.st_size < e->size)
		*code = ERR_NOT_FOUND;
	else if (st.st_size > e->size)
		*code = ERR_CORRUPT;
	if (*code == ERR_NOT_FOUND)
		remove_torn(m, e);
	if (*code) {
		close(fd);
		return -1;
	}
	return fd;
}

void session_unlink(struct mailbox *m, const struct entry *e)
{
	char name[NAME_SIZE];

	if (e && session_file_name(m, e, name))
		unlinkat(m->f.sub[e->dir], name, 0);
}

static void put_size(struct mailbox *m, struct batch *b,
		     const struct record_size *item)
{
	const struct entry *e = entries_get(&m->t, item->uid);

	/* Another session may have been faster. */
	if (!e || e->state & ENTRY_GONE || e->wire > 0)
		return;
	b->t.bytes += item->wire;
	batch_item(b, RECORD_SIZE, item, sizeof(*item));
}

void session_write_sizes(struct mailbox *m)
{
	const struct record_size *item = (const void *)m->sizes.data;
	size_t n = m->sizes.len / sizeof(*item), i;
	struct batch b;

	if (n > 0 && session_lock(m) == ERR_OK) {
		batch_begin(&b, &m->f, false);
		for (i = 0; i < n; i++)
			put_size(m, &b, &item[i]);
		session_commit(m, &b, true);
		session_unlock(m);
	}
	buf_reset(&m->sizes);
}

/* The size just found, as sent, is kept: written with others. */
static void keep_size(struct mailbox *m, uint32_t uid, uint32_t wire)
{
	struct record_size item = { uid, wire };

	buf_put(&m->sizes, &item, sizeof(item));
	if (m->sizes.len >= SIZES_AT_ONCE * sizeof(item))
		session_write_sizes(m);
}

/* The size of E if it is known, else 0. */
static uint32_t known_size(const struct mailbox *m, const struct entry *e)
{
	const struct record_size *item = (const void *)m->sizes.data;
	size_t n = m->sizes.len / sizeof(*item);

	/* The latest is the likeliest, and there are not many. */
	while (e->wire == 0 && n-- > 0)
		if (item[n].uid == e->uid)
			return item[n].wire;
	return e->wire;
}

/* Counts as the reader converts. */
static int measure(int fd, uint32_t size, uint32_t *wire)
{
	struct buf b;
	uint64_t sum = 0, at = 0;
	char last = 0;
	int code = ERR_OK;

	buf_init(&b, PIECE);
	while (!code && at < size) {
		size_t n = size - at > PIECE ? PIECE : (size_t)(size - at);
		char *p;

		buf_reset(&b);
		p = buf_room(&b, n);
		code = file_pread(fd, p, n, (off_t)at);
		sum += code ? 0 : mime_crlf_size(p, n);
		if (!code && p[0] == '\n' && last == '\r')
			sum--; /* it was one line end with the byte before */
		last = p[n - 1];
		at += n;
	}
	buf_free(&b);
	if (!code && sum > UINT32_MAX)
		code = ERR_TOO_LONG;
	*wire = (uint32_t)sum;
	return code;
}

int mailbox_size(struct mailbox *m, uint32_t seq, uint32_t *size)
{
	const struct entry *e = session_entry(m, seq);
	uint32_t uid;
	int fd, code;

	if (!e)
		return ERR_NOT_FOUND;
	*size = known_size(m, e);
	if (*size > 0 || e->size == 0)
		return ERR_OK;
	uid = e->uid;
	fd = open_file(m, uid, &code);
	if (fd < 0)
		return code;
	code = measure(fd, entries_get(&m->t, uid)->size, size);
	close(fd);
	if (!code)
		keep_size(m, uid, *size);
	return code;
}

int mailbox_read_open(struct mailbox *m, uint32_t seq,
		      struct mailbox_reader **out, uint32_t *size)
{
	const struct entry *e;
	struct mailbox_reader *r;
	uint32_t uid = mailbox_uid(m, seq);
	int code = mailbox_size(m, seq, size);
	int fd;

	if (code)
		return code;
	fd = open_file(m, uid, &code);
	if (fd < 0)
		return code;
	e = entries_get(&m->t, uid);
	r = mem_alloc(sizeof(*r));
	r->fd = fd;
	r->left = e->size;
	r->wire = *size;
	r->plain = e->size == *size;
	buf_init(&r->out, 2 * (size_t)PIECE);
	*out = r;
	return ERR_OK;
}

/* Converts the next piece of the file. */
static int convert(struct mailbox_reader *r)
{
	char piece[PIECE];
	size_t want = r->left > PIECE ? PIECE : (size_t)r->left;
	ssize_t n = read(r->fd, piece, want);

	if (n < 0)
		return ERR_IO;
	if (n == 0)
		return ERR_CORRUPT;
	buf_reset(&r->out);
	r->given = 0;
	mime_put_crlf(&r->out, r->last, piece, (size_t)n);
	r->last = piece[n - 1];
	r->left -= (uint64_t)n;
	return ERR_OK;
}

int mailbox_read(struct mailbox_reader *r, char *data, size_t size, size_t *n)
{
	*n = 0;
	if (r->wire == 0)
		return r->left || r->given < r->out.len ? ERR_CORRUPT : ERR_OK;
	if (r->plain) {
		ssize_t got =
			read(r->fd, data, size > r->left ? r->left : size);

		if (got <= 0)
			return got < 0 ? ERR_IO : ERR_CORRUPT;
		*n = (size_t)got;
		r->left -= *n;
	} else {
		if (r->given == r->out.len) {
			int code = r->left ? convert(r) : ERR_CORRUPT;

			if (code)
				return code;
		}
		*n = r->out.len - r->given;
		if (*n > size)
			*n = size;
		if (*n > r->wire)
			return ERR_CORRUPT;
		memcpy(data, r->out.data + r->given, *n);
		r->given += *n;
	}
	r->wire -= (uint32_t)*n;
	return ERR_OK;
}

void mailbox_read_close(struct mailbox_reader **r)
{
	if (!*r)
		return;
	close((*r)->fd);
	buf_free(&(*r)->out);
	free(*r);
	*r = NULL;
}

int mailbox_text(struct mailbox *m, uint32_t seq, struct buf *b)
{
	struct mailbox_reader *r;
	uint32_t size;
	size_t n;
	int code = mailbox_read_open(m, seq, &r, &size);

	if (code)
		return code;
	if (!buf_room(b, size))
		code = ERR_TOO_LONG;
	while (!code && size > 0) {
		code = mailbox_read(r, b->data + b->len, size, &n);
		if (!code) {
			buf_added(b, n);
			size -= (uint32_t)n;
		}
	}
	mailbox_read_close(&r);
	return code;
}

/* The first bytes of the file FD, which holds SIZE, up to the end of the
 * message's header, as they are on disk. */
static int read_header(int fd, uint32_t size, struct buf *b)
{
	size_t left = size, piece = HEADER_PIECE, end;
	ssize_t n;
	char *room;

	do {
		room = buf_room(b, piece < left ? piece : left);
		if (!room)
			return ERR_TOO_LONG;
		n = read(fd, room, piece < left ? piece : left);
		if (n < 0)
			return err_from_errno(errno);
		buf_added(b, (size_t)n);
		left -= (size_t)n;
		piece = PIECE;
		end = mime_header_size(b->data, b->len);
	} while (n > 0 && left > 0 && end == b->len);
	buf_truncate(b, end);
	return ERR_OK;
}

static int read_whole(int fd, uint32_t size, struct buf *b)
{
	char *room = buf_room(b, size);
	int code = room ? file_pread(fd, room, size, 0) : ERR_TOO_LONG;

	if (!code)
		buf_added(b, size);
	return code;
}

int session_raw(struct mailbox *m, const struct entry *e, bool whole,
		struct buf *b)
{
	uint32_t uid = e->uid, size;
	int code, fd = open_file(m, uid, &code);

	if (fd < 0)
		return code;
	e = entries_get(&m->t, uid);
	size = e->size;
	code = whole ? read_whole(fd, size, b) : read_header(fd, size, b);
	close(fd);
	if (!code && whole && size > 0 && known_size(m, e) == 0)
		keep_size(m, uid, (uint32_t)mime_crlf_size(b->data, b->len));
	return code;
}

int mailbox_header(struct mailbox *m, uint32_t seq, struct buf *b)
{
	const struct entry *e = session_entry(m, seq);
	struct buf raw;
	int code;

	if (!e)
		return ERR_NOT_FOUND;
	buf_init(&raw, b->max);
	code = session_raw(m, e, false, &raw);
	if (!code)
		mime_put_crlf(b, 0, raw.data, raw.len);
	if (!code && b->over)
		code = ERR_TOO_LONG;
	buf_free(&raw);
	return code;
}
