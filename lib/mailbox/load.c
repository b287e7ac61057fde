/*
 * From the files to the table: snapshot, then the journal behind it. A
 * journal that is missing is made, one that is damaged is made anew under
 * another UIDVALIDITY from what can be read of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "log/log.h"
#include "mailbox/journal.h"
#include "mailbox/private.h"
#include "mailbox/session.h"

/* Does R change what clients are told as lasting: UIDs, mod-sequences? */
static bool is_told(const struct record *r)
{
	switch (r->type) {
	case RECORD_ADD:
	case RECORD_FLAGS:
	case RECORD_EXPUNGE:
	case RECORD_UNDO:
	case RECORD_MISSING:
		return folder_fresh(r->t.time);
	default:
		return false;
	}
}

int session_catch_up(struct mailbox *m, bool own)
{
	struct journal_walk w;
	const struct record *r;
	int code, bad = ERR_OK;

	journal_walk(&w, m->f.journal, m->read);
	while (!bad && (r = journal_next(&w, &code))) {
		bad = entries_apply(&m->t, r, own);
		if (!bad) {
			m->read = w.at;
			m->f.last = r->t;
		}
		m->unsynced = m->unsynced || is_told(r);
	}
	journal_walk_end(&w);
	if (bad || code)
		return bad ? bad : code;
	if (!m->f.locked)
		m->f.end = m->read;
	else if (m->read != m->f.end)
		return ERR_CORRUPT;
	return ERR_OK;
}

static void forget(struct mailbox *m)
{
	entries_free(&m->t);
	m->read = sizeof(struct journal_head);
	m->snapshot = 0;
}

/* Reads the journal that is open into an empty table. */
static int read_all(struct mailbox *m)
{
	int code;

	forget(m);
	if (snapshot_load(m)) {
		code = session_catch_up(m, true);
		if (code != ERR_CORRUPT)
			return code;
		forget(m);
	}
	if (!entries_reserve(&m->t, 0, -1, 0))
		return ERR_LIMIT;
	return session_catch_up(m, true);
}

/* Under the lock: a new journal with what the table holds. */
static int make_journal(struct mailbox *m, uint32_t validity,
			const struct totals *from)
{
	struct batch b;
	int code;

	batch_begin(&b, NULL, false);
	b.t = *from;
	session_state(m, &b, NULL);
	batch_close(&b);
	code = folder_replace_journal(&m->f, validity, &b.buf, &b.t);
	batch_end(&b);
	if (!code)
		code = read_all(m);
	return code;
}

/* There is no journal: a new folder, or a loss. */
static int first_journal(struct mailbox *m, uint32_t validity)
{
	struct totals t = { .uidnext = 1, .modseq = 1 };
	struct high_water h;

	t.time = clock_wall_us();
	if (folder_high_water(&m->f, &h)) {
		log_warn("mailbox: the journal is missing: made again from "
			 "the names of the files");
		validity = h.uidvalidity;
		t.uidnext = h.uid;
		t.modseq = h.modseq;
	}
	m->recover = true;
	return make_journal(m, validity, &t);
}

/* The journal is damaged. It is kept aside; what could be read of it before
 * the damage holds under a new UIDVALIDITY. */
static int mend_journal(struct mailbox *m, uint32_t validity)
{
	struct totals t = m->f.last;
	struct high_water h;
	char aside[64];

	snprintf(aside, sizeof(aside), DISK_JOURNAL ".damaged-%lld",
		 (long long)clock_wall());
	log_error("mailbox: the journal is damaged: kept as %s, messages "
		  "are numbered anew",
		  aside);
	if (renameat(m->f.dir, DISK_JOURNAL, m->f.dir, aside) < 0 &&
	    errno != ENOENT)
		return err_from_errno(errno);
	if (t.uidnext == 0)
		t.uidnext = 1;
	if (folder_high_water(&m->f, &h)) {
		if (h.modseq > t.modseq)
			t.modseq = h.modseq;
	}
	t.mark[DIR_NEW] = t.mark[DIR_CUR] = 0;
	m->suspect = true;
	return make_journal(m, validity, &t);
}

/* Under the lock: is the journal there and whole? Then it is read. */
static int read_locked(struct mailbox *m)
{
	int code = folder_lock(&m->f);

	if (code == ERR_OK)
		code = read_all(m);
	else if (code == ERR_NOT_FOUND)
		forget(m);
	else if (code == ERR_CORRUPT && m->f.journal >= 0)
		read_all(m); /* what is before the damage */
	m->f.replaced = false;
	return code;
}

static int make_or_mend(struct mailbox *m)
{
	uint32_t validity;
	int code = folder_is_gone(&m->f) ? ERR_NOT_FOUND : read_locked(m);

	if (!m->f.locked)
		return code; /* nor can anything be made */
	folder_unlock(&m->f);
	if (code != ERR_NOT_FOUND && code != ERR_CORRUPT)
		return code;
	/* This syncs the Maildir, too: who made the folder may have died
	 * before its name was durable. */
	code = store_next_uidvalidity(m->store, &validity);
	if (code)
		return code;
	/* Another may have done it meanwhile. */
	code = read_locked(m);
	if (!m->f.locked)
		return code;
	if (code == ERR_NOT_FOUND)
		code = first_journal(m, validity);
	else if (code == ERR_CORRUPT)
		code = mend_journal(m, validity);
	folder_unlock(&m->f);
	return code;
}

/* Is there more than could be read? Mostly a record that is being written. */
static bool has_rest(const struct mailbox *m)
{
	struct stat st;

	return fstat(m->f.journal, &st) == 0 && st.st_size != m->read;
}

int session_load(struct mailbox *m)
{
	int code = folder_open_journal(&m->f);

	if (!code)
		code = read_all(m);
	if (code == ERR_NOT_FOUND || code == ERR_CORRUPT ||
	    (!code && has_rest(m)))
		code = make_or_mend(m);
	m->t.changed = m->t.new_keywords = false;
	return code;
}

void session_state(struct mailbox *m, struct batch *b, const uint64_t *key)
{
	uint32_t i;

	entries_count(&m->t, &b->t);
	batch_mark(b, RECORD_BEGIN);
	for (i = 0; i < m->t.nkeywords; i++)
		batch_keyword(b, i, m->t.keyword[i]);
	for (i = 0; i < m->t.n; i++) {
		const struct entry *e = &m->t.entry[i];
		const char *name = entries_name(&m->t, e);

		if (name && !(e->state & ENTRY_GONE))
			batch_add(b, e, name, key ? key[i] : 0);
	}
}
