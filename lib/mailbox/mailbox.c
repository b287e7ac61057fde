/*
 * What a client knows about a folder, and what has happened since. The client
 * knows sequence numbers 1 to `shown`. Later messages follow them in the table
 * and get numbers with the next refresh; those that are gone keep theirs
 * (ENTRY_GONE) until a refresh may report it, as RFC 3501 section 7.4.1
 * demands. So nothing moves while a command is being answered.
 */
#include "mailbox/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "index/cache.h"
#include "mailbox/private.h"
#include "mailbox/opened.h"

#define REMOVE_BESIDE_US 100000

struct entry *mailbox_entry(const struct mailbox *m, uint32_t seq)
{
	return seq >= 1 && seq <= m->shown ? index_at(&m->x, seq - 1) : NULL;
}

static bool is_recent(const struct mailbox *m, const struct entry *e)
{
	return e->state & ENTRY_RECENT || (m->read_only && e->uid > m->claimed);
}

/* Messages that no session had before are recent for this one, and their
 * files move on to `cur`. */
static int claim(struct mailbox *m)
{
	uint32_t from = index_totals(&m->x)->claimed;
	struct batch b;
	uint32_t i;
	int code;

	if (m->read_only) {
		m->claimed = from;
		return ERR_OK;
	}
	if (m->unclaimed || index_count(&m->x) == 0 ||
	    index_at(&m->x, index_count(&m->x) - 1)->uid <= from)
		return ERR_OK;
	code = index_lock(&m->x);
	if (code)
		return code;
	from = index_totals(&m->x)->claimed;
	index_begin(&m->x, &b, false);
	b.t.claimed = b.t.uidnext - 1;
	b.t.recent = 0;
	batch_mark(&b, RECORD_CLAIM);
	code = index_commit(&m->x, &b, true);
	index_unlock(&m->x);
	for (i = index_find(&m->x, from + 1); !code && i < index_count(&m->x);
	     i++)
		index_at(&m->x, i)->state |= ENTRY_RECENT | ENTRY_DIRTY;
	if (m->recent_from == 0)
		m->recent_from = from + 1;
	m->dirty = true;
	return code;
}

void mailbox_count_recent(struct mailbox *m)
{
	uint32_t i;

	m->nrecent = 0;
	if (m->read_only) {
		i = index_find(&m->x, m->claimed + 1);
		m->nrecent = i < m->shown ? m->shown - i : 0;
		return;
	}
	i = m->recent_from > 0 ? index_find(&m->x, m->recent_from)
			       : index_count(&m->x);
	for (; i < m->shown; i++)
		m->nrecent += (index_at(&m->x, i)->state & ENTRY_RECENT) != 0;
}

/* What is gone leaves the table. */
struct taking {
	struct mailbox *m;
	uint32_t shown; /* before */
	bool tell;
};

static void taken(void *context, uint32_t was, uint32_t now,
		  const struct entry *e)
{
	struct taking *t = context;
	struct mailbox_changes *c = &t->m->changes;

	if (was >= t->shown)
		return;
	t->m->shown--;
	if (e->state & ENTRY_RECENT)
		t->m->nrecent--;
	if (!t->tell)
		return;
	c->expunged[c->nexpunged] = now + 1;
	c->expunged_uid[c->nexpunged++] = e->uid;
}

static void take_out(struct mailbox *m, bool tell)
{
	struct taking t = { m, m->shown, tell };

	index_take_out(&m->x, taken, &t);
}

/* Takes in what other programs did to the directories, and makes sure that the
 * messages in others' records are durable. */
static int scan_and_prove(struct mailbox *m)
{
	int code;

	/* what we are removing is no mail of others; and this goes on even if
	 * the client is never silent */
	if (!removal_is_over(&m->removal))
		return removal_go_on(m, REMOVE_BESIDE_US);
	code = mailbox_scan(m);
	if (code && code != ERR_NO_SPACE)
		return code;
	if (!mailbox_prove(m) && index_is_suspect(&m->x)) {
		code = mailbox_scan(m);
		mailbox_prove(m);
	}
	return code;
}

/* Then claims what is new, and makes durable every UID that the session is
 * about to report. */
static int catch_up(struct mailbox *m)
{
	int code = scan_and_prove(m);

	if (!code)
		code = claim(m);
	/* On a full disk the folder is as the journal says: new messages wait,
	 * \Recent is left to a later session. */
	if (code == ERR_NO_SPACE)
		code = ERR_OK;
	return code ? code : index_sync(&m->x);
}

/* All that was read is reported now, except messages that are gone and have to
 * stay in the table. */
static void note_reported(struct mailbox *m)
{
	const struct index *x = &m->x;
	uint64_t modseq = index_totals(x)->modseq;
	uint32_t i;

	m->looked = modseq;
	for (i = index_first_gone(x); i < m->shown; i++)
		if (index_at(x, i)->state & ENTRY_GONE &&
		    index_at(x, i)->modseq <= modseq)
			modseq = index_at(x, i)->modseq - 1;
	if (modseq > m->reported)
		m->reported = modseq;
}

static int next_validity(void *store, uint32_t *validity)
{
	return store_next_uidvalidity(store, validity);
}

static int open_dir(struct store *s, const char *disk, bool read_only,
		    bool unclaimed, struct mailbox **out)
{
	struct mailbox *m = mem_alloc(sizeof(*m));
	int code;

	index_init(&m->x);
	index_number_by(&m->x, next_validity, s);
	buf_init(&m->text, UINT32_MAX);
	buf_init(&m->facts, CACHE_ENTRY_MAX);
	buf_init(&m->sizes, RECORD_MAX);
	removal_init(&m->removal);
	m->store = s;
	m->read_only = read_only;
	m->unclaimed = unclaimed;
	m->opened = clock_wall();
	attached_begin(m);
	m->signing.maker =
		signature_maker(s->decoders ? s->decoders->made_by : 0);
	code = index_open(&m->x, s->dir, disk, s->opener, true);
	finder_begin(&m->moved, index_messages(&m->x));
	if (!code)
		code = index_load(&m->x);
	if (!code)
		code = catch_up(m);
	if (code) {
		m->read_only = true;
		m->dirty = false;
		mailbox_close(&m);
		return code;
	}
	m->shown = index_count(&m->x);
	take_out(m, false);
	index_take_changed(&m->x);
	index_take_new_keywords(&m->x);
	mailbox_count_recent(m);
	note_reported(m);
	m->unclaimed = false;
	*out = m;
	return ERR_OK;
}

int mailbox_open_dir(struct store *s, const char *disk, bool read_only,
		     struct mailbox **m)
{
	return open_dir(s, disk, read_only, false, m);
}

static int open_name(struct store *s, const char *name, bool read_only,
		     bool unclaimed, struct mailbox **m)
{
	char disk[DISK_NAME_SIZE];
	int code = disk_name_in(s->dir, name, disk);

	if (code)
		return code == ERR_TOO_LONG ? ERR_NOT_FOUND : code;
	return open_dir(s, disk, read_only, unclaimed, m);
}

int mailbox_open(struct store *s, const char *name, bool read_only,
		 struct mailbox **m)
{
	return open_name(s, name, read_only, false, m);
}

int mailbox_open_unclaimed(struct store *s, const char *name, bool read_only,
			   struct mailbox **m)
{
	return open_name(s, name, read_only, true, m);
}

void mailbox_close(struct mailbox **out)
{
	struct mailbox *m = *out;

	if (!m)
		return;
	mailbox_write_cache(m);
	mailbox_write_sizes(m);
	if (!m->read_only || m->dirty)
		while (mailbox_settle(m))
			;
	removal_free(&m->removal);
	finder_end(&m->moved);
	index_close(&m->x);
	buf_free(&m->text);
	buf_free(&m->facts);
	buf_free(&m->sizes);
	buf_free(&m->signing.lacking);
	attached_end(m);
	free(m->changes.expunged);
	free(m->changes.expunged_uid);
	free(m->changes.flagged);
	free(m);
	*out = NULL;
}

static void reserve_changes(struct mailbox *m)
{
	struct mailbox_changes *c = &m->changes;
	size_t n = index_count(&m->x);

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

	if (!index_take_changed(&m->x))
		return;
	for (i = index_skip(&m->x, 0, ENTRIES_TOUCHED); i < index_count(&m->x);
	     i = index_skip(&m->x, i + 1, ENTRIES_TOUCHED)) {
		struct entry *e = index_at(&m->x, i);

		if (i < m->shown && e->state & ENTRY_CHANGED &&
		    !(e->state & ENTRY_GONE))
			c->flagged[c->nflagged++] = i + 1;
		e->state &= (uint8_t)~ENTRY_CHANGED;
	}
}

int mailbox_refresh(struct mailbox *m, bool may_expunge,
		    const struct mailbox_changes **out)
{
	struct mailbox_changes *c = &m->changes;
	uint32_t recent = m->nrecent;
	int code = index_look(&m->x);

	if (!code)
		mailbox_write_sizes(m);
	if (!code)
		code = catch_up(m);
	reserve_changes(m);
	*out = c;
	if (code)
		return code;
	if (index_gone(&m->x) > 0 && may_expunge)
		take_out(m, true);
	recent = m->nrecent;
	c->new_messages = index_count(&m->x) > m->shown;
	collect_flagged(m);
	if (c->new_messages) {
		/* New ones may already be gone, and cannot be reported. */
		m->shown = index_count(&m->x);
		mailbox_count_recent(m);
	}
	if (recent != m->nrecent)
		c->new_messages = true;
	c->new_keywords = index_take_new_keywords(&m->x);
	note_reported(m);
	return ERR_OK;
}

bool mailbox_is_removing(const struct mailbox *m)
{
	return !removal_is_over(&m->removal);
}

void mailbox_totals(const struct mailbox *m, struct totals *t)
{
	*t = *index_totals(&m->x);
}

uint32_t mailbox_uidvalidity(const struct mailbox *m)
{
	return index_uidvalidity(&m->x);
}

uint32_t mailbox_uidnext(const struct mailbox *m)
{
	return m->shown == index_count(&m->x) || index_count(&m->x) == 0
		       ? index_totals(&m->x)->uidnext
		       : index_at(&m->x, m->shown)->uid;
}

uint64_t mailbox_highestmodseq(const struct mailbox *m)
{
	return index_totals(&m->x)->modseq;
}

uint64_t mailbox_reported(const struct mailbox *m)
{
	return m->reported;
}

uint32_t mailbox_count(const struct mailbox *m)
{
	return m->shown;
}

uint32_t mailbox_recent(const struct mailbox *m)
{
	return m->nrecent;
}

/* Are all messages known to have \Seen? False may only mean that each would
 * have to be examined. */
static bool all_seen(const struct mailbox *m)
{
	return index_totals(&m->x)->unseen == 0 && index_gone(&m->x) == 0;
}

uint32_t mailbox_first_unseen(const struct mailbox *m)
{
	const struct index *x = &m->x;
	uint32_t i;

	if (all_seen(m))
		return 0;
	for (i = index_skip(x, 0, ENTRIES_UNSEEN); i < m->shown;
	     i = index_skip(x, i + 1, ENTRIES_UNSEEN))
		if (!(index_at(x, i)->flags & MAILBOX_SEEN))
			return i + 1;
	return 0;
}

struct folder_id mailbox_id(const struct mailbox *m)
{
	return index_id(&m->x);
}

struct folder_token mailbox_token(const struct mailbox *m)
{
	return messages_token(index_messages(&m->x));
}

struct mailbox_message mailbox_get(const struct mailbox *m, uint32_t seq)
{
	const struct entry *e = mailbox_entry(m, seq);
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
	const struct entry *e = mailbox_entry(m, seq);

	return e ? e->uid : 0;
}

const char *mailbox_base(const struct mailbox *m, uint32_t seq, size_t *n)
{
	const struct entry *e = mailbox_entry(m, seq);

	*n = e ? e->nname : 0;
	return e ? index_name(&m->x, e) : NULL;
}

uint32_t mailbox_from(const struct mailbox *m, uint32_t uid)
{
	uint32_t i = index_find(&m->x, uid);

	return i < m->shown ? i + 1 : m->shown + 1;
}

uint32_t mailbox_find(const struct mailbox *m, uint32_t uid)
{
	uint32_t seq = mailbox_from(m, uid);

	return seq <= m->shown && mailbox_uid(m, seq) == uid ? seq : 0;
}

const char *mailbox_keyword(const struct mailbox *m, unsigned i)
{
	return index_keyword(&m->x, i);
}
