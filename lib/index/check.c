/*
 * The check of the files that are the index's own. The journal is read under the
 * lock; what only saves time is compared with what that says.
 */
#include "index/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "index/beside.h"
#include "index/journal.h"
#include "index/lock.h"
#include "index/texts.h"

#define LOCK_MS 10000

void check_tell(struct check *c, const char *file, int64_t at,
		const char *repair, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	c->found(c->context, file, at, repair, what);
}

/* Writers wait from here on: what is in the journal is not half written. A lock
 * file that is not there is not made. */
static int lock(struct check *c)
{
	c->lock = openat(c->x->f.dir, DISK_LOCK,
			 O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (c->lock < 0)
		return errno == ENOENT ? ERR_OK : err_sys("open", DISK_LOCK);
	return lock_take(c->lock, LOCK_MS);
}

void check_end(struct check *c)
{
	if (c->lock >= 0)
		close(c->lock);
	c->lock = -1;
}

/* What follows the last record, at AT. */
static int check_tail(struct check *c, off_t at, bool contradicts)
{
	static const char anew[] = "the journal is kept aside, and what comes "
				   "before is numbered anew";
	struct stat st;
	bool valid;
	int code;

	if (fstat(c->x->f.journal, &st) < 0)
		return err_sys("look at", DISK_JOURNAL);
	code = journal_valid_after(c->x->f.journal, at, st.st_size, true,
				   &valid);
	if (code)
		return code;
	if (contradicts)
		check_tell(c, DISK_JOURNAL, at, anew,
			   "the record contradicts those before it");
	else if (st.st_size == at)
		return ERR_OK;
	else if (valid)
		check_tell(c, DISK_JOURNAL, at, anew,
			   "damaged: no valid record, but some follow");
	else
		check_tell(c, DISK_JOURNAL, at, "they are cut off",
			   "%lld bytes that are no whole record: unfinished",
			   (long long)(st.st_size - at));
	return ERR_OK;
}

static int read_journal(struct check *c)
{
	struct journal_walk w;
	const struct record *r;
	off_t at = sizeof(struct journal_head);
	bool contradicts = false;
	int code;

	journal_walk(&w, c->x->f.journal, at);
	while (!contradicts && (r = journal_next(&w))) {
		contradicts = entries_apply(&c->x->t, r, true) != ERR_OK;
		if (!contradicts) {
			at = w.at;
			c->x->f.last = r->t;
		}
	}
	code = journal_walk_end(&w);
	c->x->read = at;
	return code ? code : check_tail(c, at, contradicts);
}

/* The state of E in T is that in U. */
static bool same(const struct table *t, const struct entry *e,
		 const struct table *u, const struct entry *f)
{
	const char *a = entries_name(t, e), *b = entries_name(u, f);

	return e->uid == f->uid && e->flags == f->flags &&
	       e->keywords == f->keywords && e->modseq == f->modseq &&
	       e->nname == f->nname && a && b && memcmp(a, b, e->nname) == 0;
}

static void compare_tables(struct check *c, const struct table *t,
			   const struct table *snapshot)
{
	uint32_t i = 0, k = 0;
	const struct entry *e, *f;

	do {
		e = entries_next(t, &i);
		f = entries_next(snapshot, &k);
		if (e && f && same(t, e, snapshot, f))
			continue;
		if (e || f)
			check_tell(c, DISK_SNAPSHOT, -1,
				   "nothing: reindex makes it anew",
				   "uid %" PRIu32 " is not as the journal says",
				   e ? e->uid : f->uid);
	} while (e && f && same(t, e, snapshot, f));
}

static void check_snapshot(struct check *c)
{
	struct index y;

	if (faccessat(c->x->f.dir, DISK_SNAPSHOT, F_OK, AT_SYMLINK_NOFOLLOW) <
	    0)
		return;
	index_init(&y);
	y.f = c->x->f;
	if (!index_snapshot_load(&y) || !parts_are_right(&y.t))
		check_tell(
			c, DISK_SNAPSHOT, -1, "it is ignored, and made anew",
			"damaged, of a former version, or of another journal");
	else if (y.read > c->x->read)
		check_tell(c, DISK_SNAPSHOT, -1,
			   "nothing: reindex makes it anew",
			   "it goes further than the journal can be read");
	else if (index_catch_up(&y, true) != ERR_OK)
		check_tell(c, DISK_SNAPSHOT, -1, "it is ignored, and made anew",
			   "it contradicts the journal");
	else
		compare_tables(c, &c->x->t, &y.t);
	index_free(&y);
}

/* The entry's place in the cache; its content is not compared. */
static bool is_cached(const struct check *c, int fd, const struct entry *e,
		      struct buf *b)
{
	struct mailbox_facts facts;
	char *p;

	buf_reset(b);
	p = e->ncache <= CACHE_ENTRY_MAX ? buf_room(b, e->ncache) : NULL;
	return p && file_pread(fd, p, e->ncache, (off_t)e->cache) == ERR_OK &&
	       cache_read(p, e->ncache, c->x->f.head.uidvalidity, e->uid,
			  &facts);
}

static void check_cache(struct check *c)
{
	int fd = openat(c->x->f.dir, DISK_CACHE,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const struct entry *e;
	uint32_t i = 0;
	struct buf b;

	if (fd < 0)
		return;
	buf_init(&b, CACHE_ENTRY_MAX + 1);
	while ((e = entries_next(&c->x->t, &i)))
		if (e->ncache > 0 && !is_cached(c, fd, e, &b))
			check_tell(c, DISK_CACHE, (int64_t)e->cache,
				   "it is made again from the message",
				   "no entry of uid %" PRIu32, e->uid);
	buf_free(&b);
	close(fd);
}

static void check_signatures(struct check *c)
{
	int fd = beside_open(c->x, BESIDE_SIGNATURES);
	struct signature_walk w;
	struct stat st;

	if (fd < 0)
		return;
	signature_walk(&w, fd);
	while (signature_next(&w))
		;
	if (fstat(fd, &st) == 0 && w.at < st.st_size)
		check_tell(c, DISK_SIGNATURES, w.at,
			   "what follows is not used, and made anew after a "
			   "search",
			   "damaged, or half written");
	signature_walk_end(&w);
	close(fd);
}

static void check_texts(struct check *c)
{
	int fd = beside_open(c->x, BESIDE_TEXTS);
	struct texts_walk w;
	bool good = true;
	struct buf b;

	if (fd < 0)
		return;
	buf_init(&b, UINT32_MAX);
	texts_walk(&w, fd, 0);
	while (good && texts_next(&w)) {
		buf_reset(&b);
		good = texts_read(fd, &w.head, w.place, &b);
	}
	if (!good || w.at < w.end)
		check_tell(c, DISK_TEXTS, good ? w.at : w.place,
			   "texts of attachments are made anew for a search",
			   "damaged, or half written");
	buf_free(&b);
	close(fd);
}

int check_journal(struct check *c, bool *read)
{
	int code = lock(c);

	*read = false;
	if (!code)
		code = folder_open_journal(&c->x->f);
	if (code == ERR_NOT_FOUND) {
		check_tell(c, DISK_JOURNAL, -1,
			   "it is made from the files' names", "there is none");
		return ERR_OK;
	}
	if (code == ERR_CORRUPT) {
		check_tell(c, DISK_JOURNAL, 0,
			   "it is kept aside, and all messages are numbered "
			   "anew",
			   "its head is damaged");
		return ERR_OK;
	}
	if (!code && !entries_reserve(&c->x->t, 0))
		code = ERR_LIMIT;
	if (!code)
		code = read_journal(c);
	*read = !code;
	return code;
}

void check_rest(struct check *c)
{
	check_snapshot(c);
	check_end(c);
	check_cache(c);
	check_signatures(c);
	check_texts(c);
}

int check_forget(struct folder *f)
{
	static const char *const files[] = { DISK_SNAPSHOT, DISK_CACHE,
					     DISK_SIGNATURES, DISK_TEXTS };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (unlinkat(f->dir, files[i], 0) < 0 && errno != ENOENT)
			return err_sys("remove", files[i]);
	return ERR_OK;
}
