/* What the cache knows of messages; what it does not know is found out. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "mailbox/cache.h"
#include "mailbox/session.h"

#define WINDOW (256u << 10) /* a FETCH of all walks through the file */

/* N bytes of the cache from AT; NULL if they are not there. */
static const char *view(struct mailbox *m, uint64_t at, size_t n)
{
	ssize_t got;
	size_t want = n > WINDOW ? n : WINDOW;
	char *p;

	if (n == 0 || n > CACHE_ENTRY_MAX || at > INT64_MAX - n)
		return NULL;
	if (at >= m->window_at && at + n <= m->window_at + m->window.len)
		return m->window.data + (at - m->window_at);
	if (m->cache < 0)
		m->cache =
			openat(m->f.dir, DISK_CACHE,
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

void session_drop_cache(struct mailbox *m)
{
	if (m->cache >= 0)
		close(m->cache);
	m->cache = -1;
	buf_reset(&m->window);
}

/* Is there another cache file than the one we have open? */
static bool was_replaced(struct mailbox *m)
{
	struct stat have, now;

	if (m->cache < 0 || fstat(m->cache, &have) < 0 ||
	    fstatat(m->f.dir, DISK_CACHE, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return have.st_ino != now.st_ino;
}

/* E's facts from the cache; false if they are not there. */
static bool look_up(struct mailbox *m, const struct entry *e,
		    struct mailbox_facts *f)
{
	uint32_t validity = m->f.head.uidvalidity;
	int tries;

	for (tries = 0; e->ncache > 0 && tries < 2; tries++) {
		const char *p = view(m, e->cache, e->ncache);

		if (p && cache_read(p, e->ncache, validity, e->uid, f))
			return true;
		if (!was_replaced(m))
			return false;
		session_drop_cache(m);
	}
	return false;
}

void session_cached(struct mailbox *m, const struct entry *e, struct buf *b)
{
	struct mailbox_facts f;

	if (look_up(m, e, &f))
		buf_put(b, view(m, e->cache, e->ncache), e->ncache);
}

/* Reads the message, and keeps what was found for the next who asks. */
static int find_out(struct mailbox *m, uint32_t seq)
{
	struct entry *e;
	struct buf text;
	uint64_t at;
	int code;

	buf_init(&text, UINT32_MAX);
	code = mailbox_text(m, seq, &text);
	e = session_entry(m, seq);
	m->facts_uid = 0;
	buf_reset(&m->facts);
	if (!code) {
		cache_make(&m->facts, m->f.head.uidvalidity, e->uid, text.data,
			   text.len);
		if (m->facts.len == 0)
			code = ERR_TOO_LONG;
	}
	buf_free(&text);
	if (code)
		return code;
	m->facts_uid = e->uid;
	if (cache_append(m->f.dir, &m->facts, &at)) {
		e->cache = at;
		e->ncache = (uint32_t)m->facts.len;
		e->state |= ENTRY_CACHED;
		m->dirty = true;
	}
	return ERR_OK;
}

int mailbox_facts(struct mailbox *m, uint32_t seq, struct mailbox_facts *f)
{
	const struct entry *e = session_entry(m, seq);
	uint32_t validity = m->f.head.uidvalidity;
	int code;

	if (!e)
		return ERR_NOT_FOUND;
	if (look_up(m, e, f))
		return ERR_OK;
	if (m->facts_uid != e->uid) {
		code = find_out(m, seq);
		if (code)
			return code;
		e = session_entry(m, seq);
	}
	return cache_read(m->facts.data, m->facts.len, validity, e->uid, f)
		       ? ERR_OK
		       : ERR_CORRUPT;
}
