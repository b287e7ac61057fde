#include "index/note.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "index/folder.h"
#include "index/high-water.h"
#include "log/log.h"
#include "messages/messages.h"

/* Covers the time from reading the clock to the end of the write, and a coarse
 * clock of the file system. Microseconds. */
#define TOLERANCE INT64_C(1000000)
#define NOTE_TRIES 3

/* A UID in a name that is farther away than this was not given out by us. */
#define UID_TRUST (1u << 20)

/* How many UIDs a folder may have given out since a backup that is so many
 * microseconds old. Each restore of one and the same leaps farther. Hours count
 * less than minutes, since a busy folder rests, and since false alarms, as of a
 * backup that makes links each night, must not use up all UIDs: these last for
 * 30 years. */
#define LEAP_MIN (1u << 14)
#define LEAP_FAST 50 /* a second, in the first hour */
#define LEAP_SLOW 4
#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)

/* Is it a time that no clock has, and that would overflow? */
static bool is_absurd(int64_t time)
{
	return time > INT64_MAX / 4 || time < INT64_MIN / 4;
}

static int64_t changed_us(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000 +
	       st->st_ctim.tv_nsec / 1000;
}

/* A write sets both times to one value. */
static bool times_differ(const struct stat *st)
{
	return st->st_mtim.tv_sec != st->st_ctim.tv_sec ||
	       st->st_mtim.tv_nsec != st->st_ctim.tv_nsec;
}

void note_locked(struct folder *f, const struct stat *st)
{
	if (changed_us(st) != f->lock_changed)
		f->checked = false;
	f->lock_changed = changed_us(st);
	f->lock_set = times_differ(st);
}

/* ERR_NOT_FOUND: there is none, or a half written one. */
static int read_note(const struct folder *f, struct journal_note *n)
{
	int code = file_pread(f->lock, n, sizeof(*n), JOURNAL_NOTE_AT);

	if (code)
		return code == ERR_EOF ? ERR_NOT_FOUND : code;
	return n->magic == JOURNAL_NOTE_MAGIC &&
			       n->crc == crc32c(0, n,
						offsetof(struct journal_note,
							 crc)) &&
			       !is_absurd(n->written) && !is_absurd(n->skew)
		       ? ERR_OK
		       : ERR_NOT_FOUND;
}

static void write_note(const struct folder *f, int64_t now)
{
	struct journal_note n = {
		.magic = JOURNAL_NOTE_MAGIC,
		.journal = f->head.id,
		.end = f->end,
		.written = now,
		.skew = f->skew,
		.apart = f->apart,
	};

	n.crc = crc32c(0, &n, offsetof(struct journal_note, crc));
	err_ignore(file_pwrite(f->lock, &n, sizeof(n), JOURNAL_NOTE_AT));
}

static int64_t backup_age(const struct folder *f, const struct journal_note *n)
{
	int64_t age = f->lock_changed - n->written - n->skew;

	return age > 0 ? age : 0;
}

/* The UID above FROM to go on at after a restore. Half of those that are left
 * stay for later. */
static uint32_t leap(uint32_t from, int64_t age)
{
	int64_t fast = age < HOUR ? age : HOUR;
	int64_t n = LEAP_MIN + fast * LEAP_FAST / SECOND +
		    (age - fast) / SECOND * LEAP_SLOW;
	int64_t most = (UINT32_MAX - from) / 2;

	return from + (uint32_t)(n < most ? n : most);
}

/* Raises *NEXT above the UIDs in the names of files, as far as they are below
 * TRUST. */
static int raise_above_names(const struct folder *f, uint32_t trust,
			     uint32_t *next)
{
	struct listing l;
	size_t i;
	int code = messages_list(f->files, BOTH_DIRS, &l);

	for (i = 0; !code && i < l.n; i++) {
		uint32_t uid = l.file[i].uid;

		if (l.file[i].validity == f->head.uidvalidity && uid >= *next &&
		    uid < trust)
			*next = uid + 1;
	}
	listing_free(&l);
	return code;
}

/* The mark may have been restored too. Mod-sequences are never given out faster
 * than one a microsecond, and there is no end of them. */
static int leap_over(struct folder *f, int64_t age)
{
	uint32_t uid = f->floor_uid ? f->floor_uid : f->last.uidnext;
	uint64_t modseq = f->floor_modseq ? f->floor_modseq : f->last.modseq;
	uint32_t next = leap(uid, age), trust = f->last.uidnext + UID_TRUST;
	int code = raise_above_names(f, trust > next ? trust : next, &next);

	if (code)
		return code;
	f->floor_uid = next;
	f->floor_modseq = modseq + (uint64_t)age;
	return ERR_OK;
}

static int go_on_above(struct folder *f, int64_t age)
{
	struct high_water h;
	int code = high_water_read(f->lock, &h);

	if (!code && h.uidvalidity == f->head.uidvalidity) {
		f->floor_uid = h.uid;
		f->floor_modseq = h.modseq;
	}
	if ((!code || code == ERR_NOT_FOUND) && f->restored)
		code = leap_over(f, age);
	if (code && code != ERR_NOT_FOUND)
		return code;
	f->regressed = f->floor_uid > 0;
	f->lost_uid = f->last.uidnext;
	if (f->regressed)
		log_warn("mailbox: %s: numbers go on at %u",
			 f->restored ? "the folder was copied or restored"
				     : "the journal is older or shorter than "
				       "it was",
			 f->floor_uid);
	return ERR_OK;
}

int note_check(struct folder *f)
{
	struct journal_note n;
	int code = read_note(f, &n);

	f->checked = code == ERR_OK || code == ERR_NOT_FOUND;
	if (code)
		return f->checked ? ERR_OK : code;
	f->skew = n.skew;
	f->apart = n.apart;
	f->restored =
		llabs(f->lock_changed - n.written - n.skew) > TOLERANCE ||
		(f->lock_set && !f->apart);
	if (f->restored || n.journal != f->head.id || n.end > f->end)
		code = go_on_above(f, backup_age(f, &n));
	f->checked = code == ERR_OK;
	return code;
}

/* The clock of a file server may differ from ours, and a file system may take
 * the two times of a write one after the other. */
static void learn_times(struct folder *f)
{
	int64_t now = clock_wall_us();
	struct stat st;

	write_note(f, now);
	if (fstat(f->lock, &st) < 0)
		return;
	f->skew = changed_us(&st) - now;
	if (llabs(f->skew) < TOLERANCE / 2)
		f->skew = 0;
	f->apart = times_differ(&st);
}

void note_put(struct folder *f)
{
	int64_t now;
	int tries = 0;

	if (f->restored)
		learn_times(f);
	f->restored = false;
	do { /* one that a busy disk delayed would seem to be restored */
		now = clock_wall_us();
		write_note(f, now);
	} while (clock_wall_us() - now > TOLERANCE / 2 && ++tries < NOTE_TRIES);
}
