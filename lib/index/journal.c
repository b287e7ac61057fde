/*
 * Records: finding them in a file, forward and backward, and making them.
 * Whatever is in the file, nothing beyond its bytes is read: a record must have
 * a plausible length, a checksum covers all of it, and numbers that decrease
 * were not written by us.
 */
#include "index/journal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define WINDOW (64u << 10)
#define BACK_WINDOW 8192u    /* usually the last records are wanted */
#define SEARCH_MAX (8 << 20) /* how far to look after damage */

int journal_head_read(int fd, struct journal_head *h)
{
	struct journal_head plain;
	int code = file_pread(fd, h, sizeof(*h), 0);

	if (code == ERR_EOF)
		return ERR_CORRUPT;
	if (code)
		return code;
	plain = *h;
	plain.crc = 0;
	if (h->magic != JOURNAL_MAGIC || h->uidvalidity == 0 ||
	    h->crc != crc32c(0, &plain, sizeof(plain)))
		return ERR_CORRUPT;
	return ERR_OK;
}

int journal_holds(int fd, const struct journal_head *h, off_t end)
{
	struct journal_head now;
	struct record_end last = { .magic = RECORD_END_MAGIC };
	off_t at = end - (off_t)sizeof(last);
	int code = file_pread(fd, &now, sizeof(now), 0);

	if (!code && at >= (off_t)sizeof(now))
		code = file_pread(fd, &last, sizeof(last), at);
	if (code)
		return code == ERR_EOF ? ERR_CORRUPT : code;
	return memcmp(&now, h, sizeof(now)) == 0 &&
			       last.magic == RECORD_END_MAGIC
		       ? ERR_OK
		       : ERR_CORRUPT;
}

static uint32_t record_crc(const struct record *r)
{
	struct record plain;
	uint32_t crc;

	memcpy(&plain, r, sizeof(plain));
	plain.sure = plain.synced = 0;
	plain.crc = 0;
	crc = crc32c(0, &plain, sizeof(plain));
	return crc32c(crc, r + 1, r->length - sizeof(plain));
}

static bool plausible(uint32_t length)
{
	return length >= RECORD_MIN && length <= RECORD_MAX && length % 8 == 0;
}

/* R has r->length bytes in memory: is it a record? */
static bool checks(const struct record *r)
{
	struct record_end end;

	memcpy(&end, (const char *)r + r->length - sizeof(end), sizeof(end));
	return end.length == r->length && end.magic == RECORD_END_MAGIC &&
	       r->type >= RECORD_BEGIN && r->type < RECORD_TYPES &&
	       r->sure <= 1 && r->synced <= 1 && r->t.uidnext > 0 &&
	       record_crc(r) == r->crc;
}

void journal_walk(struct journal_walk *w, int fd, off_t at)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
	w->at = at;
}

int journal_walk_end(struct journal_walk *w)
{
	free(w->data);
	w->data = NULL;
	return w->code;
}

/* Makes N bytes from w->used on available. False at the end of the file, or if
 * they cannot be read. */
static bool fill(struct journal_walk *w, size_t n)
{
	while (w->have - w->used < n) {
		ssize_t got;

		if (w->used > 0) {
			memmove(w->data, w->data + w->used, w->have - w->used);
			w->have -= w->used;
			w->used = 0;
		}
		if (w->cap < n || w->cap == 0) {
			w->cap = n > WINDOW ? n : WINDOW;
			w->data = mem_resize(w->data, w->cap, 1);
		}
		got = pread(w->fd, w->data + w->have, w->cap - w->have,
			    w->at + (off_t)w->have);
		if (got < 0)
			w->code = err_sys("read", DISK_JOURNAL);
		if (got <= 0)
			return false;
		w->have += (size_t)got;
	}
	return true;
}

const struct record *journal_next(struct journal_walk *w)
{
	const struct record *r;
	uint32_t length;

	if (!fill(w, sizeof(*r)))
		return NULL;
	memcpy(&length, w->data + w->used, sizeof(length));
	if (!plausible(length) || !fill(w, length))
		return NULL;
	r = (const struct record *)(const void *)(w->data + w->used);
	if (!checks(r))
		return NULL;
	/* Numbers that decrease were not written by us. */
	if (w->any &&
	    (r->t.uidnext < w->last.uidnext || r->t.modseq < w->last.modseq))
		return NULL;
	w->any = true;
	w->last = r->t;
	w->used += length;
	w->at += length;
	return r;
}

void journal_back(struct journal_back *w, int fd, off_t end)
{
	w->fd = fd;
	w->code = ERR_OK;
	buf_init(&w->b, RECORD_MAX);
	w->start = w->at = end;
	w->quick = false;
}

int journal_back_end(struct journal_back *w)
{
	buf_free(&w->b);
	return w->code;
}

/* Reads N bytes from w->start on to P. A file that is shorter was cut, which is
 * damage. */
static bool read_window(struct journal_back *w, char *p, size_t n)
{
	int code = file_pread(w->fd, p, n, w->start);

	if (code && code != ERR_EOF)
		w->code = code;
	return code == ERR_OK;
}

/* Makes the N bytes before w->at available. */
static const char *before(struct journal_back *w, size_t n)
{
	if (w->at - (off_t)n < (off_t)sizeof(struct journal_head))
		return NULL;
	if (w->at - (off_t)n < w->start) {
		size_t least = w->b.len > 0 ? WINDOW : BACK_WINDOW;
		size_t want = n > least ? n : least;
		char *p;

		if ((off_t)want > w->at - (off_t)sizeof(struct journal_head))
			want = (size_t)w->at - sizeof(struct journal_head);
		buf_reset(&w->b);
		p = buf_room(&w->b, want);
		w->start = w->at - (off_t)want;
		if (!p || !read_window(w, p, want))
			return NULL;
		buf_added(&w->b, want);
	}
	return w->b.data + (w->at - w->start) - n;
}

const struct record *journal_back_next(struct journal_back *w)
{
	const struct record *r;
	struct record_end end;
	const char *p = before(w, RECORD_MIN);

	if (!p)
		return NULL;
	memcpy(&end, p + RECORD_MIN - sizeof(end), sizeof(end));
	if (end.magic != RECORD_END_MAGIC || !plausible(end.length))
		return NULL;
	p = before(w, end.length);
	r = (const struct record *)(const void *)p;
	if (!r || r->length != end.length || (!w->quick && !checks(r)))
		return NULL;
	w->at -= (off_t)end.length;
	return r;
}

int journal_last(int fd, off_t size, struct buf *b)
{
	const size_t least = sizeof(struct journal_head) + RECORD_MIN;
	struct record_end end;
	size_t n = 4096;
	const char *r;
	int tries;

	if (size < (off_t)least || size % 8)
		return ERR_CORRUPT;
	for (tries = 0; tries < 2; tries++) {
		char *p;
		int code;

		if ((off_t)n > size - (off_t)sizeof(struct journal_head))
			n = (size_t)size - sizeof(struct journal_head);
		buf_reset(b);
		p = buf_room(b, n);
		if (!p)
			return ERR_TOO_LONG;
		code = file_pread(fd, p, n, size - (off_t)n);
		if (code)
			return code == ERR_EOF ? ERR_CORRUPT : code;
		buf_added(b, n);
		memcpy(&end, p + n - sizeof(end), sizeof(end));
		if (end.magic != RECORD_END_MAGIC || !plausible(end.length))
			return ERR_CORRUPT;
		if (end.length <= n)
			break;
		n = end.length;
	}
	if (end.length > n)
		return ERR_CORRUPT;
	buf_consume(b, n - end.length);
	r = b->data;
	if (((const struct record *)(const void *)r)->length != end.length ||
	    !checks((const struct record *)(const void *)r))
		return ERR_CORRUPT;
	return ERR_OK;
}

/* Does a valid record begin in the N bytes at P? */
static bool has_record(const char *p, size_t n, bool synced)
{
	bool found = false;
	size_t pos;

	for (pos = 0; !found && pos + RECORD_MIN <= n; pos += 8) {
		const struct record *r = (const void *)(p + pos);

		found = plausible(r->length) && r->length <= n - pos &&
			checks(r) && (!synced || r->synced || r->sure);
	}
	return found;
}

int journal_valid_after(int fd, off_t at, off_t size, bool synced, bool *valid)
{
	struct buf b;
	size_t n;
	char *p;
	int code;

	*valid = false;
	at = (at + 8) & ~(off_t)7; /* records begin at multiples of 8 */
	if (at + (off_t)RECORD_MIN > size)
		return ERR_OK;
	n = size - at > SEARCH_MAX ? SEARCH_MAX : (size_t)(size - at);
	buf_init(&b, n);
	p = buf_room(&b, n);
	code = file_pread(fd, p, n, at);
	if (!code)
		*valid = has_record(p, n, synced);
	buf_free(&b);
	return code;
}

int journal_make_sure(int fd, off_t record)
{
	const uint8_t sure = 1;

	return file_pwrite(fd, &sure, sizeof(sure),
			   record + (off_t)offsetof(struct record, sure));
}

int journal_make_synced(int fd, off_t record)
{
	const uint8_t synced = 1;

	return file_pwrite(fd, &synced, sizeof(synced),
			   record + (off_t)offsetof(struct record, synced));
}

bool journal_is_sure(int fd, off_t record)
{
	uint8_t sure;

	return file_pread(fd, &sure, sizeof(sure),
			  record + (off_t)offsetof(struct record, sure)) ==
		       ERR_OK &&
	       sure == 1;
}

int64_t record_last_write(const struct record *r, const struct record_add *a)
{
	if (a->received > INT64_MAX / 1000000 - 1)
		return INT64_MAX;
	return a->received * 1000000 <= r->t.time ? r->t.time
						  : (a->received + 1) * 1000000;
}

bool record_add_next(const char **p, size_t *n, struct record_add *a)
{
	size_t step;

	if (*n < sizeof(*a))
		return false;
	memcpy(a, *p, sizeof(*a));
	step = sizeof(*a) + ((size_t)a->nname + 7) / 8 * 8;
	if (step > *n)
		return false;
	*p += step;
	*n -= step;
	return true;
}

const void *record_payload(const struct record *r, size_t *n)
{
	*n = r->length - RECORD_MIN;
	return r + 1;
}

bool record_expunged(const struct record *r, uint32_t i,
		     struct record_past *item)
{
	bool past = r->type == RECORD_PAST;
	size_t n, step = past ? sizeof(struct record_past)
			      : sizeof(struct record_range);
	const char *p = record_payload(r, &n);

	if ((!past && r->type != RECORD_EXPUNGE) || i >= r->count ||
	    i >= n / step)
		return false;
	*item = (struct record_past){ .time = r->t.time };
	memcpy(item, p + i * step, step);
	return true;
}

void record_begin(struct buf *b, enum record_type type, uint32_t count)
{
	struct record r;

	memset(&r, 0, sizeof(r));
	r.type = (uint16_t)type;
	r.count = count;
	buf_put(b, &r, sizeof(r));
}

void record_pad(struct buf *b)
{
	static const char zeros[8];

	buf_put(b, zeros, -b->len % 8);
}

void record_end(struct buf *b, size_t at, const struct totals *t)
{
	struct record_end end = { 0, RECORD_END_MAGIC };
	struct record *r;

	record_pad(b);
	end.length = (uint32_t)(b->len - at + sizeof(end));
	buf_put(b, &end, sizeof(end));
	if (b->over)
		return;
	r = (struct record *)(void *)(b->data + at);
	r->length = end.length;
	r->t = *t;
	r->crc = record_crc(r);
}
