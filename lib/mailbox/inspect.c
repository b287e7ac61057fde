/*
 * The check. The journal is read from its beginning, never from the snapshot,
 * so that the snapshot can be compared with it.
 */
#include "mailbox/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "index/cache.h"
#include "index/index.h"
#include "index/journal.h"
#include "index/lock.h"
#include "index/signature.h"
#include "index/texts.h"
#include "mailbox/acl.h"
#include "mailbox/metadata.h"
#include "mailbox/private.h"
#include "messages/content.h"

#define LOCK_MS 10000

struct check {
	struct index x;
	int lock; /* -1: there is no lock file */
	inspect_found *found;
	void *context;
};

__attribute__((format(printf, 5, 6))) static void
tell(struct check *c, const char *file, int64_t at, const char *repair,
     const char *fmt, ...)
{
	struct inspect_finding f = { file, at, NULL, repair };
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	f.what = what;
	c->found(c->context, &f);
}

/* Writers wait from here on: what is in the journal is not half written. A lock
 * file that is not there is not made. */
static int lock(struct check *c)
{
	c->lock = openat(c->x.f.dir, DISK_LOCK,
			 O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (c->lock < 0)
		return errno == ENOENT ? ERR_OK : err_sys("open", DISK_LOCK);
	return lock_take(c->lock, LOCK_MS);
}

static void unlock(struct check *c)
{
	if (c->lock >= 0)
		close(c->lock);
	c->lock = -1;
}

/* What follows the last record, at AT. */
static int check_rest(struct check *c, off_t at, bool contradicts)
{
	static const char anew[] = "the journal is kept aside, and what comes "
				   "before is numbered anew";
	struct stat st;
	bool valid;
	int code;

	if (fstat(c->x.f.journal, &st) < 0)
		return err_sys("look at", DISK_JOURNAL);
	code = journal_valid_after(c->x.f.journal, at, st.st_size, true,
				   &valid);
	if (code)
		return code;
	if (contradicts)
		tell(c, DISK_JOURNAL, at, anew,
		     "the record contradicts those before it");
	else if (st.st_size == at)
		return ERR_OK;
	else if (valid)
		tell(c, DISK_JOURNAL, at, anew,
		     "damaged: no valid record, but some follow");
	else
		tell(c, DISK_JOURNAL, at, "they are cut off",
		     "%lld bytes that are no whole record: unfinished",
		     (long long)(st.st_size - at));
	return ERR_OK;
}

static int check_journal(struct check *c)
{
	struct journal_walk w;
	const struct record *r;
	off_t at = sizeof(struct journal_head);
	bool contradicts = false;
	int code;

	journal_walk(&w, c->x.f.journal, at);
	while (!contradicts && (r = journal_next(&w))) {
		contradicts = entries_apply(&c->x.t, r, true) != ERR_OK;
		if (!contradicts) {
			at = w.at;
			c->x.f.last = r->t;
		}
	}
	code = journal_walk_end(&w);
	c->x.read = at;
	return code ? code : check_rest(c, at, contradicts);
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

/* The next entry from *I on that is there. */
static const struct entry *next_entry(const struct table *t, uint32_t *i)
{
	while (*i < t->n && entries_at(t, *i)->state & ENTRY_GONE)
		++*i;
	return *i < t->n ? entries_at(t, (*i)++) : NULL;
}

static void compare_tables(struct check *c, const struct table *t,
			   const struct table *snapshot)
{
	uint32_t i = 0, k = 0;
	const struct entry *e, *f;

	do {
		e = next_entry(t, &i);
		f = next_entry(snapshot, &k);
		if (e && f && same(t, e, snapshot, f))
			continue;
		if (e || f)
			tell(c, DISK_SNAPSHOT, -1,
			     "nothing: reindex makes it anew",
			     "uid %" PRIu32 " is not as the journal says",
			     e ? e->uid : f->uid);
	} while (e && f && same(t, e, snapshot, f));
}

static void check_snapshot(struct check *c)
{
	struct index y = { .f = c->x.f };

	if (faccessat(c->x.f.dir, DISK_SNAPSHOT, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	index_init(&y);
	if (!index_snapshot_load(&y) || !parts_are_right(&y.t))
		tell(c, DISK_SNAPSHOT, -1, "it is ignored, and made anew",
		     "damaged, of a former version, or of another journal");
	else if (y.read > c->x.read)
		tell(c, DISK_SNAPSHOT, -1, "nothing: reindex makes it anew",
		     "it goes further than the journal can be read");
	else if (index_catch_up(&y, true) != ERR_OK)
		tell(c, DISK_SNAPSHOT, -1, "it is ignored, and made anew",
		     "it contradicts the journal");
	else
		compare_tables(c, &c->x.t, &y.t);
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
	       cache_read(p, e->ncache, c->x.f.head.uidvalidity, e->uid,
			  &facts);
}

static void check_cache(struct check *c)
{
	int fd = openat(c->x.f.dir, DISK_CACHE,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const struct entry *e;
	uint32_t i = 0;
	struct buf b;

	if (fd < 0)
		return;
	buf_init(&b, CACHE_ENTRY_MAX + 1);
	while ((e = next_entry(&c->x.t, &i)))
		if (e->ncache > 0 && !is_cached(c, fd, e, &b))
			tell(c, DISK_CACHE, (int64_t)e->cache,
			     "it is made again from the message",
			     "no entry of uid %" PRIu32, e->uid);
	buf_free(&b);
	close(fd);
}

static void check_signatures(struct check *c)
{
	int fd = openat(c->x.f.dir, DISK_SIGNATURES,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct signature_walk w;
	struct stat st;

	if (fd < 0)
		return;
	signature_walk(&w, fd);
	while (signature_next(&w))
		;
	if (fstat(fd, &st) == 0 && w.at < st.st_size)
		tell(c, DISK_SIGNATURES, w.at,
		     "what follows is not used, and made anew after a search",
		     "damaged, or half written");
	signature_walk_end(&w);
	close(fd);
}

static void check_texts(struct check *c)
{
	int fd = openat(c->x.f.dir, DISK_TEXTS,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
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
		tell(c, DISK_TEXTS, good ? w.at : w.place,
		     "texts of attachments are made anew for a search",
		     "damaged, or half written");
	buf_free(&b);
	close(fd);
}

static void file_path(char out[300], unsigned dir, const char *name, size_t n)
{
	snprintf(out, 300, "%s/%.*s", dir == DIR_NEW ? "new" : "cur", (int)n,
		 name);
}

/* Are the bytes of E's file, listed as L, those that were recorded? */
static void check_content(struct check *c, const struct entry *e,
			  const char *raw, const struct listing_file *l)
{
	struct message_ref r = { entries_name(&c->x.t, e), e->nname, l->dir,
				 l->letters, raw };
	enum content what = CONTENT_RIGHT;
	char path[300];
	uint32_t crc;
	int fd, code = messages_open(c->x.f.files, &r, &fd);

	file_path(path, l->dir, raw, strlen(raw));
	if (!code) {
		code = index_content(&c->x, e->uid, &crc);
		if (!code || code == ERR_NOT_FOUND)
			code = content_judge(fd, e->size, code ? NULL : &crc,
					     CONTENT_ANY_TIME, &what);
		close(fd);
	}
	if (code == ERR_NOT_FOUND)
		return; /* renamed since it was listed */
	if (code)
		tell(c, path, -1, "none: a session cannot read it either",
		     "uid %" PRIu32 ": %s", e->uid, err_why(code));
	else if (what != CONTENT_RIGHT)
		tell(c, path, -1,
		     "the message as it is now gets a new UID, if it was "
		     "promised; else it is put into tmp",
		     "uid %" PRIu32 ": %s", e->uid,
		     what == CONTENT_CHANGED ? "other bytes than were recorded"
		     : what == CONTENT_EMPTY ? "empty, or only zeros"
					     : "only a part is there");
}

/* E's file is listed as L. */
static void check_file(struct check *c, const struct entry *e,
		       const struct listing *all, const struct listing_file *l)
{
	const char *raw = listing_name(all, (size_t)(l - all->file));
	char path[300];

	file_path(path, l->dir, raw, strlen(raw));
	if (l->letters != e->letters)
		tell(c, path, -1, "its flags are taken over",
		     "uid %" PRIu32 ": renamed by another program", e->uid);
	check_content(c, e, raw, l);
}

/* Which listed file has which base name; those with one of another are told. */
static struct map *by_name(struct check *c, const struct listing *all)
{
	struct map *m = map_new();

	for (size_t i = 0; i < all->n; i++) {
		const char *raw = listing_name(all, i);
		char *base = mem_strndup(raw, all->file[i].nbase);
		char path[300];

		file_path(path, all->file[i].dir, raw, strlen(raw));
		if (map_get(m, base))
			tell(c, path, -1,
			     "it is removed if it holds the same, else it is "
			     "a message of its own",
			     "a second file of that name");
		else
			map_put(m, base, &all->file[i]);
		free(base);
	}
	return m;
}

static void check_files(struct check *c, const struct listing *all)
{
	struct map *m = by_name(c, all);
	const struct entry *e;
	const char *base;
	uint32_t i = 0;
	size_t pos = 0;
	void *value;

	while ((e = next_entry(&c->x.t, &i))) {
		const char *name = entries_name(&c->x.t, e);
		char *key = mem_strndup(name ? name : "", name ? e->nname : 0);
		struct listing_file *l = map_remove(m, key);

		if (l)
			check_file(c, e, all, l);
		else
			tell(c, key, -1, "the message counts as expunged",
			     "uid %" PRIu32 ": there is no such file", e->uid);
		free(key);
	}
	while ((base = map_next(m, &pos, &value)))
		tell(c, base, -1, "it is a new message, unless an expunge left "
				  "it",
		     "a file without a record");
	map_free(&m);
}

/* FILE, whose check gave CODE. */
static void check_entries(struct check *c, const char *file, int code,
			  const char *without)
{
	if (code == ERR_CORRUPT)
		tell(c, file, -1, without, "%s", err_why(code));
	else if (code)
		tell(c, file, -1, "none: a session cannot read it either", "%s",
		     err_why(code));
}

static void check_entry_files(struct check *c)
{
	check_entries(c, DISK_METADATA, metadata_check(c->x.f.dir),
		      "it is kept aside, and the folder has no annotations");
	check_entries(c, DISK_ACL, acl_check(c->x.f.dir),
		      "it is kept aside, and others may do nothing there");
}

static int check_open(struct check *c)
{
	struct listing all;
	int code = lock(c);

	if (!code)
		code = folder_open_journal(&c->x.f);
	if (code == ERR_NOT_FOUND) {
		tell(c, DISK_JOURNAL, -1, "it is made from the files' names",
		     "there is none");
		return ERR_OK;
	}
	if (code == ERR_CORRUPT) {
		tell(c, DISK_JOURNAL, 0,
		     "it is kept aside, and all messages are numbered anew",
		     "its head is damaged");
		return ERR_OK;
	}
	if (!code)
		code = check_journal(c);
	if (code)
		return code;
	code = messages_list(c->x.f.files, BOTH_DIRS, &all);
	if (!code) {
		check_snapshot(c);
		unlock(c);
		check_cache(c);
		check_signatures(c);
		check_texts(c);
		check_files(c, &all);
	}
	listing_free(&all);
	return code;
}

int inspect_open(struct store *s, const char *name, struct folder *f)
{
	char disk[DISK_NAME_SIZE];
	int code = disk_name_in(s->dir, name, disk);

	if (!code)
		code = store_exists(s, name);
	return code ? code : folder_open(s->dir, disk, s->opener, false, f);
}

int inspect_check(struct store *s, const char *name, inspect_found *found,
		  void *context)
{
	struct check c = { .found = found, .context = context, .lock = -1 };
	int code = inspect_open(s, name, &c.x.f);

	if (code)
		return code;
	index_init(&c.x);
	check_entry_files(&c);
	code = entries_reserve(&c.x.t, 0) ? check_open(&c) : ERR_LIMIT;
	unlock(&c);
	index_free(&c.x);
	folder_close(&c.x.f);
	return code;
}

int inspect_forget(struct store *s, const char *name)
{
	static const char *const files[] = { DISK_SNAPSHOT, DISK_CACHE,
					     DISK_SIGNATURES, DISK_TEXTS };
	struct folder f;
	int code = inspect_open(s, name, &f);

	if (code)
		return code;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files) && !code; i++)
		if (unlinkat(f.dir, files[i], 0) < 0 && errno != ENOENT)
			code = err_sys("remove", files[i]);
	folder_close(&f);
	return code;
}

int inspect_mend(struct store *s, const char *name)
{
	struct mailbox *m;
	int code = mailbox_open(s, name, false, &m);

	if (!code)
		mailbox_close(&m);
	return code;
}
