#include "imapd/resync.h"

#include "imapd/enabled.h"
#include "imapd/update.h"

/* Two sets whose numbers belong together, in order. */
static bool parse_sample(struct session *s, const struct arg *list,
			 struct resync *r)
{
	return list[0].type == ARG_ATOM && list[1].type == ARG_ATOM &&
	       list[2].type == ARG_END &&
	       set_parse_known(s->c.arena, list[0].s, &r->seq) &&
	       set_parse_known(s->c.arena, list[1].s, &r->uid) &&
	       set_count(&r->seq) == set_count(&r->uid);
}

/* uidvalidity modseq [known-uids] [(seq-set uid-set)]. Of who sends 0, which
 * is no mod-sequence, nothing is known but the folder. */
static bool parse_qresync(struct session *s, const struct arg *a,
			  struct resync *r)
{
	if (r->wanted || !arg_number(&a[0], 1, &r->uidvalidity) ||
	    r->uidvalidity > UINT32_MAX || !arg_number(&a[1], 0, &r->modseq))
		return false;
	a += 2;
	r->wanted = true;
	r->some = a->type == ARG_ATOM;
	if (r->some && !set_parse_known(s->c.arena, (a++)->s, &r->known))
		return false;
	if (a->type == ARG_LIST && !parse_sample(s, (a++)->list, r))
		return false;
	return a->type == ARG_END;
}

static const char *parse(struct session *s, const struct arg *a,
			 struct resync *r, unsigned *enables)
{
	for (; a->type != ARG_END; a++) {
		if (arg_is(a, "CONDSTORE")) {
			*enables = ENABLED_CONDSTORE;
		} else if (!arg_is(a, "QRESYNC")) {
			return "Unknown parameter.";
		} else if (!enabled(s, ENABLED_QRESYNC)) {
			return "QRESYNC was not enabled.";
		} else {
			a++;
			if (a->type != ARG_LIST ||
			    !parse_qresync(s, a->list, r))
				return "Invalid QRESYNC parameter.";
			if (r->seq.n > 0 && enabled(s, ENABLED_UIDONLY))
				return UIDREQUIRED;
		}
	}
	return NULL;
}

bool resync_parse(struct session *s, const struct arg *a, struct resync *r)
{
	unsigned enables = 0;
	const char *why = NULL;

	*r = (struct resync){ 0 };
	if (a->type == ARG_LIST && a->list[0].type != ARG_END)
		why = parse(s, a->list, r, &enables);
	else if (a->type != ARG_END)
		why = "Invalid parameters.";
	if (why)
		return conn_bad(&s->c, why);
	enable(s, enables);
	return true;
}

/* The highest UID among N messages from SEQ on that has its place in the
 * client's sample, where they have the UIDs from UID on; 0: none. UIDs grow by
 * one at least, so all behind one that is too high are too high. */
static uint32_t match_run(const struct mailbox *m, uint32_t seq, uint32_t uid,
			  uint32_t n)
{
	uint32_t low = 0, high = n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (seq + middle <= mailbox_count(m) &&
		    mailbox_uid(m, seq + middle) <= uid + middle)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && mailbox_uid(m, seq + low - 1) == uid + low - 1
		       ? uid + low - 1
		       : 0;
}

/* The highest UID of the sample that has the number that the client knows: so
 * it knows of all that vanished below it. 0: none. */
static uint32_t match_sample(const struct mailbox *m, const struct resync *r)
{
	const struct set_range *seq = r->seq.range, *uid = r->uid.range;
	uint32_t seq_done = 0, uid_done = 0, best = 0;
	size_t i = 0, k = 0;

	while (i < r->seq.n && k < r->uid.n) {
		uint32_t nseq = seq[i].to - seq[i].from + 1 - seq_done;
		uint32_t nuid = uid[k].to - uid[k].from + 1 - uid_done;
		uint32_t n = nseq < nuid ? nseq : nuid;
		uint32_t found = match_run(m, seq[i].from + seq_done,
					   uid[k].from + uid_done, n);

		if (found > 0)
			best = found;
		seq_done = n == nseq ? 0 : seq_done + n;
		uid_done = n == nuid ? 0 : uid_done + n;
		i += n == nseq;
		k += n == nuid;
	}
	return best;
}

/* Tells what of UIDS has vanished since SINCE. */
static void put_vanished(struct session *s, uint64_t since,
			 const struct set *uids)
{
	const struct mailbox_range *r;
	struct set gone = { 0 };
	struct buf ranges;
	size_t i, n;

	buf_init(&ranges, INT32_MAX);
	mailbox_vanished(s->box, since, &ranges);
	r = (const void *)ranges.data;
	n = ranges.len / sizeof(*r);
	gone.range = arena_alloc(s->c.arena, (n + 1) * sizeof(*gone.range));
	for (i = 0; i < n; i++)
		gone.range[gone.n++] =
			(struct set_range){ r[i].first, r[i].last };
	buf_free(&ranges);
	gone = set_meet(s->c.arena, &gone, uids);
	update_put_vanished(s, &gone);
}

void resync_put_vanished(struct session *s, uint64_t since,
			 const struct arg *arg)
{
	struct set uids;

	/* "*" goes beyond the last message, which may have vanished */
	if (set_parse(s->c.arena, arg->s, UINT32_MAX, &uids))
		put_vanished(s, since, &uids);
}

static void put_changed(struct session *s, const struct resync *r,
			const struct set *uids)
{
	uint32_t count = mailbox_count(s->box), seq;
	struct buf *b = &s->out;

	buf_reset(b);
	for (seq = 1; seq <= count; seq++) {
		struct mailbox_message m = mailbox_get(s->box, seq);

		if (m.modseq > r->modseq && !m.gone && set_has(uids, m.uid))
			update_put_fetch_flags(s, b, seq, &m, false);
	}
	stream_put(s->c.io, b->data, b->len);
	buf_reset(b);
}

void resync_put(struct session *s, const struct resync *r)
{
	struct set_range all = { 1, UINT32_MAX };
	struct set uids = { &all, 1 }, above;

	if (!r->wanted || r->uidvalidity != mailbox_uidvalidity(s->box))
		return;
	if (r->some)
		uids = r->known;
	all.from = match_sample(s->box, r) + 1;
	above = set_meet(s->c.arena, &uids, &(struct set){ &all, 1 });
	put_vanished(s, r->modseq, &above);
	all.from = 1;
	put_changed(s, r, &uids);
}
