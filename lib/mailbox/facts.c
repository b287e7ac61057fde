/* What the cache knows about messages; the rest is read from them. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "index/cache.h"
#include "mailbox/opened.h"
#include "mime/field.h"

#define WINDOW (256u << 10) /* a FETCH of all reads through the file */
#define MADE_MAX (256u << 10)
#define TEXT_KEEP (1u << 20)

/* Entries that are not yet in the file have places from here on: in the order
 * of m->made. Only this session sees them. */
#define MADE_AT (UINT64_C(1) << 62)

static const char *view_made(const struct mailbox *m, uint64_t at, size_t n)
{
	return at + n <= m->made.len ? m->made.data + at : NULL;
}

/* N bytes of the cache from AT; NULL if they are not there. */
static const char *view(struct mailbox *m, uint64_t at, size_t n)
{
	ssize_t got;
	size_t want = n > WINDOW ? n : WINDOW;
	char *p;

	if (n == 0 || n > CACHE_ENTRY_MAX || at > INT64_MAX - n)
		return NULL;
	if (at >= MADE_AT)
		return view_made(m, at - MADE_AT, n);
	if (at >= m->window_at && at + n <= m->window_at + m->window.len)
		return m->window.data + (at - m->window_at);
	if (m->cache < 0)
		m->cache =
			openat(m->x.f.dir, DISK_CACHE,
			       O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (m->cache < 0)
		return NULL;
	buf_reset(&m->window);
	p = buf_room(&m->window, want);
	got = p ? pread(m->cache, p, want, (off_t)at) : -1;
	if (got < (ssize_t)n)
		return NULL;
	buf_added(&m->window, (size_t)got);
	m->window_at = at;
	return p;
}

void mailbox_drop_cache(struct mailbox *m)
{
	if (m->cache >= 0)
		close(m->cache);
	m->cache = -1;
	buf_reset(&m->window);
}

/* Is the cache file another one than we have open? */
static bool was_replaced(struct mailbox *m)
{
	struct stat have, now;

	if (m->cache < 0 || fstat(m->cache, &have) < 0 ||
	    fstatat(m->x.f.dir, DISK_CACHE, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return have.st_ino != now.st_ino;
}

/* E's facts from the cache; false if they are not there. */
static bool look_up(struct mailbox *m, const struct entry *e,
		    struct mailbox_facts *f)
{
	uint32_t validity = m->x.f.head.uidvalidity;
	int tries;

	for (tries = 0; e->ncache > 0 && tries < 2; tries++) {
		const char *p = view(m, e->cache, e->ncache);

		if (p && cache_read(p, e->ncache, validity, e->uid, f))
			return true;
		if (!was_replaced(m))
			return false;
		mailbox_drop_cache(m);
	}
	return false;
}

static bool same_bytes(const char *a, size_t na, const char *b, size_t nb)
{
	return na == nb && memcmp(a, b, na) == 0;
}

static bool same_facts(const struct mailbox_facts *a,
		       const struct mailbox_facts *b)
{
	return same_bytes(a->envelope, a->envelope_len, b->envelope,
			  b->envelope_len) &&
	       same_bytes(a->body, a->body_len, b->body, b->body_len) &&
	       same_bytes(a->bodystructure, a->bodystructure_len,
			  b->bodystructure, b->bodystructure_len) &&
	       same_bytes(a->header, a->header_len, b->header, b->header_len);
}

bool mailbox_is_as_cached(struct mailbox *m, const struct entry *e, int fd)
{
	uint32_t validity = m->x.f.head.uidvalidity;
	struct mailbox_facts was, is;
	struct buf text, made;
	bool same = true;
	char *p;

	if (!look_up(m, e, &was))
		return true;
	buf_init(&text, UINT32_MAX);
	buf_init(&made, CACHE_ENTRY_MAX);
	p = buf_room(&text, e->size);
	if (p && file_pread(fd, p, e->size, 0) == ERR_OK) {
		bool whole = was.body_len > 0;

		cache_make(&made, validity, e->uid, p,
			   whole ? e->size : mime_header_size(p, e->size),
			   whole);
		same = cache_read(made.data, made.len, validity, e->uid, &is) &&
		       same_facts(&was, &is);
	}
	buf_free(&made);
	buf_free(&text);
	return same;
}

void mailbox_cached(struct mailbox *m, const struct entry *e, struct buf *b)
{
	struct mailbox_facts f;

	if (look_up(m, e, &f))
		buf_put(b, view(m, e->cache, e->ncache), e->ncache);
}

void mailbox_write_cache(struct mailbox *m)
{
	const uint32_t *uid = (const uint32_t *)(const void *)m->made_uids.data;
	size_t n = m->made_uids.len / sizeof(*uid), i;
	uint64_t at = 0;
	bool good;

	if (n == 0)
		return;
	good = cache_append(m->x.f.dir, &m->made, &at);
	for (i = 0; i < n; i++) {
		struct entry *e = entries_get(&m->x.t, uid[i]);

		/* Another session may have been faster. */
		if (!e || e->ncache == 0 || e->cache < MADE_AT)
			continue;
		e->cache = good ? at + (e->cache - MADE_AT) : 0;
		e->ncache = good ? e->ncache : 0;
		e->state |= ENTRY_CACHED;
		m->dirty = true;
	}
	buf_reset(&m->made);
	buf_reset(&m->made_uids);
}

void mailbox_keep_cached(struct mailbox *m, struct entry *e,
			 const struct buf *entry)
{
	if (m->made.len >= MADE_MAX)
		mailbox_write_cache(m);
	e->cache = MADE_AT + m->made.len;
	e->ncache = (uint32_t)entry->len;
	buf_put(&m->made, entry->data, entry->len);
	buf_put(&m->made_uids, &e->uid, sizeof(e->uid));
}

/* Reads the necessary part of the message. */
static int find_out(struct mailbox *m, uint32_t seq, bool structure)
{
	struct entry *e = mailbox_entry(m, seq);
	struct buf *text = &m->text;
	int code;

	buf_reset(text);
	code = mailbox_raw(m, e, structure, text);
	e = mailbox_entry(m, seq);
	buf_reset(&m->facts);
	if (!code) {
		cache_make(&m->facts, m->x.f.head.uidvalidity, e->uid,
			   text->data, text->len, structure);
		if (m->facts.len == 0)
			code = ERR_TOO_LONG;
	}
	if (text->cap > TEXT_KEEP)
		buf_free(text);
	if (code)
		return code;
	mailbox_keep_cached(m, e, &m->facts);
	return ERR_OK;
}

static bool good_enough(const struct mailbox_facts *f, bool structure)
{
	return f->body_len > 0 || !structure;
}

int mailbox_facts(struct mailbox *m, uint32_t seq, bool structure,
		  struct mailbox_facts *f)
{
	const struct entry *e = mailbox_entry(m, seq);
	uint32_t validity = m->x.f.head.uidvalidity;
	int code;

	if (!e)
		return ERR_NOT_FOUND;
	if (look_up(m, e, f) && good_enough(f, structure))
		return ERR_OK;
	code = find_out(m, seq, structure);
	if (code)
		return code;
	e = mailbox_entry(m, seq);
	return cache_read(m->facts.data, m->facts.len, validity, e->uid, f)
		       ? ERR_OK
		       : ERR_CORRUPT;
}
