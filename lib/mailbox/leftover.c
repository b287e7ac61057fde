#include "mailbox/leftover.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/opened.h"

static bool is_live(struct mailbox *m, uint32_t uid)
{
	const struct entry *e = entries_get(&m->x.t, uid);

	return e && !(e->state & ENTRY_GONE);
}

/* What the journal says about a file. */
struct past {
	uint32_t uid;	  /* of the message, 0 if none is known */
	int64_t expunged; /* when, in microseconds; or 0 */
	bool removed;	  /* since, for good */
};

/* Takes the UID of the file REF from R; the UID in its name belongs to another
 * file if R says so. */
static void find_uid(const struct record *r, const struct message_ref *ref,
		     struct past *past)
{
	struct record_add a;
	size_t n;
	const char *p = record_payload(r, &n), *at = p;
	uint32_t i;

	if (r->type != RECORD_ADD)
		return;
	for (i = 0; i < r->count && record_add_next(&p, &n, &a); i++, at = p) {
		bool named = a.nname == ref->nbase &&
			     memcmp(at + sizeof(a), ref->base, a.nname) == 0;

		if (named)
			*past = (struct past){ .uid = a.uid };
		else if (a.uid == past->uid)
			*past = (struct past){ 0 };
	}
}

/* Takes from R an expunge of PAST, or that files expunged until then were
 * gone for good. */
static void find_expunge(const struct record *r, struct past *past)
{
	if (past->uid > 0 && past->expunged == 0)
		past->expunged = record_expunges(r, past->uid);
	if (past->expunged > 0 && !marks_are_pending(&r->t))
		past->removed = true;
}

/* When the message REF, whose name has UID, was expunged according to the
 * journal, in microseconds; 0: it was not, or its file was removed for good. */
static int64_t expunged_at(struct mailbox *m, uint32_t uid,
			   const struct message_ref *ref)
{
	struct past past = { .uid = uid };
	struct journal_walk w;
	const struct record *r;
	int code;

	journal_walk(&w, m->x.f.journal, sizeof(struct journal_head));
	while ((r = journal_next(&w, &code))) {
		find_uid(r, ref, &past);
		find_expunge(r, &past);
	}
	journal_walk_end(&w);
	return past.removed || is_live(m, past.uid) ? 0 : past.expunged;
}

static bool is_ours(const struct mailbox *m, const struct listing_file *file)
{
	return !m->x.recover && file->validity == m->x.f.head.uidvalidity;
}

static bool was_given(const struct mailbox *m, uint32_t uid)
{
	return uid < m->x.f.last.uidnext;
}

int64_t leftover_busy_us = 10000000;

/* A time in the future means nothing. */
static bool is_recent(int64_t when)
{
	int64_t age = clock_wall_us() - when;

	return age >= 0 && age < leftover_busy_us;
}

enum leftover left_of_expunge(struct mailbox *m,
			      const struct listing_file *file,
			      const struct message_ref *ref,
			      const struct message_state *st)
{
	bool given = is_ours(m, file) && was_given(m, file->uid);
	uint32_t uid = given ? file->uid : 0;
	int64_t when;

	if (m->x.recover || !marks_are_pending(&m->x.f.last))
		return LEFT_NOT;
	/* there may be many files of other programs: do not search for each */
	if (st &&
	    (uid == 0 || is_live(m, uid) ||
	     (st->changed >= m->x.f.last.time && !is_recent(m->x.f.last.time))))
		return LEFT_NOT;
	when = expunged_at(m, uid, ref);
	if (when > 0 && st && is_recent(when))
		return LEFT_BUSY;
	return when > 0 && (!st || st->changed < when) ? LEFT_OVER : LEFT_NOT;
}

bool left_of_delivery(struct mailbox *m, const struct listing_file *file,
		      const struct message_ref *ref, enum content *what)
{
	int fd;

	if (!is_ours(m, file) || file->size <= 0)
		return false;
	if (messages_open(m->x.f.files, ref, &fd) != ERR_OK ||
	    content_judge(fd, (uint32_t)file->size, NULL, what) != ERR_OK)
		*what = CONTENT_RIGHT;
	if (fd >= 0)
		close(fd);
	return *what == CONTENT_EMPTY ||
	       (*what == CONTENT_TORN &&
		(!was_given(m, file->uid) || is_live(m, file->uid)));
}
