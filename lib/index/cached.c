#include "index/cached.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "index/index.h"

#define WINDOW (256u << 10) /* a FETCH of all reads through the file */
#define MADE_MAX (256u << 10)
#define WASTE_MIN (4 << 20) /* bytes not worth the work */
#define PIECE (1u << 20)

/* Entries that are not yet in the file have places from here on: in the order
 * of `made`. Only this session sees them. */
#define MADE_AT (UINT64_C(1) << 62)

void cached_init(struct cached *c)
{
	c->fd = -1;
	buf_init(&c->window, RECORD_MAX * 2);
	buf_init(&c->made, 2 * CACHE_ENTRY_MAX);
	buf_init(&c->made_uids, CACHE_ENTRY_MAX);
}

/* Forgets the open file: another took its place. */
static void drop(struct cached *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_reset(&c->window);
}

void cached_free(struct cached *c)
{
	drop(c);
	buf_free(&c->window);
	buf_free(&c->made);
	buf_free(&c->made_uids);
}

static const char *view_made(const struct cached *c, uint64_t at, size_t n)
{
	return at + n <= c->made.len ? c->made.data + at : NULL;
}

/* N bytes of the cache from AT; NULL if they are not there. */
static const char *view(struct index *x, uint64_t at, size_t n)
{
	struct cached *c = &x->cached;
	ssize_t got;
	size_t want = n > WINDOW ? n : WINDOW;
	char *p;

	if (n == 0 || n > CACHE_ENTRY_MAX || at > INT64_MAX - n)
		return NULL;
	if (at >= MADE_AT)
		return view_made(c, at - MADE_AT, n);
	if (at >= c->window_at && at + n <= c->window_at + c->window.len)
		return c->window.data + (at - c->window_at);
	if (c->fd < 0)
		c->fd = openat(x->f.dir, DISK_CACHE,
			       O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (c->fd < 0)
		return NULL;
	buf_reset(&c->window);
	p = buf_room(&c->window, want);
	got = p ? pread(c->fd, p, want, (off_t)at) : -1;
	if (got < (ssize_t)n)
		return NULL;
	buf_added(&c->window, (size_t)got);
	c->window_at = at;
	return p;
}

/* Is the file another one than we have open? */
static bool was_replaced(const struct index *x)
{
	struct stat have, now;

	if (x->cached.fd < 0 || fstat(x->cached.fd, &have) < 0 ||
	    fstatat(x->f.dir, DISK_CACHE, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return have.st_ino != now.st_ino;
}

bool cached_facts(struct index *x, const struct entry *e,
		  struct mailbox_facts *f)
{
	uint32_t validity = x->f.head.uidvalidity;
	int tries;

	for (tries = 0; e->ncache > 0 && tries < 2; tries++) {
		const char *p = view(x, e->cache, e->ncache);

		if (p && cache_read(p, e->ncache, validity, e->uid, f))
			return true;
		if (!was_replaced(x))
			return false;
		drop(&x->cached);
	}
	return false;
}

void cached_entry(struct index *x, const struct entry *e, struct buf *b)
{
	struct mailbox_facts f;

	if (cached_facts(x, e, &f))
		buf_put(b, view(x, e->cache, e->ncache), e->ncache);
}

bool cached_write(struct index *x)
{
	struct cached *c = &x->cached;
	const uint32_t *uid = (const uint32_t *)(const void *)c->made_uids.data;
	size_t n = c->made_uids.len / sizeof(*uid), i;
	uint64_t at = 0;
	bool good, any = false;

	if (n == 0)
		return false;
	good = cache_append(&x->f, &c->made, &at);
	for (i = 0; i < n; i++) {
		struct entry *e = entries_get(&x->t, uid[i]);

		/* Another session may have been faster. */
		if (!e || e->ncache == 0 || e->cache < MADE_AT)
			continue;
		e->cache = good ? at + (e->cache - MADE_AT) : 0;
		e->ncache = good ? e->ncache : 0;
		e->state |= ENTRY_CACHED;
		any = true;
	}
	buf_reset(&c->made);
	buf_reset(&c->made_uids);
	return any;
}

bool cached_put(struct index *x, struct entry *e, const struct buf *entry)
{
	struct cached *c = &x->cached;
	bool any = c->made.len >= MADE_MAX && cached_write(x);

	e->cache = MADE_AT + c->made.len;
	e->ncache = (uint32_t)entry->len;
	buf_put(&c->made, entry->data, entry->len);
	buf_put(&c->made_uids, &e->uid, sizeof(e->uid));
	return any;
}

static bool is_due(const struct index *x)
{
	struct stat st;

	if (fstatat(x->f.dir, DISK_CACHE, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_size < WASTE_MIN)
		return false;
	return (uint64_t)st.st_size > WASTE_MIN + 2 * entries_cached(&x->t);
}

/* Copies all entries to FD; their new places go into B. */
static int copy_entries(struct index *x, int fd, struct batch *b)
{
	struct buf piece;
	uint64_t written = 0;
	uint32_t i;
	int code = ERR_OK;

	buf_init(&piece, 8 * (size_t)PIECE);
	for (i = 0; !code && i < x->t.n; i++) {
		const struct entry *e = entries_at(&x->t, i);
		struct record_cached c = { .uid = e->uid };
		size_t before = piece.len;

		if (e->state & ENTRY_GONE)
			continue;
		cached_entry(x, e, &piece);
		c.ncache = (uint32_t)(piece.len - before);
		c.cache = written + before;
		batch_item(b, RECORD_CACHED, &c, sizeof(c));
		if (piece.len < PIECE)
			continue;
		code = file_write(fd, piece.data, piece.len);
		written += piece.len;
		buf_reset(&piece);
	}
	if (!code)
		code = file_write(fd, piece.data, piece.len);
	buf_free(&piece);
	return code;
}

static void pack(struct index *x)
{
	const char *fresh = DISK_CACHE DISK_NEW_SUFFIX;
	struct batch b;
	int fd, code;

	/* an unfinished one of before; if it stays, O_EXCL tells */
	err_ignore(unlinkat(x->f.dir, fresh, 0));
	fd = openat(x->f.dir, fresh,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	batch_begin(&b, NULL, false);
	b.t = folder_next(&x->f);
	code = copy_entries(x, fd, &b);
	close(fd);
	if (!code && renameat(x->f.dir, fresh, x->f.dir, DISK_CACHE) == 0) {
		/* Until this is written, entries do not match their messages,
		 * and are made again. */
		b.f = &x->f;
		err_ignore(index_commit(x, &b, true));
		drop(&x->cached);
		return;
	}
	err_ignore(unlinkat(x->f.dir, fresh, 0)); /* or the next */
	batch_drop(&b);
}

void cached_pack(struct index *x)
{
	if (!is_due(x) || index_lock(x) != ERR_OK)
		return;
	if (is_due(x))
		pack(x);
	index_unlock(x);
}
