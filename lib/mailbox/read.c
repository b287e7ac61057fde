/*
 * Reading messages: LF on disk, CRLF for the caller. The number of bytes that
 * will come is known or counted before the first is given, since IMAP and POP3
 * announce it; if others have changed a file meanwhile, this number shows it
 * at the latest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "mailbox/opened.h"
#include "mime/crlf.h"
#include "mime/field.h"
#include "mime/part.h"

#define PIECE (64u << 10)
#define HEADER_PIECE 8192 /* most headers are shorter */
#define SIZES_AT_ONCE 1000
#define FIND_TRIES 4 /* scans for a file that is renamed all the time */

struct mailbox_reader {
	struct mailbox *m;
	uint32_t uid;
	int fd;
	uint64_t left;	/* bytes of the file still to come */
	uint32_t wire;	/* bytes still to be given */
	bool plain;	/* nothing to convert */
	char last;	/* the byte before */
	struct buf out; /* converted, not yet given */
	size_t given;	/* of it */
};

bool mailbox_ref(const struct mailbox *m, const struct entry *e,
		 struct message_ref *r)
{
	*r = (struct message_ref){ index_name(&m->x, e), e->nname, e->dir,
				   e->letters, NULL };
	return r->base != NULL;
}

static int try_open(struct mailbox *m, uint32_t uid, int *fd)
{
	const struct entry *e = index_get(&m->x, uid);
	struct message_ref ref;

	*fd = -1;
	return e && mailbox_ref(m, e, &ref)
		       ? messages_open(index_messages(&m->x), &ref, fd)
		       : err_set(ERR_NOT_FOUND, "no message %u", uid);
}

/* Our sessions rename files under the lock only, and record it there. */
static int open_locked(struct mailbox *m, uint32_t uid, int *fd)
{
	int code = index_lock(&m->x);

	if (!code)
		code = try_open(m, uid, fd);
	index_unlock(&m->x);
	return code;
}

static int open_scanned(struct mailbox *m, uint32_t uid, int *fd)
{
	int code;

	index_suspect(&m->x);
	code = mailbox_scan(m);
	if (code)
		return code;
	finder_end(&m->moved);
	return try_open(m, uid, fd);
}

/* Reading needs no room: a file whose new name cannot be recorded on a full disk
 * is looked for in a listing. */
static int open_moved(struct mailbox *m, uint32_t uid, bool anew, int *fd)
{
	const struct entry *e = index_get(&m->x, uid);
	struct message_ref ref, now;

	if (!e || !mailbox_ref(m, e, &ref) ||
	    !finder_find(&m->moved, anew, &ref, &now))
		return err_set(ERR_NOT_FOUND, "no file of message %u", uid);
	return messages_open(index_messages(&m->x), &now, fd);
}

static bool is_there(struct mailbox *m, uint32_t uid)
{
	const struct entry *e = index_get(&m->x, uid);

	return e && !(e->state & ENTRY_GONE);
}

/* Others may have renamed it, in the journal or without, and may do so again
 * after each look. *FD gets it. */
static int open_anywhere(struct mailbox *m, uint32_t uid, int *fd)
{
	int tries, code = try_open(m, uid, fd);

	if (code == ERR_NOT_FOUND && m->moved.ref)
		code = open_moved(m, uid, false, fd);
	if (code == ERR_NOT_FOUND)
		code = open_locked(m, uid, fd);
	for (tries = 0; code == ERR_NOT_FOUND && is_there(m, uid) &&
			tries < FIND_TRIES;
	     tries++)
		code = open_scanned(m, uid, fd);
	if (code == ERR_NO_SPACE)
		code = open_moved(m, uid, true, fd);
	return code;
}

int mailbox_open_file(struct mailbox *m, uint32_t uid, int *fd)
{
	const struct entry *e;
	struct stat st;
	int code = open_anywhere(m, uid, fd);

	if (code)
		return code;
	e = index_get(&m->x, uid);
	if (fstat(*fd, &st) < 0)
		code = err_sys("look at", "a message file");
	else if (!S_ISREG(st.st_mode))
		code = err_set(ERR_IO, "message %u is no file", uid);
	else if (st.st_size != e->size)
		code = mailbox_restate(m, uid, *fd, false);
	else if (mailbox_is_edited(m, e, *fd, &st))
		code = mailbox_restate(m, uid, *fd, true);
	if (code) {
		close(*fd);
		*fd = -1;
	}
	return code;
}

static void put_size(struct mailbox *m, struct batch *b,
		     const struct record_size *item)
{
	const struct entry *e = index_get(&m->x, item->uid);

	/* Another session may have been faster. */
	if (!e || e->state & ENTRY_GONE || e->wire > 0)
		return;
	b->t.bytes += (uint64_t)item->wire - e->size;
	batch_item(b, RECORD_SIZE, item, sizeof(*item));
}

void mailbox_write_sizes(struct mailbox *m)
{
	const struct record_size *item = (const void *)m->sizes.data;
	size_t n = m->sizes.len / sizeof(*item), i;
	struct batch b;

	if (n > 0 && index_lock(&m->x) == ERR_OK) {
		index_begin(&m->x, &b, false);
		for (i = 0; i < n; i++)
			put_size(m, &b, &item[i]);
		err_ignore(index_commit(&m->x, &b, true));
		index_unlock(&m->x);
	}
	buf_reset(&m->sizes);
}

/* Keeps the size just found, as sent, to be written with others. */
static void keep_size(struct mailbox *m, uint32_t uid, uint32_t wire)
{
	struct record_size item = { uid, wire };

	buf_put(&m->sizes, &item, sizeof(item));
	if (m->sizes.len >= SIZES_AT_ONCE * sizeof(item))
		mailbox_write_sizes(m);
}

/* The size of E if it is known, else 0. */
static uint32_t known_size(const struct mailbox *m, const struct entry *e)
{
	const struct record_size *item = (const void *)m->sizes.data;
	size_t n = m->sizes.len / sizeof(*item);

	/* The latest is the most likely, and there are not many. */
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
			sum--; /* one line end together with the byte before */
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
	const struct entry *e = mailbox_entry(m, seq);
	uint32_t uid;
	int fd, code;

	if (!e)
		return ERR_NOT_FOUND;
	*size = known_size(m, e);
	if (*size > 0 || e->size == 0)
		return ERR_OK;
	uid = e->uid;
	code = mailbox_open_file(m, uid, &fd);
	if (code)
		return code;
	code = measure(fd, index_get(&m->x, uid)->size, size);
	if (code == ERR_EOF)
		code = mailbox_restate(m, uid, fd, true);
	close(fd);
	if (!code)
		keep_size(m, uid, *size);
	return code;
}

/* Converts the next piece of the file. */
static int convert(struct mailbox_reader *r)
{
	char piece[PIECE];
	size_t want = r->left > PIECE ? PIECE : (size_t)r->left;
	ssize_t n = read(r->fd, piece, want);

	if (n < 0)
		return err_sys("read", "a message file");
	if (n == 0)
		return ERR_EOF;
	buf_reset(&r->out);
	r->given = 0;
	mime_put_crlf(&r->out, r->last, piece, (size_t)n);
	r->last = piece[n - 1];
	r->left -= (uint64_t)n;
	return ERR_OK;
}

/* Was the file written to after SAVED, when it was recorded? */
static bool written_since(int fd, uint32_t saved)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_mtime > (time_t)saved;
}

/* Will R give as many bytes as announced? A short message is read at once, a
 * long one that was written to is counted. ERR_EOF: no. */
static int prove(struct mailbox_reader *r, uint32_t saved)
{
	uint32_t wire = r->wire;
	int code = ERR_OK;

	if (r->left > 0 && r->left <= PIECE) {
		code = convert(r);
		r->plain = false;
		wire = (uint32_t)r->out.len;
	} else if (written_since(r->fd, saved)) {
		code = measure(r->fd, (uint32_t)r->left, &wire);
	}
	return !code && wire != r->wire ? ERR_EOF : code;
}

int mailbox_read_open(struct mailbox *m, uint32_t seq,
		      struct mailbox_reader **out, uint32_t *size)
{
	const struct entry *e;
	struct mailbox_reader *r;
	uint32_t uid = mailbox_uid(m, seq);
	int code, fd;

	*out = NULL;
	code = mailbox_size(m, seq, size);
	if (!code)
		code = mailbox_open_file(m, uid, &fd);
	if (code)
		return code;
	e = index_get(&m->x, uid);
	r = mem_alloc(sizeof(*r));
	r->m = m;
	r->uid = uid;
	r->fd = fd;
	r->left = e->size;
	r->wire = *size;
	r->plain = e->size == *size;
	buf_init(&r->out, 2 * (size_t)PIECE);
	code = prove(r, e->saved);
	if (code == ERR_EOF)
		code = mailbox_restate(m, uid, fd, true);
	if (code)
		mailbox_read_close(&r);
	*out = r;
	return code;
}

static int read_plain(struct mailbox_reader *r, char *data, size_t size,
		      size_t *n)
{
	ssize_t got = read(r->fd, data, size > r->left ? r->left : size);

	if (got < 0)
		return err_sys("read", "a message file");
	*n = (size_t)got;
	r->left -= *n;
	return got == 0 ? ERR_EOF : ERR_OK;
}

static int read_converted(struct mailbox_reader *r, char *data, size_t size,
			  size_t *n)
{
	int code = ERR_OK;

	if (r->given == r->out.len)
		code = r->left ? convert(r) : ERR_EOF;
	if (code)
		return code;
	*n = r->out.len - r->given;
	if (*n > size)
		*n = size;
	if (*n > r->wire)
		return ERR_EOF;
	memcpy(data, r->out.data + r->given, *n);
	r->given += *n;
	return ERR_OK;
}

int mailbox_read(struct mailbox_reader *r, char *data, size_t size, size_t *n)
{
	int code;

	*n = 0;
	if (r->wire == 0)
		code = r->left || r->given < r->out.len ? ERR_EOF : ERR_OK;
	else if (r->plain)
		code = read_plain(r, data, size, n);
	else
		code = read_converted(r, data, size, n);
	if (code == ERR_EOF) /* more or less than was recorded */
		return mailbox_restate(r->m, r->uid, r->fd, true);
	if (!code)
		r->wire -= (uint32_t)*n;
	return code;
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
	char end;
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
	if (!code) /* is this the end? */
		code = mailbox_read(r, &end, 1, &n);
	mailbox_read_close(&r);
	return code;
}

/* The first bytes of the file FD, which has SIZE, up to the end of its header,
 * as on disk. */
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
			return err_sys("read", "a message file");
		buf_added(b, (size_t)n);
		left -= (size_t)n;
		piece = PIECE;
		end = mime_header_size(b->data, b->len);
	} while (n > 0 && left > 0 && end == b->len);
	buf_truncate(b, end);
	return ERR_OK;
}

static int read_whole(struct mailbox *m, uint32_t uid, int fd, uint32_t size,
		      struct buf *b)
{
	char *room = buf_room(b, size);
	int code = room ? file_pread(fd, room, size, 0) : ERR_TOO_LONG;

	if (!code)
		buf_added(b, size);
	return code == ERR_EOF ? mailbox_restate(m, uid, fd, true) : code;
}

int mailbox_raw(struct mailbox *m, const struct entry *e, bool whole,
		struct buf *b)
{
	uint32_t uid = e->uid, size;
	int fd, code = mailbox_open_file(m, uid, &fd);

	if (code)
		return code;
	e = index_get(&m->x, uid);
	size = e->size;
	code = whole ? read_whole(m, uid, fd, size, b)
		     : read_header(fd, size, b);
	close(fd);
	if (!code && whole && size > 0 && known_size(m, e) == 0)
		keep_size(m, uid, (uint32_t)mime_crlf_size(b->data, b->len));
	return code;
}

int mailbox_stored(struct mailbox *m, uint32_t seq, struct buf *b)
{
	const struct entry *e = mailbox_entry(m, seq);

	return e ? mailbox_raw(m, e, true, b) : ERR_NOT_FOUND;
}

int mailbox_header(struct mailbox *m, uint32_t seq, struct buf *b)
{
	const struct entry *e = mailbox_entry(m, seq);
	struct buf raw;
	int code;

	if (!e)
		return ERR_NOT_FOUND;
	buf_init(&raw, b->max);
	code = mailbox_raw(m, e, false, &raw);
	if (!code)
		mime_put_crlf(b, 0, raw.data, raw.len);
	if (!code && b->over)
		code = ERR_TOO_LONG;
	buf_free(&raw);
	return code;
}
