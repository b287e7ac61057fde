/*
 * An idle moment: flags go into the names of files, places in the cache into
 * the journal, and a long journal becomes a snapshot or a shorter journal.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "log/log.h"
#include "mailbox/marks.h"
#include "mailbox/opened.h"

#define AT_ONCE 1000	 /* renames under one lock */
#define REMOVE_US 300000 /* then a client may have come */

/* Renames E's file according to its flags. A failure is ignored: another
 * program was there, and the next scan sees what it did. True if the flags in
 * its name have changed. */
static bool rename_one(struct mailbox *m, struct batch *b, struct entry *e)
{
	uint32_t letters = letters_with(e->letters, e->flags);
	struct record_named named = { e->uid, letters, DIR_CUR };
	struct entry now = *e;
	struct message_ref from, to;

	if (e->state & ENTRY_GONE ||
	    (letters == e->letters && e->dir == DIR_CUR))
		return false;
	now.letters = letters;
	now.dir = DIR_CUR;
	if (!mailbox_ref(m, e, &from) || !mailbox_ref(m, &now, &to) ||
	    messages_rename(index_messages(&m->x), &from, &to) != ERR_OK)
		return false;
	batch_item(b, RECORD_NAMED, &named, sizeof(named));
	return letters != e->letters;
}

/* Is E's file to be renamed? Also if a former session had no room for that, or
 * died before. */
static bool is_dirty(const struct entry *e)
{
	return e->state & ENTRY_DIRTY ||
	       letters_with(e->letters, e->flags) != e->letters;
}

/* The first from I on that may have something to be recorded. */
static uint32_t next(const struct mailbox *m, uint32_t i)
{
	return index_skip(&m->x, i, ENTRIES_UNSETTLED);
}

/* The entries from FROM on to *TO, of which at most AT_ONCE have something to be
 * recorded. Gives their number. */
static size_t portion(const struct mailbox *m, uint32_t from, uint32_t *to)
{
	size_t n = 0;

	for (*to = next(m, from); *to < index_count(&m->x) && n < AT_ONCE;
	     *to = next(m, *to + 1)) {
		const struct entry *e = index_at(&m->x, *to);

		n += e->state & ENTRY_CACHED || is_dirty(e);
	}
	return n;
}

static bool rename_some(struct mailbox *m, struct batch *b, uint32_t from,
			uint32_t to)
{
	bool renamed = false;

	for (from = next(m, from); from < to; from = next(m, from + 1))
		if (is_dirty(index_at(&m->x, from)))
			renamed |= rename_one(m, b, index_at(&m->x, from));
	return renamed;
}

/* Where in the cache they are. */
static void place_some(const struct mailbox *m, struct batch *b, uint32_t from,
		       uint32_t to)
{
	for (from = next(m, from); from < to; from = next(m, from + 1)) {
		const struct entry *e = index_at(&m->x, from);
		struct record_cached c = { e->uid, e->ncache, e->cache };

		if (e->state & ENTRY_CACHED && !(e->state & ENTRY_GONE))
			batch_item(b, RECORD_CACHED, &c, sizeof(c));
	}
}

/* The bytes of the records for N entries: one of names, one of places, a mark.
 */
static size_t room_for(size_t n)
{
	return n * (sizeof(struct record_named) +
		    sizeof(struct record_cached)) +
	       3 * (sizeof(struct record) + 8);
}

static void settled(struct mailbox *m, uint32_t *from, uint32_t to)
{
	for (*from = next(m, *from); *from < to; *from = next(m, *from + 1))
		index_at(&m->x, *from)->state &=
			(uint8_t) ~(ENTRY_DIRTY | ENTRY_CACHED);
}

/* Entries from *FROM on, at most AT_ONCE of them, under one lock. Without room
 * to record a name no file gets it: whoever reads the message would have to
 * look for it. */
static int settle_some(struct mailbox *m, uint32_t *from)
{
	struct marks k;
	struct batch b;
	uint32_t to;
	bool renamed;
	int code = index_lock(&m->x);

	if (!code)
		code = index_keep_room(&m->x, room_for(portion(m, *from, &to)));
	if (code) {
		index_unlock(&m->x);
		return code;
	}
	index_begin(&m->x, &b, false);
	marks_begin(&k, index_messages(&m->x), BOTH_DIRS);
	renamed = rename_some(m, &b, *from, to);
	place_some(m, &b, *from, to);
	batch_close(&b);
	marks_end(&k, index_messages(&m->x), &b.t);
	/* If a recorded name were missing after a power cut, the old one would
	 * look as if another program had changed flags. */
	if (renamed)
		code = messages_sync(index_messages(&m->x), 1u << DIR_CUR);
	if (b.any)
		batch_mark(&b, RECORD_MARK);
	if (code)
		batch_drop(&b);
	else
		code = index_commit(&m->x, &b, true);
	if (!code)
		settled(m, from, to);
	index_unlock(&m->x);
	return code;
}

/* Continues an expunge. True: there is more. */
static bool remove_gone(struct mailbox *m)
{
	int code = removal_go_on(m, REMOVE_US);

	if (code)
		log_warn("mailbox: files of expunged messages may still be "
			 "there: %s",
			 err_why(code));
	return !removal_is_over(&m->removal);
}

bool mailbox_settle(struct mailbox *m)
{
	uint32_t from = 0;

	if (index_is_renumbered(&m->x))
		return false;
	mailbox_write_cache(m);
	while (m->dirty && from < index_count(&m->x))
		if (settle_some(m, &from) != ERR_OK)
			break;
	m->dirty = m->dirty && from < index_count(&m->x);
	if (remove_gone(m))
		return true;
	if (m->dirty)
		return false;
	cached_pack(&m->x);
	if (index_rotation_is_due(&m->x) && mailbox_prove(m))
		index_rotate(&m->x);
	if (index_snapshot_is_due(&m->x) && mailbox_prove(m))
		index_snapshot(&m->x);
	return false;
}
