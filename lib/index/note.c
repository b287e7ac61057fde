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

/* A UID in a name that is farther away than this was not given out by us. */
#define UID_TRUST (1u << 20)

/* Is it a time that no clock has, and that would overflow? */
static bool is_absurd(int64_t time)
{
	return time > INT64_MAX / 4 || time < INT64_MIN / 4;
}

static bool read_note(const struct folder *f, struct journal_note *n)
{
	return file_pread(f->lock, n, sizeof(*n), JOURNAL_NOTE_AT) == ERR_OK &&
	       n->magic == JOURNAL_NOTE_MAGIC &&
	       n->crc == crc32c(0, n, offsetof(struct journal_note, crc)) &&
	       !is_absurd(n->written) && !is_absurd(n->skew);
}

static void write_note(const struct folder *f, int64_t now)
{
	struct journal_note n = {
		.magic = JOURNAL_NOTE_MAGIC,
		.journal = f->head.id,
		.end = f->end,
		.written = now,
		.skew = f->skew,
	};

	n.crc = crc32c(0, &n, offsetof(struct journal_note, crc));
	err_ignore(file_pwrite(f->lock, &n, sizeof(n), JOURNAL_NOTE_AT));
}

/* A number above the UIDs in the names of files; 0 if there are none. */
static uint32_t above_names(const struct folder *f)
{
	struct listing l;
	uint32_t next = 0;
	size_t i;

	/* reading the messages will report a failure */
	err_ignore(messages_list(f->files, BOTH_DIRS, &l));
	for (i = 0; i < l.n; i++) {
		uint32_t uid = l.file[i].uid;

		if (l.file[i].validity == f->head.uidvalidity && uid >= next &&
		    uid > 0 && uid < f->last.uidnext + UID_TRUST)
			next = uid + 1;
	}
	listing_free(&l);
	return next;
}

static void go_on_above(struct folder *f)
{
	struct high_water h;

	if (high_water_read(f->lock, &h) &&
	    h.uidvalidity == f->head.uidvalidity) {
		f->floor_uid = h.uid;
		f->floor_modseq = h.modseq;
	}
	if (f->restored) {
		uint32_t next = above_names(f);

		if (next > f->floor_uid)
			f->floor_uid = next;
	}
	f->regressed = f->floor_uid > 0;
	f->lost_uid = f->last.uidnext;
	if (f->regressed)
		log_warn("mailbox: %s: numbers go on at %u",
			 f->restored ? "the folder was copied or restored"
				     : "the journal is older or shorter than "
				       "it was",
			 f->floor_uid);
}

void note_check(struct folder *f)
{
	struct journal_note n;

	f->checked = true;
	if (!read_note(f, &n))
		return;
	f->skew = n.skew;
	f->restored = llabs(f->lock_changed - n.written - n.skew) > TOLERANCE;
	if (f->restored || n.journal != f->head.id || n.end > f->end)
		go_on_above(f);
}

/* The clock of a file server may differ from ours. */
static void learn_skew(struct folder *f)
{
	int64_t now = clock_wall_us();
	struct stat st;

	write_note(f, now);
	if (fstat(f->lock, &st) < 0)
		return;
	f->skew = (int64_t)st.st_ctim.tv_sec * 1000000 +
		  st.st_ctim.tv_nsec / 1000 - now;
	if (llabs(f->skew) < TOLERANCE / 2)
		f->skew = 0;
}

void note_put(struct folder *f)
{
	if (f->restored)
		learn_skew(f);
	f->restored = false;
	write_note(f, clock_wall_us());
}
