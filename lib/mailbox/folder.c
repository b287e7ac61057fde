#include "mailbox/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "log/log.h"
#include "mailbox/journal.h"
#include "mailbox/lock.h"

static const char *const dir_name[DIRS] = DIR_NAMES;

int folder_open(int store, const char *name, struct folder *f)
{
	struct stat st;

	memset(f, 0, sizeof(*f));
	f->sub[DIR_NEW] = f->sub[DIR_CUR] = f->lock = f->journal = -1;
	f->dir = openat(store, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->dir < 0)
		return errno == ENOTDIR || errno == ELOOP
			       ? ERR_NOT_FOUND
			       : err_from_errno(errno);
	if (fstat(f->dir, &st) < 0) {
		folder_close(f);
		return ERR_IO;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
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
	drop(&f->dir);
	drop(&f->sub[DIR_NEW]);
	drop(&f->sub[DIR_CUR]);
	drop(&f->lock);
	drop(&f->journal);
	f->locked = false;
}

bool folder_is_gone(const struct folder *f)
{
	struct stat st;

	return fstat(f->dir, &st) == 0 && st.st_nlink == 0;
}

int folder_sub(struct folder *f, unsigned dir)
{
	if (f->sub[dir] < 0)
		f->sub[dir] =
			openat(f->dir, dir_name[dir],
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return f->sub[dir];
}

static int open_journal(struct folder *f, struct stat *st)
{
	int code;

	drop(&f->journal);
	f->end = 0;
	f->journal = openat(f->dir, DISK_JOURNAL,
			    O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (f->journal < 0)
		return err_from_errno(errno);
	code = fstat(f->journal, st) < 0 ? ERR_IO : ERR_OK;
	if (!code && !S_ISREG(st->st_mode))
		code = ERR_CORRUPT;
	if (!code)
		code = journal_head_read(f->journal, &f->head);
	/* A damaged one is not "the one we know" at the next lock. */
	f->journal_ino = code ? 0 : st->st_ino;
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
	int code;

	if (f->journal < 0) {
		code = folder_open_journal(f);
		if (code)
			return code;
	}
	if (fstat(f->journal, &st) < 0)
		return ERR_IO;
	if (f->end == st.st_size)
		return ERR_OK;
	code = read_last(f, st.st_size);
	return code == ERR_CORRUPT ? ERR_BUSY : code;
}

/* The tail does not check: finds the end of what does. What lies behind is
 * a record that was being written when its writer died; it was promised to
 * nobody. But if records follow, this is damage. */
static int repair(struct folder *f, off_t size)
{
	struct journal_walk w;
	int code;

	journal_walk(&w, f->journal, sizeof(struct journal_head));
	while (journal_next(&w, &code))
		;
	f->end = w.at;
	f->last = w.last;
	if (!code && !w.any)
		code = ERR_CORRUPT;
	journal_walk_end(&w);
	if (code)
		return code;
	if (journal_valid_after(f->journal, f->end, size))
		return ERR_CORRUPT;
	log_warn("mailbox journal: %lld bytes of an unfinished record cut off",
		 (long long)(size - f->end));
	if (ftruncate(f->journal, f->end) < 0)
		return err_from_errno(errno);
	return ERR_OK;
}

/* Opens the journal if it is another file than the one we know. */
static int same_journal(struct folder *f, struct stat *st)
{
	if (f->journal >= 0) {
		if (fstatat(f->dir, DISK_JOURNAL, st, AT_SYMLINK_NOFOLLOW) ==
			    0 &&
		    st->st_ino == f->journal_ino)
			return ERR_OK;
		f->replaced = true;
	}
	return open_journal(f, st);
}

int folder_lock(struct folder *f)
{
	struct stat st;
	int code;

	if (f->lock < 0)
		f->lock = lock_open(f->dir, DISK_LOCK);
	if (f->lock < 0)
		return err_from_errno(errno);
	code = lock_take(f->lock, FOLDER_LOCK_MS);
	if (code)
		return code;
	f->locked = true;
	code = same_journal(f, &st);
	if (!code && st.st_size != f->end) {
		code = read_last(f, st.st_size);
		if (code == ERR_CORRUPT)
			code = repair(f, st.st_size);
	}
	if (code && code != ERR_NOT_FOUND && code != ERR_CORRUPT)
		folder_unlock(f);
	return code;
}

void folder_unlock(struct folder *f)
{
	if (!f->locked)
		return;
	if (f->once)
		drop(&f->lock);
	else
		lock_release(f->lock);
	f->locked = false;
}

#define FRESH INT64_C(600000000) /* 10 minutes, in microseconds */

/* The high water is written ahead in steps, so that most changes need not
 * touch it. */
#define UID_STEP 1024u
#define MODSEQ_STEP (UINT64_C(1) << 20)

static int raise_high_water(struct folder *f, uint32_t validity,
			    const struct totals *t)
{
	struct high_water h = {
		.magic = HIGH_WATER_MAGIC,
		.uidvalidity = validity,
		.uid = t->uidnext > UINT32_MAX - 2 * UID_STEP
			       ? UINT32_MAX
			       : t->uidnext + 2 * UID_STEP,
		.modseq = t->modseq + 2 * MODSEQ_STEP,
	};
	int code;

	h.crc = crc32c(0, &h, offsetof(struct high_water, crc));
	code = file_pwrite(f->lock, &h, sizeof(h), 0);
	if (!code && fdatasync(f->lock) < 0)
		code = err_from_errno(errno);
	return code;
}

bool folder_high_water(const struct folder *f, struct high_water *h)
{
	return file_pread(f->lock, h, sizeof(*h), 0) == ERR_OK &&
	       h->magic == HIGH_WATER_MAGIC && h->uidvalidity > 0 &&
	       h->uid > 0 &&
	       h->crc == crc32c(0, h, offsetof(struct high_water, crc));
}

int folder_write(struct folder *f, const struct buf *b, const struct totals *t)
{
	int code = ERR_OK;

	if (b->over || t->uidnext == UINT32_MAX)
		return ERR_LIMIT;
	if (t->uidnext / UID_STEP != f->last.uidnext / UID_STEP ||
	    t->modseq / MODSEQ_STEP != f->last.modseq / MODSEQ_STEP)
		code = raise_high_water(f, f->head.uidvalidity, t);
	if (!code)
		code = file_pwrite(f->journal, b->data, b->len, f->end);
	if (code) {
		int kept = errno;

		/* A part may be there: nobody takes it for a record, and the
		 * next writer cuts it if this fails. */
		if (ftruncate(f->journal, f->end) < 0)
			f->end = 0;
		errno = kept;
		return code;
	}
	f->end += (off_t)b->len;
	f->last = *t;
	return ERR_OK;
}

struct totals folder_next(const struct folder *f)
{
	struct totals t = f->last;
	int64_t now = clock_wall_us();

	if (now > t.time)
		t.time = now;
	return t;
}

bool folder_fresh(int64_t time)
{
	return time > clock_wall_us() - FRESH;
}

int folder_times(const struct folder *f, unsigned dirs, int64_t when[DIRS])
{
	unsigned d;

	for (d = 0; d < DIRS; d++) {
		struct stat st;

		if (!(dirs & 1u << d))
			continue;
		int failed = f->sub[d] >= 0 ? fstat(f->sub[d], &st)
					    : fstatat(f->dir, dir_name[d], &st,
						      AT_SYMLINK_NOFOLLOW);

		if (failed)
			return err_from_errno(errno);
		when[d] = (int64_t)st.st_mtim.tv_sec * 1000000000 +
			  st.st_mtim.tv_nsec;
	}
	return ERR_OK;
}

void folder_keep_marks(const struct folder *f, unsigned dirs,
		       const int64_t before[DIRS], struct totals *t)
{
	int64_t now[DIRS];
	unsigned d;

	if (folder_times(f, dirs, now) != ERR_OK)
		return;
	for (d = 0; d < DIRS; d++)
		if (dirs & 1u << d && t->mark[d] == before[d])
			t->mark[d] = now[d];
}

static int write_journal(struct folder *f, uint32_t validity,
			 const struct buf *records)
{
	struct journal_head h = {
		.magic = JOURNAL_MAGIC,
		.uidvalidity = validity,
	};
	int fd, code;

	/* Only to tell one file from the next: chance is enough. */
	h.id = (uint64_t)clock_wall_us() << 16 ^ (uint64_t)getpid();
	h.history = f->head.history;
	h.crc = crc32c(0, &h, sizeof(h));
	unlinkat(f->dir, DISK_JOURNAL DISK_NEW_SUFFIX, 0);
	fd = openat(f->dir, DISK_JOURNAL DISK_NEW_SUFFIX,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_from_errno(errno);
	code = file_write(fd, &h, sizeof(h));
	if (!code)
		code = file_write(fd, records->data, records->len);
	if (!code && fsync(fd) < 0)
		code = err_from_errno(errno);
	close(fd);
	return code;
}

int folder_replace_journal(struct folder *f, uint32_t uidvalidity,
			   const struct buf *records, const struct totals *t)
{
	int code;

	if (records->over)
		return ERR_LIMIT;
	code = raise_high_water(f, uidvalidity, t);
	if (!code)
		code = write_journal(f, uidvalidity, records);
	if (!code && renameat(f->dir, DISK_JOURNAL DISK_NEW_SUFFIX, f->dir,
			      DISK_JOURNAL) < 0)
		code = err_from_errno(errno);
	if (!code && fsync(f->dir) < 0)
		code = err_from_errno(errno);
	if (code) {
		unlinkat(f->dir, DISK_JOURNAL DISK_NEW_SUFFIX, 0);
		return code;
	}
	code = folder_open_journal(f);
	if (code)
		return code;
	f->last = *t;
	f->end = (off_t)(sizeof(f->head) + records->len);
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
	code = err_from_errno(errno);
	log_error("mailbox journal: cannot be synced, is written anew: %m");
	if ((locked || folder_lock(f) == ERR_OK) && write_anew(f) != ERR_OK)
		log_error("mailbox journal: cannot be written anew: %m");
	if (!locked)
		folder_unlock(f);
	return code;
}
