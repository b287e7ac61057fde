/*
 * A message's file that is longer or shorter than recorded, or was written to
 * and has another content: a user's script edited it, a backup is being
 * restored. It is mail, and is never removed. A
 * client may keep what it has seen under a UID for ever (RFC 3501 section
 * 2.3.1.1), so the old UID is expunged, and the file as it is now is a new
 * message, with the flags and dates of the old one; but without \Deleted,
 * which nobody has set for this one.
 */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "log/log.h"
#include "mailbox/opened.h"
#include "messages/content.h"

/* A file written to this recently may not be complete yet. Seconds. */
#define WRITING 2
#define WAITS 30 /* of a tenth of a second */
#define STILL 10 /* of them */

bool mailbox_written_lately(int64_t when, int seconds)
{
	int64_t age = clock_wall() - when;

	return age < seconds && age >= -1; /* the future means nothing */
}

void mailbox_put_anew(struct mailbox *m, struct batch *b, const struct entry *e,
		      uint32_t size)
{
	const char *name = index_name(&m->x, e);
	struct entry now = *e;

	totals_add(&b->t, e, -1);
	batch_range(b, RECORD_EXPUNGE, e->uid, false);
	now.uid = b->t.uidnext++;
	now.saved = (uint32_t)clock_wall();
	now.flags &= (uint8_t)~MAILBOX_DELETED;
	now.size = size;
	now.wire = 0;
	now.ncache = 0;
	now.cache = 0;
	totals_add(&b->t, &now, 1);
	batch_add(b, &now, name, 0, NULL);
	m->edited = true;
	log_info("mailbox: message %u was changed by another program: it is "
		 "message %u now",
		 e->uid, now.uid);
}

bool mailbox_found_edited(struct mailbox *m)
{
	bool edited = m->edited;

	m->edited = false;
	return edited;
}

/* Was E's file written to, at WRITTEN, after it was recorded? An APPEND sets the
 * time to its own date, which may be later. */
static bool is_written_since(const struct entry *e, int64_t written)
{
	return written > e->saved && written != e->received;
}

/* E's file FD, of the right size, was written to: does it hold something else
 * than was recorded? If nothing was, that is so if UNKNOWN. */
static bool differs(struct mailbox *m, const struct entry *e, int fd,
		    bool unknown)
{
	enum content what = CONTENT_CHANGED;
	uint32_t crc;
	int code = index_content(&m->x, e->uid, &crc);

	if (code == ERR_NOT_FOUND)
		return unknown;
	/* what cannot be read is seen by who reads it */
	return code == ERR_OK &&
	       content_judge(fd, e->size, &crc, CONTENT_ANY_TIME, &what) ==
		       ERR_OK &&
	       what != CONTENT_RIGHT;
}

static int64_t changed_at(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

bool mailbox_is_edited(struct mailbox *m, const struct entry *e, int fd,
		       const struct stat *st)
{
	if (!is_written_since(e, st->st_mtime) ||
	    (m->right_uid == e->uid && m->right_at == changed_at(st)))
		return false;
	/* a folder that was copied without times is as it was */
	if (differs(m, e, fd, !mailbox_is_as_cached(m, e, fd)))
		return true;
	m->right_uid = e->uid;
	m->right_at = changed_at(st);
	return false;
}

bool mailbox_is_restated(struct mailbox *m, const struct entry *e,
			 uint32_t *size)
{
	struct message_state st;
	struct message_ref ref;
	bool other;
	int fd;

	if (!mailbox_ref(m, e, &ref) ||
	    messages_state(index_messages(&m->x), &ref, &st) != ERR_OK ||
	    !st.is_file || st.size > UINT32_MAX)
		return false;
	*size = (uint32_t)st.size;
	if (st.size != e->size)
		return true;
	if (!is_written_since(e, st.written) ||
	    messages_open(index_messages(&m->x), &ref, &fd) != ERR_OK)
		return false;
	/* a time in the future means nothing */
	other = differs(m, e, fd,
			st.written > m->opened && st.written <= clock_wall());
	close(fd);
	return other;
}

/* Waits until nobody has written to FD for some time, but not for ever: then it
 * is taken as it is, unless it is just growing. */
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
	e = index_get(&m->x, uid);
	if (e && !(e->state & ENTRY_GONE) && (wrong || e->size != st.st_size)) {
		index_begin(&m->x, &b, true);
		mailbox_put_anew(m, &b, e, (uint32_t)st.st_size);
		code = index_commit(&m->x, &b, false);
	}
	index_unlock(&m->x);
	return code ? code
		    : err_set(ERR_NOT_FOUND,
			      "message %u was changed by another program", uid);
}
