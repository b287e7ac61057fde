/*
 * An idle moment: flags go into the names of files, places in the cache into
 * the journal, and a long journal becomes a snapshot or a shorter journal.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "mailbox/name.h"
#include "mailbox/session.h"

#define AT_ONCE 1000 /* renames under one lock */

/* Renames E's file to what its flags are. What fails is left: another
 * program was there, and the next scan sees what it did. True if its flags in
 * the name are others now. */
static bool rename_one(struct mailbox *m, struct batch *b, struct entry *e)
{
	uint32_t letters = name_letters(e->letters, e->flags);
	struct record_named named = { e->uid, letters, DIR_CUR };
	struct entry now = *e;
	char from[NAME_SIZE], to[NAME_SIZE];

	if (e->state & ENTRY_GONE ||
	    (letters == e->letters && e->dir == DIR_CUR))
		return false;
	now.letters = letters;
	now.dir = DIR_CUR;
	if (!session_file_name(m, e, from) || !session_file_name(m, &now, to))
		return false;
	if (renameat(m->f.sub[e->dir], from, m->f.sub[DIR_CUR], to) < 0)
		return false;
	batch_item(b, RECORD_NAMED, &named, sizeof(named));
	return letters != e->letters;
}

static bool settle_one(struct mailbox *m, struct batch *b, struct entry *e)
{
	bool renamed = e->state & ENTRY_DIRTY && rename_one(m, b, e);

	if (e->state & ENTRY_CACHED && !(e->state & ENTRY_GONE)) {
		struct record_cached c = { e->uid, e->ncache, e->cache };

		batch_item(b, RECORD_CACHED, &c, sizeof(c));
	}
	e->state &= (uint8_t) ~(ENTRY_DIRTY | ENTRY_CACHED);
	return renamed;
}

/* Entries from *FROM on, at most AT_ONCE of them, under one lock. */
static int settle_some(struct mailbox *m, uint32_t *from)
{
	int64_t before[DIRS];
	struct batch b;
	bool renamed = false;
	int n = 0, code = session_lock(m);

	if (code)
		return code;
	code = folder_times(&m->f, BOTH_DIRS, before);
	batch_begin(&b, &m->f, false);
	for (; !code && *from < m->t.n && n < AT_ONCE; ++*from) {
		struct entry *e = &m->t.entry[*from];

		if (!(e->state & (ENTRY_DIRTY | ENTRY_CACHED)))
			continue;
		renamed |= settle_one(m, &b, e);
		n++;
	}
	/* A record of a name that is not there after a power cut would make
	 * the old one look as if another program had changed flags. */
	if (!code && renamed && fsync(m->f.sub[DIR_CUR]) < 0)
		code = err_from_errno(errno);
	batch_close(&b);
	folder_keep_marks(&m->f, BOTH_DIRS, before, &b.t);
	if (b.any)
		batch_mark(&b, RECORD_MARK);
	if (code)
		batch_end(&b);
	else
		code = session_commit(m, &b, true);
	session_unlock(m);
	return code;
}

void mailbox_settle(struct mailbox *m)
{
	uint32_t from = 0;

	if (m->renumbered)
		return;
	session_write_cache(m);
	while (m->dirty && from < m->t.n)
		if (settle_some(m, &from) != ERR_OK)
			return;
	m->dirty = false;
	session_pack_cache(m);
	session_rotate(m);
	snapshot_write(m);
}
