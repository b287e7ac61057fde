/*
 * What a client knows of a folder, and what has happened since. Sequence
 * numbers 1 to `shown` are the client's. Messages that came later stand behind
 * them in the table and get numbers with the next refresh; those that are gone
 * keep theirs (ENTRY_GONE) until a refresh may tell of it, as RFC 3501 section
 * 7.4.1 wants. So nothing moves under a command that is being answered.
 */
#include "mailbox/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "mailbox/cache.h"
#include "mailbox/private.h"
#include "mailbox/session.h"

struct entry *session_entry(const struct mailbox *m, uint32_t seq)
{
	return seq >= 1 && seq <= m->shown ? &m->t.entry[seq - 1] : NULL;
}

static bool is_recent(const struct mailbox *m, const struct entry *e)
{
	return e->state & ENTRY_RECENT || (m->read_only && e->uid > m->claimed);
}

/* Messages that no session had before are recent for this one, and their
 * files move on to `cur`. */
static int claim(struct mailbox *m)
{
	uint32_t from = m->f.last.claimed;
	struct batch b;
	uint32_t i;
	int code;

	if (m->read_only) {
		m->claimed = from;
		return ERR_OK;
	}
	if (m->t.n == 0 || m->t.entry[m->t.n - 1].uid <= from)
		return ERR_OK;
	code = session_lock(m);
	if (code)
		return code;
	from = m->f.last.claimed;
	batch_begin(&b, &m->f, false);
	b.t.claimed = b.t.uidnext - 1;
	b.t.recent = 0;
	batch_mark(&b, RECORD_CLAIM);
	code = session_commit(m, &b, true);
	session_unlock(m);
	for (i = entries_find(&m->t, from + 1); !code && i < m->t.n; i++)
		m->t.entry[i].state |= ENTRY_RECENT | ENTRY_DIRTY;
	if (m->recent_from == 0)
		m->recent_from = from + 1;
	m->dirty = true;
	return code;
}

int session_sync(struct mailbox *m)
{
	int code = m->unsynced ? folder_sync(&m->f) : ERR_OK;

	if (!code)
		m->unsynced = false;
	return code;
}

static void count_recent(struct mailbox *m)
{
	uint32_t i;

	m->nrecent = 0;
	if (m->read_only) {
		i = entries_find(&m->t, m->claimed + 1);
		m->nrecent = i < m->shown ? m->shown - i : 0;
		return;
	}
	i = m->recent_from > 0 ? entries_find(&m->t, m->recent_from) : m->t.n;
	for (; i < m->shown; i++)
		m->nrecent += (m->t.entry[i].state & ENTRY_RECENT) != 0;
}

/* Takes what is gone out of the table. */
static void take_out(struct mailbox *m, bool tell)
{
	struct table *t = &m->t;
	struct mailbox_changes *c = &m->changes;
	uint32_t from, to, shown = m->shown;

	if (t->gone == 0)
		return;
	for (from = to = t->first_gone; from < t->n; from++) {
		struct entry *e = &t->entry[from];

		if (!(e->state & ENTRY_GONE)) {
			t->entry[to++] = *e;
			continue;
		}
		if (from >= shown)
			continue;
		m->shown--;
		if (e->state & ENTRY_RECENT)
			m->nrecent--;
		if (!tell)
			continue;
		c->expunged[c->nexpunged] = to + 1;
		c->expunged_uid[c->nexpunged++] = e->uid;
	}
	t->n = to;
	t->gone = 0;
}

/* A directory without `cur` is no folder; what else is missing is made. */
static int open_subs(struct mailbox *m, bool inbox)
{
	int code;

	if (folder_sub(&m->f, DIR_CUR) < 0)
		return err_from_errno(errno);
	if (folder_sub(&m->f, DIR_NEW) >= 0)
		return ERR_OK;
	code = store_make_dirs(m->f.dir, inbox);
	if (!code && folder_sub(&m->f, DIR_NEW) < 0)
		code = err_from_errno(errno);
	return code;
}

/* Takes in what other programs did to the directories, claims what is new,
 * and makes durable every UID that the session is about to tell. */
static int catch_up(struct mailbox *m)
{
	int code = session_scan(m);

	if (!code)
		code = claim(m);
	return code ? code : session_sync(m);
}

int mailbox_open(struct store *s, const char *name, bool read_only,
		 struct mailbox **out)
{
	char disk[DISK_NAME_SIZE];
	struct mailbox *m;
	int code = disk_name(name, disk);

	if (code)
		return code == ERR_TOO_LONG ? ERR_NOT_FOUND : code;
	m = mem_alloc(sizeof(*m));
	entries_init(&m->t);
	buf_init(&m->window, RECORD_MAX * 2);
	buf_init(&m->text, UINT32_MAX);
	buf_init(&m->facts, CACHE_ENTRY_MAX);
	buf_init(&m->made, 2 * CACHE_ENTRY_MAX);
	buf_init(&m->made_uids, CACHE_ENTRY_MAX);
	buf_init(&m->sizes, RECORD_MAX);
	m->store = s;
	m->read_only = read_only;
	m->cache = -1;
	code = folder_open(s->dir, disk, &m->f);
	if (!code)
		code = open_subs(m, disk[1] == '\0');
	if (!code)
		code = session_load(m);
	if (!code)
		code = catch_up(m);
	if (code) {
		m->read_only = true;
		m->dirty = false;
		mailbox_close(&m);
		return code;
	}
	m->shown = m->t.n;
	take_out(m, false);
	m->t.changed = m->t.new_keywords = false;
	count_recent(m);
	*out = m;
	return ERR_OK;
}

void mailbox_close(struct mailbox **out)
{
	struct mailbox *m = *out;

	if (!m)
		return;
	session_write_cache(m);
	session_write_sizes(m);
	if (!m->read_only || m->dirty)
		mailbox_settle(m);
	entries_free(&m->t);
	folder_close(&m->f);
	buf_free(&m->window);
	buf_free(&m->text);
	buf_free(&m->facts);
	buf_free(&m->made);
	buf_free(&m->made_uids);
	buf_free(&m->sizes);
	if (m->cache >= 0)
		close(m->cache);
	free(m->changes.expunged);
	free(m->changes.expunged_uid);
	free(m->changes.flagged);
	free(m);
	*out = NULL;
}

/* Another journal took the place of ours: brings the table to its state,
 * keeping the places of messages. */
static int follow(struct mailbox *m)
{
	struct mailbox fresh = *m;
	uint32_t validity = m->f.head.uidvalidity;
	uint32_t i = 0, k = 0, had = m->t.n;
	int code;

	m->f.replaced = false;
	entries_init(&fresh.t);
	code = session_load(&fresh);
	m->f = fresh.f;
	m->read = fresh.read;
	m->snapshot = fresh.snapshot;
	if (!code && m->f.head.uidvalidity != validity)
		code = ERR_CORRUPT;
	if (code) {
		m->renumbered = true;
		entries_free(&fresh.t);
		return code == ERR_NOT_FOUND ? ERR_CORRUPT : code;
	}
	for (; i < had || k < fresh.t.n;) {
		struct entry *old = i < had ? &m->t.entry[i] : NULL;
		struct entry *now = k < fresh.t.n ? &fresh.t.entry[k] : NULL;

		if (old && now && old->uid == now->uid) {
			entries_follow(&m->t, i++, now);
			k++;
		} else if (old && (!now || old->uid < now->uid)) {
			entries_mark_gone(&m->t, i++);
		} else if (now->uid > (had ? m->t.entry[had - 1].uid : 0)) {
			entries_copy(&m->t, now, entries_name(&fresh.t, now));
			k++;
		} else {
			k++;
		}
	}
	entries_follow_keywords(&m->t, &fresh.t);
	entries_free(&fresh.t);
	m->unsynced = true;
	return ERR_OK;
}

int session_lock(struct mailbox *m)
{
	int code;

	if (m->renumbered)
		return ERR_CORRUPT;
	code = folder_lock(&m->f);
	if (code == ERR_OK && m->f.replaced) {
		folder_unlock(&m->f);
		code = follow(m);
		if (!code)
			code = folder_lock(&m->f);
	}
	if (code == ERR_OK)
		code = session_catch_up(m, false);
	if (code) {
		folder_unlock(&m->f);
		/* The journal is lost or damaged under an open session. */
		if (code == ERR_NOT_FOUND || code == ERR_CORRUPT) {
			m->renumbered = true;
			code = ERR_CORRUPT;
		}
	}
	return code;
}

void session_unlock(struct mailbox *m)
{
	folder_unlock(&m->f);
}

int session_commit(struct mailbox *m, struct batch *b, bool own)
{
	bool any = b->any;
	int code = batch_end(b);

	if (!code && any)
		code = session_catch_up(m, own);
	return code;
}

static int look(struct mailbox *m)
{
	struct stat st;

	if (m->renumbered)
		return ERR_CORRUPT;
	if (fstatat(m->f.dir, DISK_JOURNAL, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ino != m->f.journal_ino)
		return follow(m);
	if (st.st_size != m->read)
		return session_catch_up(m, false);
	return ERR_OK;
}

static void reserve_changes(struct mailbox *m)
{
	struct mailbox_changes *c = &m->changes;
	size_t n = m->t.n;

	c->nexpunged = c->nflagged = 0;
	c->new_messages = c->new_keywords = false;
	if (n <= m->changes_room)
		return;
	m->changes_room = n + n / 4 + 16;
	n = m->changes_room;
	c->expunged = mem_resize(c->expunged, n, sizeof(*c->expunged));
	c->expunged_uid =
		mem_resize(c->expunged_uid, n, sizeof(*c->expunged_uid));
	c->flagged = mem_resize(c->flagged, n, sizeof(*c->flagged));
}

static void collect_flagged(struct mailbox *m)
{
	struct mailbox_changes *c = &m->changes;
	uint32_t i;

	if (!m->t.changed)
		return;
	for (i = 0; i < m->t.n; i++) {
		struct entry *e = &m->t.entry[i];

		if (i < m->shown && e->state & ENTRY_CHANGED &&
		    !(e->state & ENTRY_GONE))
			c->flagged[c->nflagged++] = i + 1;
		e->state &= (uint8_t)~ENTRY_CHANGED;
	}
	m->t.changed = false;
}

int mailbox_refresh(struct mailbox *m, bool may_expunge,
		    const struct mailbox_changes **out)
{
	struct mailbox_changes *c = &m->changes;
	uint32_t recent = m->nrecent;
	int code = look(m);

	if (!code)
		session_write_sizes(m);
	if (!code)
		code = catch_up(m);
	reserve_changes(m);
	*out = c;
	if (code)
		return code;
	if (m->t.gone > 0 && may_expunge)
		take_out(m, true);
	recent = m->nrecent;
	c->new_messages = m->t.n > m->shown;
	collect_flagged(m);
	if (c->new_messages) {
		/* New ones may be gone already, and cannot be told of. */
		m->shown = m->t.n;
		count_recent(m);
	}
	if (recent != m->nrecent)
		c->new_messages = true;
	c->new_keywords = m->t.new_keywords;
	m->t.new_keywords = false;
	return ERR_OK;
}

void mailbox_totals(const struct mailbox *m, struct totals *t)
{
	*t = m->f.last;
}

uint32_t mailbox_uidvalidity(const struct mailbox *m)
{
	return m->f.head.uidvalidity;
}

uint32_t mailbox_uidnext(const struct mailbox *m)
{
	return m->shown == m->t.n || m->t.n == 0 ? m->f.last.uidnext
						 : m->t.entry[m->shown].uid;
}

uint64_t mailbox_highestmodseq(const struct mailbox *m)
{
	return m->f.last.modseq;
}

uint32_t mailbox_count(const struct mailbox *m)
{
	return m->shown;
}

uint32_t mailbox_recent(const struct mailbox *m)
{
	return m->nrecent;
}

bool mailbox_all_seen(const struct mailbox *m)
{
	return m->f.last.unseen == 0 && m->t.gone == 0;
}

void mailbox_identity(const struct mailbox *m, dev_t *dev, ino_t *ino)
{
	*dev = m->f.dev;
	*ino = m->f.ino;
}

int mailbox_dirfd(const struct mailbox *m)
{
	return m->f.dir;
}

struct mailbox_message mailbox_get(const struct mailbox *m, uint32_t seq)
{
	const struct entry *e = session_entry(m, seq);
	struct mailbox_message g = { 0 };

	if (!e)
		return g;
	g.uid = e->uid;
	g.flags = e->flags;
	g.keywords = e->keywords;
	g.modseq = e->modseq;
	g.received = e->received;
	g.saved = e->saved;
	g.size = e->wire;
	g.recent = is_recent(m, e);
	g.gone = e->state & ENTRY_GONE;
	return g;
}

uint32_t mailbox_uid(const struct mailbox *m, uint32_t seq)
{
	const struct entry *e = session_entry(m, seq);

	return e ? e->uid : 0;
}

uint32_t mailbox_find(const struct mailbox *m, uint32_t uid)
{
	uint32_t i = entries_find(&m->t, uid);

	return i < m->shown ? i + 1 : m->shown + 1;
}

const char *mailbox_keyword(const struct mailbox *m, unsigned i)
{
	return i < m->t.nkeywords ? m->t.keyword[i] : NULL;
}
