/*
 * A message's file that is longer or shorter than recorded: a user's script
 * edited it, a backup is being restored. It is mail, and is never removed. A
 * client may keep what it has seen under a UID for ever (RFC 3501 section
 * 2.3.1.1), so the old UID is expunged, and the file as it is now is a new
 * message, with the flags and dates of the old one.
 */
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "log/log.h"
#include "mailbox/opened.h"

/* A file written to this short ago may not be all there yet. Seconds. */
#define WRITING 2
#define WAITS 30 /* of a tenth of a second */
#define STILL 10 /* of them */

bool mailbox_written_lately(int64_t when, int seconds)
{
	int64_t age = clock_wall() - when;

	return age < seconds && age >= -1; /* a date to come says nothing */
}

static void put_anew(struct mailbox *m, struct batch *b, const struct entry *e,
		     const struct stat *st)
{
	const char *name = entries_name(&m->x.t, e);
	struct entry now = *e;

	totals_add(&b->t, e, -1);
	batch_range(b, RECORD_EXPUNGE, e->uid, false);
	now.uid = b->t.uidnext++;
	now.modseq = b->t.modseq;
	now.saved = (uint32_t)clock_wall();
	now.size = (uint32_t)st->st_size;
	now.wire = 0;
	now.ncache = 0;
	now.cache = 0;
	totals_add(&b->t, &now, 1);
	batch_add(b, &now, name, 0, NULL);
	log_info("mailbox: message %u was changed by another program: it is "
		 "message %u now",
		 e->uid, now.uid);
}

/* Waits until nobody has written to FD for some time, but not for ever: then
 * it is taken as it is if it does not grow just now. */
static int wait_for(int fd, struct stat *st)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	off_t size = -1;
	int tries, still = 0;

	for (tries = 0; tries < WAITS; tries++) {
		if (fstat(fd, st) < 0)
			return err_sys("look at", "a message file");
		if (!mailbox_written_lately(st->st_mtime, WRITING))
			return ERR_OK;
		still = st->st_size == size ? still + 1 : 0;
		size = st->st_size;
		nanosleep(&pause, NULL);
	}
	return still >= STILL ? ERR_OK
			      : err_set(ERR_TEMP, "another program writes to "
						  "the message all the time");
}

int mailbox_restate(struct mailbox *m, uint32_t uid, int fd, bool wrong)
{
	const struct entry *e;
	struct stat st;
	struct batch b;
	int code = wait_for(fd, &st);

	if (!code && st.st_size > UINT32_MAX)
		code = err_set(ERR_TOO_LONG, "message %u is over 4 GiB", uid);
	if (!code)
		code = index_lock(&m->x);
	if (code)
		return code;
	e = entries_get(&m->x.t, uid);
	if (e && !(e->state & ENTRY_GONE) && (wrong || e->size != st.st_size)) {
		batch_begin(&b, &m->x.f, true);
		put_anew(m, &b, e, &st);
		code = index_commit(&m->x, &b, false);
	}
	index_unlock(&m->x);
	return code ? code
		    : err_set(ERR_NOT_FOUND,
			      "message %u was changed by another program", uid);
}
