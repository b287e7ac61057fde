/*
 * The journal of a folder on disk, for a writer: opening and locking, cutting
 * what a dead writer left, appending, syncing, replacing. A writer only knows
 * the end of the journal and the totals there, so a delivery costs the same in
 * a folder of any size. Every append is one write at a known end, so that a
 * part of it never counts, and the journal reserves some room for what must be
 * written on a full disk.
 */
#include "index/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "index/high-water.h"
#include "index/journal.h"
#include "index/lock.h"
#include "index/note.h"
#include "log/log.h"

#define LOCK_TRIES 5
#define HELD_MS 50		  /* so long others are kept out */
#define LET_MS (LOCK_LOOK_MS + 5) /* then so long they may come */

int folder_open(int store, const char *name, messages_opener *opener, bool make,
		struct folder *f)
{
	int code;

	memset(f, 0, sizeof(*f));
	f->lock = f->journal = -1;
	f->dir = openat(store, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->dir < 0)
		return errno == ENOTDIR || errno == ELOOP
			       ? err_set(ERR_NOT_FOUND, "%s is no folder", name)
			       : err_sys("open", name);
	code = opener(f->dir, make, &f->files);
	if (code) {
		folder_close(f);
		return code;
	}
	f->id = messages_id(f->files);
	return ERR_OK;
}

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void folder_close(struct folder *f)
{
	messages_close(&f->files);
	drop(&f->dir);
	drop(&f->lock);
	drop(&f->journal);
	f->locked = false;
}

bool folder_is_gone(const struct folder *f)
{
	struct stat st;

	return fstat(f->dir, &st) == 0 && st.st_nlink == 0;
}

static int open_journal(struct folder *f, struct stat *st)
{
	int code;

	drop(&f->journal);
	f->end = 0;
	f->checked = false;
	f->journal = openat(f->dir, DISK_JOURNAL,
			    O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (f->journal < 0)
		return err_sys("open", DISK_JOURNAL);
	code = fstat(f->journal, st) < 0 ? err_sys("look at", DISK_JOURNAL)
					 : ERR_OK;
	if (!code && !S_ISREG(st->st_mode))
		code = ERR_CORRUPT;
	if (!code)
		code = journal_head_read(f->journal, &f->head);
	/* A damaged one is not "the one we know" at the next lock. */
	f->journal_ino = code ? 0 : st->st_ino;
	f->room = code ? 0 : st->st_blocks * 512;
	if (code && code != ERR_CORRUPT)
		drop(&f->journal);
	return code;
}

int folder_open_journal(struct folder *f)
{
	struct stat st;

	return open_journal(f, &st);
}

static int read_last(struct folder *f, off_t size)
{
	struct buf b;
	int code;

	buf_init(&b, RECORD_MAX);
	code = journal_last(f->journal, size, &b);
	if (!code) {
		f->last = ((const struct record *)(void *)b.data)->t;
		f->end = size;
	}
	buf_free(&b);
	return code;
}

int folder_peek(struct folder *f)
{
	struct stat st;
	int code = open_journal(f, &st);

	if (code)
		return code;
	code = read_last(f, st.st_size);
	return code == ERR_CORRUPT ? ERR_BUSY : code;
}

/* Was what is after f->end on the disk once? The journal was synced as a whole
 * when it was made; later a record says so. In former versions no record did:
 * there any record counts. */
static int was_synced(const struct folder *f, off_t size, bool *synced)
{
	*synced = (uint64_t)f->end < f->head.born;
	return *synced ? ERR_OK
		       : journal_valid_after(f->journal, f->end, size,
					     f->head.born > 0, synced);
}

/* The tail is invalid: finds the end of what is valid. After that is what was
 * being written when its writers died, and was never promised. But if it was
 * on the disk once, this is damage. */
static int repair(struct folder *f, off_t size)
{
	struct journal_walk w;
	bool synced;
	int code;

	journal_walk(&w, f->journal, sizeof(struct journal_head));
	while (journal_next(&w))
		;
	f->end = w.at;
	f->last = w.last;
	code = journal_walk_end(&w);
	if (!code && w.any)
		code = was_synced(f, size, &synced);
	if (code)
		return code;
	if (!w.any || synced)
		return ERR_CORRUPT;
	log_warn("mailbox journal: %lld bytes of an unfinished record cut off",
		 (long long)(size - f->end));
	if (ftruncate(f->journal, f->end) < 0)
		return err_sys("cut", DISK_JOURNAL);
	return ERR_OK;
}

/* The last record is valid: are those before it, back to one that was on the
 * disk with all before? After a power cut one may be torn and a later one
 * whole: ERR_CORRUPT. */
static int check_tail(const struct folder *f)
{
	struct journal_back w;
	const struct record *r;
	bool sure = f->head.born == 0; /* former versions did not say */
	int code;

	journal_back(&w, f->journal, f->end);
	while (!sure && (r = journal_back_next(&w)))
		sure = r->sure || r->synced;
	code = journal_back_end(&w);
	if (sure || (uint64_t)w.at <= f->head.born)
		return ERR_OK;
	return code ? code : ERR_CORRUPT;
}

/* Opens the journal if it is another file than the one we know. */
static int same_journal(struct folder *f, struct stat *st)
{
	if (f->journal >= 0) {
		bool there = fstatat(f->dir, DISK_JOURNAL, st,
				     AT_SYMLINK_NOFOLLOW) == 0;

		if (there && st->st_ino == f->journal_ino) {
			f->room = st->st_blocks * 512;
			return st->st_size != f->end
				       ? ERR_OK
				       : journal_holds(f->journal, &f->head,
						       f->end);
		}
		/* the open one still has the former state */
		if (!there && errno == ENOENT)
			return ERR_NOT_FOUND;
		f->replaced = true;
	}
	return open_journal(f, st);
}

/* Locks the file that now has the lock's name: a restore may have put another
 * there since it was opened. */
static int take_lock(struct folder *f)
{
	struct stat st;
	int tries, code = ERR_OK;

	for (tries = 0; !code && tries < LOCK_TRIES; tries++) {
		if (f->lock < 0)
			f->lock = lock_open(f->dir, DISK_LOCK);
		if (f->lock < 0)
			return err_sys("open", DISK_LOCK);
		code = lock_take(f->lock, FOLDER_LOCK_MS);
		if (!code && fstat(f->lock, &st) < 0)
			code = err_sys("look at", DISK_LOCK);
		if (!code && (st.st_nlink > 0 || folder_is_gone(f))) {
			note_locked(f, &st);
			return ERR_OK;
		}
		drop(&f->lock);
	}
	return code ? code : ERR_BUSY;
}

/* Says in the journal that clients may know more than it does: the mod-sequence
 * is one that nobody has. If that cannot be written, the next to lock tries. */
static void note_regress(struct folder *f)
{
	struct totals t = folder_next(f);
	struct record_past reach = { .first = UINT32_MAX, .time = t.time };
	struct buf b;

	buf_init(&b, RECORD_MAX);
	reach.modseq = ++t.modseq;
	record_begin(&b, RECORD_PAST, 1);
	buf_put(&b, &reach, sizeof(reach));
	record_end(&b, 0, &t);
	f->checked = folder_write(f, &b, &t, true) == ERR_OK;
	buf_free(&b);
}

/* Work in portions, a lock for each, would keep others out until the end if the
 * next portion came at once. Short portions are not delayed for each. */
static void let_others(struct folder *f)
{
	const struct timespec pause = { .tv_nsec = LET_MS * 1000000L };

	if (clock_ms() - f->released > LOCK_LOOK_MS)
		f->held = 0;
	if (f->held < HELD_MS)
		return;
	nanosleep(&pause, NULL);
	f->held = 0;
}

int folder_lock(struct folder *f)
{
	struct stat st;
	int code;

	let_others(f);
	code = take_lock(f);
	if (code)
		return code;
	f->locked = true;
	f->taken = clock_ms();
	code = same_journal(f, &st);
	if (!code && st.st_size != f->end) {
		code = read_last(f, st.st_size);
		if (!code)
			code = check_tail(f);
		if (code == ERR_CORRUPT)
			code = repair(f, st.st_size);
		f->checked = false;
	}
	if (!code && !f->checked)
		code = note_check(f);
	if (!code && f->regressed && f->last.modseq < f->floor_modseq)
		note_regress(f);
	if (code && code != ERR_NOT_FOUND && code != ERR_CORRUPT)
		folder_unlock(f);
	return code;
}

void folder_unlock(struct folder *f)
{
	if (!f->locked)
		return;
	lock_release(f->lock);
	f->locked = false;
	f->released = clock_ms();
	f->held += f->released - f->taken;
}

void folder_write_out(struct folder *f)
{
	/* what fails here fails again in the sync */
	err_ignore(sync_file_range(f->journal, 0, 0, SYNC_FILE_RANGE_WRITE));
}

int folder_sync_all(struct folder *f)
{
	return file_sync_all(f->dir) < 0 ? err_sys("sync", "the file system")
					 : ERR_OK;
}

void folder_make_sure(struct folder *f, off_t record)
{
	/* or they are examined again */
	err_ignore(journal_make_sure(f->journal, record));
}

#define FRESH INT64_C(600000000) /* 10 minutes, in microseconds */

#define RESERVE 8192 /* for some eighty changes of flags, say */

int folder_keep_room(struct folder *f, size_t n)
{
	off_t want = f->end + (off_t)n;

	if (want + RESERVE / 2 <= f->room)
		return ERR_OK;
	if (fallocate(f->journal, FALLOC_FL_KEEP_SIZE, f->end,
		      (off_t)n + RESERVE) == 0)
		f->room = want + RESERVE;
	else if (errno != EOPNOTSUPP)
		return err_sys("keep room for", DISK_JOURNAL);
	return ERR_OK;
}

/* A part of a failed write may be there: nobody takes it for a record, and the
 * next writer cuts it if this fails. The reserved room stays. */
static void cut_rest(struct folder *f)
{
	struct stat st;

	if (fstat(f->journal, &st) == 0 && st.st_size == f->end)
		return;
	if (ftruncate(f->journal, f->end) < 0)
		f->end = 0;
	f->room = 0;
}

int folder_write(struct folder *f, const struct buf *b, const struct totals *t,
		 bool needed)
{
	int code = ERR_OK;

	if (b->over || t->uidnext == UINT32_MAX)
		return ERR_LIMIT;
	if (high_water_is_due(&f->last, t))
		code = high_water_raise(f->lock, f->head.uidvalidity, t);
	if (!code && folder_keep_room(f, b->len) != ERR_OK && !needed)
		return ERR_NO_SPACE;
	if (!code)
		code = file_pwrite(f->journal, b->data, b->len, f->end);
	if (code) {
		int kept = errno;

		cut_rest(f);
		errno = kept;
		return code;
	}
	f->end += (off_t)b->len;
	f->last = *t;
	note_put(f);
	return ERR_OK;
}

struct totals folder_next(const struct folder *f)
{
	struct totals t = f->last;
	int64_t now = clock_wall_us();

	if (now > t.time)
		t.time = now;
	if (t.uidnext < f->floor_uid)
		t.uidnext = f->floor_uid;
	if (t.modseq < f->floor_modseq)
		t.modseq = f->floor_modseq;
	return t;
}

bool folder_fresh(int64_t time)
{
	return time > clock_wall_us() - FRESH;
}

static int write_journal(struct folder *f, uint32_t validity,
			 const struct buf *records)
{
	struct journal_head h = {
		.magic = JOURNAL_MAGIC,
		.uidvalidity = validity,
	};
	int fd, code;

	/* Only to tell one file from the next: need not be unique. */
	h.id = (uint64_t)clock_wall_us() << 16 ^ (uint64_t)getpid();
	h.born = sizeof(h) + records->len;
	h.crc = crc32c(0, &h, sizeof(h));
	/* an unfinished one of before; if it stays, O_EXCL tells */
	err_ignore(unlinkat(f->dir, DISK_JOURNAL DISK_NEW_SUFFIX, 0));
	fd = openat(f->dir, DISK_JOURNAL DISK_NEW_SUFFIX,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys("make", DISK_JOURNAL DISK_NEW_SUFFIX);
	code = file_write(fd, &h, sizeof(h));
	if (!code)
		code = file_write(fd, records->data, records->len);
	if (!code && file_sync(fd) < 0)
		code = err_sys("sync", DISK_JOURNAL DISK_NEW_SUFFIX);
	close(fd);
	return code;
}

int folder_replace_journal(struct folder *f, uint32_t uidvalidity,
			   const struct buf *records, const struct totals *t)
{
	int code;

	if (records->over)
		return ERR_LIMIT;
	code = high_water_raise(f->lock, uidvalidity, t);
	if (!code)
		code = write_journal(f, uidvalidity, records);
	if (!code && renameat(f->dir, DISK_JOURNAL DISK_NEW_SUFFIX, f->dir,
			      DISK_JOURNAL) < 0)
		code = err_sys("put in place", DISK_JOURNAL DISK_NEW_SUFFIX);
	if (!code && file_sync(f->dir) < 0)
		code = err_sys("sync", "a folder");
	if (code) {
		/* the next one removes it */
		err_ignore(unlinkat(f->dir, DISK_JOURNAL DISK_NEW_SUFFIX, 0));
		return code;
	}
	code = folder_open_journal(f);
	if (code)
		return code;
	f->last = *t;
	f->end = (off_t)(sizeof(f->head) + records->len);
	f->checked = true;
	note_put(f);
	return ERR_OK;
}

/* Under the lock. The records are read from memory, where they still are. */
static int write_anew(struct folder *f)
{
	size_t n = (size_t)f->end - sizeof(f->head);
	struct totals t = f->last;
	struct buf b;
	char *p;
	int code = ERR_LIMIT;

	if (f->end < (off_t)sizeof(f->head))
		return ERR_IO;
	buf_init(&b, INT32_MAX);
	p = buf_room(&b, n);
	if (p)
		code = file_pread(f->journal, p, n, sizeof(f->head));
	if (!code) {
		buf_added(&b, n);
		code = folder_replace_journal(f, f->head.uidvalidity, &b, &t);
	}
	buf_free(&b);
	return code;
}

int folder_sync(struct folder *f)
{
	bool locked = f->locked;
	int code;

	if (fdatasync(f->journal) == 0)
		return ERR_OK;
	code = err_sys("sync", DISK_JOURNAL);
	log_error("mailbox: %s: it is written anew", err_why(code));
	if ((locked || folder_lock(f) == ERR_OK) && write_anew(f) != ERR_OK)
		log_error("mailbox: the journal cannot be written anew: %m");
	if (!locked)
		folder_unlock(f);
	return code;
}
