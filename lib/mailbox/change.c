/* Changing flags, removing messages, naming keywords. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "mailbox/name.h"
#include "mailbox/session.h"

static int keyword_find(const struct mailbox *m, const char *name)
{
	unsigned i;

	for (i = 0; i < m->t.nkeywords; i++)
		if (str_equal_ci(m->t.keyword[i], name))
			return (int)i;
	return -1;
}

/* A flag-keyword is an atom (RFC 3501 section 9). */
static bool is_keyword(const char *name)
{
	size_t n = strlen(name);
	const char *p;

	if (n == 0 || n >= MAILBOX_KEYWORD_SIZE)
		return false;
	for (p = name; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("(){%*\"\\]", *p))
			return false;
	return true;
}

int mailbox_keyword_bit(struct mailbox *m, const char *name, bool create,
			uint64_t *bit)
{
	struct batch b;
	int i = keyword_find(m, name);
	int code;

	if (i < 0 && !create)
		return ERR_NOT_FOUND;
	if (i < 0 && !is_keyword(name))
		return ERR_SYNTAX;
	if (i < 0) {
		code = session_lock(m);
		if (code)
			return code;
		i = keyword_find(m, name); /* another may have added it */
		if (i < 0 && m->t.nkeywords == MAILBOX_KEYWORDS_MAX)
			code = ERR_LIMIT;
		if (i < 0 && !code) {
			i = (int)m->t.nkeywords;
			batch_begin(&b, &m->f, false);
			batch_keyword(&b, (uint32_t)i, name);
			code = session_commit(m, &b, true);
		}
		session_unlock(m);
		if (code)
			return code;
	}
	*bit = UINT64_C(1) << i;
	return ERR_OK;
}

struct wish {
	enum mailbox_store_how how;
	unsigned flags;
	uint64_t keywords;
};

static struct entry wished(const struct entry *e, const struct wish *w)
{
	struct entry now = *e;

	switch (w->how) {
	case MAILBOX_SET:
		now.flags = (uint8_t)w->flags;
		now.keywords = w->keywords;
		break;
	case MAILBOX_ADD:
		now.flags |= (uint8_t)w->flags;
		now.keywords |= w->keywords;
		break;
	case MAILBOX_REMOVE:
		now.flags &= (uint8_t)~w->flags;
		now.keywords &= ~w->keywords;
		break;
	}
	return now;
}

static void change_one(struct mailbox *m, struct batch *b, struct entry *e,
		       const struct wish *w)
{
	struct entry now = wished(e, w);
	struct record_flags f = { e->uid, now.flags, now.keywords };

	if (now.flags == e->flags && now.keywords == e->keywords)
		return;
	totals_add(&b->t, e, -1);
	totals_add(&b->t, &now, 1);
	batch_item(b, RECORD_FLAGS, &f, sizeof(f));
	if (name_letters(e->letters, now.flags) != e->letters) {
		e->state |= ENTRY_DIRTY;
		m->dirty = true;
	}
}

/* Every change is one batch: found out and committed under the lock, and
 * durable before anybody is told of it. */
static int change_begin(struct mailbox *m, struct batch *b)
{
	int code = m->read_only ? ERR_DENIED : session_lock(m);

	if (!code)
		batch_begin(b, &m->f, true);
	return code;
}

static int change_end(struct mailbox *m, struct batch *b)
{
	int code = session_commit(m, b, true);

	session_unlock(m);
	/* also if all was so already: by a record that may not be durable */
	return code ? code : session_sync(m);
}

int mailbox_store(struct mailbox *m, const uint32_t *seq, size_t n,
		  enum mailbox_store_how how, unsigned flags, uint64_t keywords,
		  uint64_t unchanged_since, bool *failed)
{
	struct wish w = { how, flags & MAILBOX_FLAGS_ALL, keywords };
	struct batch b;
	size_t i;
	int code = change_begin(m, &b);

	if (code)
		return code;
	for (i = 0; i < n; i++) {
		struct entry *e = session_entry(m, seq[i]);
		bool good = e && !(e->state & ENTRY_GONE) &&
			    e->modseq <= unchanged_since;

		if (failed)
			failed[i] = !good;
		if (good)
			change_one(m, &b, e, &w);
	}
	return change_end(m, &b);
}

/* Unlinks the files, after the journal says they are gone. What cannot be
 * unlinked now is no failure. */
static void unlink_all(struct mailbox *m, const uint32_t *seq, size_t n,
		       const bool *chosen)
{
	int64_t before[DIRS];
	struct batch b;
	size_t i;

	if (session_lock(m) != ERR_OK)
		return;
	folder_times(&m->f, BOTH_DIRS, before);
	for (i = 0; i < n; i++)
		if (chosen[i])
			session_unlink(m, session_entry(m, seq[i]));
	batch_begin(&b, &m->f, false);
	folder_keep_marks(&m->f, BOTH_DIRS, before, &b.t);
	batch_mark(&b, RECORD_MARK);
	session_commit(m, &b, true);
	session_unlock(m);
}

/* A name that came back after a power cut would be a new message. */
static int sync_dirs(struct mailbox *m)
{
	int code = ERR_OK;

	for (unsigned d = 0; !code && d < DIRS; d++)
		if (m->f.sub[d] >= 0 && fsync(m->f.sub[d]) < 0)
			code = err_from_errno(errno);
	return code;
}

int mailbox_expunge(struct mailbox *m, const uint32_t *seq, size_t n,
		    bool deleted_only)
{
	struct batch b;
	bool *chosen;
	bool any;
	size_t i;
	int code = change_begin(m, &b);

	if (code)
		return code;
	chosen = mem_array(n + 1, sizeof(*chosen));
	for (i = 0; i < n; i++) {
		struct entry *e = session_entry(m, seq[i]);
		struct record_range range;

		if (!e || e->state & ENTRY_GONE ||
		    (deleted_only && !(e->flags & MAILBOX_DELETED)))
			continue;
		chosen[i] = true;
		range.first = range.last = e->uid;
		totals_add(&b.t, e, -1);
		batch_item(&b, RECORD_EXPUNGE, &range, sizeof(range));
	}
	any = b.any;
	/* What is said to be gone must not come back: the record is first. */
	code = change_end(m, &b);
	if (!code && any) {
		unlink_all(m, seq, n, chosen);
		code = sync_dirs(m);
	}
	free(chosen);
	return code;
}
