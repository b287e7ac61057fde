/*
 * How messages come into a folder. Under the lock: their records in the
 * journal, then the files' names, then a note of the directories' times.
 * Without it: the sync of journal, files and directories, begun together. Only
 * then is anything promised, and a UID told. So a power cut in between leaves
 * a record without a file, which the next scan takes out, or a file without a
 * record, which the next scan takes for a new message; a file whose size is
 * not that of its name is torn, and none.
 */
#include "mailbox/add.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "log/log.h"
#include "mailbox/cache.h"
#include "mailbox/journal.h"
#include "mailbox/mailbox.h"

int addition_begin(struct addition *a, struct folder *f, unsigned flags,
		   uint64_t keywords, int64_t received)
{
	int dir;

	memset(a, 0, sizeof(*a));
	a->in.fd = -1;
	buf_init(&a->in.text, 0);
	buf_init(&a->cached, CACHE_ENTRY_MAX);
	a->e.flags = flags & MAILBOX_FLAGS_ALL;
	a->e.keywords = keywords;
	a->e.letters = name_letters(0, flags);
	a->e.dir = a->e.letters ? DIR_CUR : DIR_NEW;
	a->e.received = received;
	dir = folder_sub(f, a->e.dir);
	if (dir < 0)
		return err_from_errno(errno);
	return incoming_begin(&a->in, f->dir, dir);
}

int addition_finish(struct addition *a)
{
	/* Before the text is written out: only now it is all in memory. */
	if (a->in.whole)
		cache_make(&a->cached, 0, 0, a->in.text.data, a->in.text.len,
			   true);
	a->e.ncache = (uint32_t)a->cached.len;
	return incoming_finish(&a->in);
}

void addition_end(struct addition *a)
{
	incoming_end(&a->in);
	buf_free(&a->cached);
}

int add_prepare(struct store *s, const char *name, const char *const *keyword,
		size_t n, uint64_t *bits)
{
	struct mailbox *m;
	size_t i;
	int code = mailbox_open(s, name, true, &m);

	*bits = 0;
	if (code)
		return code;
	for (i = 0; !code && i < n; i++) {
		uint64_t bit = 0;

		code = mailbox_keyword_bit(m, keyword[i], true, &bit);
		*bits |= bit;
	}
	mailbox_close(&m);
	return code;
}

/* Gives A its UID and name. */
static void number(struct addition *a, const struct folder *f, uint32_t uid,
		   const struct totals *t)
{
	a->e.uid = uid;
	a->e.modseq = t->modseq;
	a->e.size = (uint32_t)a->in.size;
	a->e.wire = (uint32_t)a->in.wire;
	a->e.saved = (uint32_t)clock_wall();
	name_make(a->base, sizeof(a->base), clock_wall_us(),
		  f->head.uidvalidity, uid, a->e.size, a->e.wire);
	a->e.nname = (uint8_t)strlen(a->base);
	if (a->e.ncache == 0)
		return;
	cache_rename(&a->cached, f->head.uidvalidity, uid);
	if (!cache_append(f->dir, &a->cached, &a->e.cache))
		a->e.ncache = 0;
}

/* *DONE is how many were recorded, also after a failure. */
static int record_all(struct folder *f, struct addition *a, size_t n,
		      size_t *done)
{
	struct totals t = folder_next(f);
	struct buf b;
	size_t i, at;
	int code = ERR_OK;

	buf_init(&b, 2 * (size_t)RECORD_MAX);
	t.modseq++;
	/* Many messages are several records, each within its limit. */
	for (*done = 0; !code && *done < n;) {
		size_t now = n - *done > 4096 ? 4096 : n - *done;

		at = b.len;
		record_begin(&b, RECORD_ADD, (uint32_t)now);
		for (i = *done; i < *done + now; i++) {
			number(&a[i], f, t.uidnext++, &t);
			totals_add(&t, &a[i].e, 1);
			entries_put(&b, &a[i].e, a[i].base, a[i].key);
		}
		record_end(&b, at, &t);
		code = folder_write(f, &b, &t);
		buf_reset(&b);
		if (!code)
			*done += now;
	}
	buf_free(&b);
	return code;
}

static int link_all(struct folder *f, struct addition *a, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		char file[NAME_SIZE];
		int code = ERR_OK;

		name_file(file, a[i].base, a[i].e.nname, a[i].e.dir,
			  a[i].e.letters);
		if (a[i].in.fd >= 0)
			code = incoming_link(&a[i].in, file);
		else if (linkat(a[i].from_dir, a[i].from, f->sub[a[i].e.dir],
				file, 0) < 0)
			code = err_from_errno(errno);
		if (code)
			return code;
		a[i].linked = true;
	}
	return ERR_OK;
}

/* Remembers the directories' times, as our own change left them. Only for
 * speed: without this record they are looked at. */
static void record_marks(struct folder *f, unsigned dirs,
			 const int64_t before[DIRS])
{
	struct totals t = folder_next(f);
	struct buf b;

	folder_keep_marks(f, dirs, before, &t);
	buf_init(&b, RECORD_MAX);
	record_begin(&b, RECORD_MARK, 0);
	record_end(&b, 0, &t);
	folder_write(f, &b, &t);
	buf_free(&b);
}

int add_sync(struct folder *f, unsigned dirs)
{
	unsigned d;
	int code = folder_sync(f);

	for (d = 0; !code && d < DIRS; d++)
		if (dirs & 1u << d && fsync(f->sub[d]) < 0)
			code = err_from_errno(errno);
	return code;
}

/* Bits of the directories that get something. */
static unsigned dirs_of(const struct addition *a, size_t n)
{
	unsigned dirs = 0;
	size_t i;

	for (i = 0; i < n; i++)
		dirs |= 1u << a[i].e.dir;
	return dirs;
}

static int sync_all(struct folder *f, struct addition *a, size_t n)
{
	size_t i;

	/* Started together, they share one commit of the file system. */
	sync_file_range(f->journal, 0, 0, SYNC_FILE_RANGE_WRITE);
	for (i = 0; i < n; i++)
		if (a[i].in.fd >= 0 && fsync(a[i].in.fd) < 0)
			return err_from_errno(errno);
	return add_sync(f, dirs_of(a, n));
}

/* Takes back N messages from FIRST on that were recorded and not promised. */
static void undo(struct folder *f, const struct entry *e, size_t n)
{
	struct record_range range = { e[0].uid, e[0].uid + (uint32_t)n - 1 };
	struct totals t;
	struct buf b;
	size_t i;

	if (!f->locked && folder_lock(f) != ERR_OK)
		return;
	t = folder_next(f);
	t.modseq++;
	for (i = 0; i < n; i++)
		totals_add(&t, &e[i], -1);
	buf_init(&b, RECORD_MAX);
	record_begin(&b, RECORD_UNDO, 1);
	buf_put(&b, &range, sizeof(range));
	record_end(&b, 0, &t);
	if (folder_write(f, &b, &t) != ERR_OK)
		log_warn("mailbox: a failed delivery could not be taken back "
			 "in the journal; the next session will");
	buf_free(&b);
	folder_unlock(f);
}

static void take_back(struct folder *f, struct addition *a, size_t n)
{
	struct entry one;
	int kept = errno;
	size_t i;

	for (i = 0; i < n; i++) {
		char file[NAME_SIZE];

		if (!a[i].linked)
			continue;
		name_file(file, a[i].base, a[i].e.nname, a[i].e.dir,
			  a[i].e.letters);
		unlinkat(f->sub[a[i].e.dir], file, 0);
	}
	for (i = 0; i < n; i++) {
		one = a[i].e;
		undo(f, &one, 1);
	}
	errno = kept;
}

int add_commit(struct folder *f, struct addition *a, size_t n, uint32_t *uid)
{
	int64_t before[DIRS];
	size_t recorded = 0;
	unsigned dirs = dirs_of(a, n);
	int code = folder_times(f, dirs, before);

	if (!code)
		code = record_all(f, a, n, &recorded);
	if (!code)
		code = link_all(f, a, n);
	if (!code)
		record_marks(f, dirs, before);
	folder_unlock(f);
	if (!code)
		code = sync_all(f, a, n);
	if (code)
		take_back(f, a, recorded);
	else
		*uid = a[0].e.uid;
	return code;
}
