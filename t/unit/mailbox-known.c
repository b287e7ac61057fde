/*
 * A folder that is opened as a session knew it: whatever others have done
 * since, it tells the same as the session's own table, which stayed open. And
 * what is not a session's knowledge of this folder is refused.
 */
#include "mailbox/known.h"
#include "t/unit/mailbox-lib.h"

#define RANGES 1000
#define ROUNDS 60

static unsigned below(unsigned n)
{
	return (unsigned)random() % n;
}

/* What another session does; of those above LAST it expunges none, since who
 * does not know them will never hear of them. */
static void disturb(struct mailbox *m, uint32_t last)
{
	const struct mailbox_changes *c;
	uint32_t seq[3], n = 0, i;

	mailbox_refresh(m, true, &c);
	for (i = 1 + below(9); i <= mailbox_count(m) && n < 3;
	     i += 1 + below(9))
		seq[n++] = i;
	switch (below(4)) {
	case 0:
		deliver_n("INBOX", 1 + (int)below(3));
		break;
	case 1:
		while (n > 0 && mailbox_uid(m, seq[n - 1]) > last)
			n--;
		mailbox_expunge(m, seq, n, false);
		break;
	default:
		mailbox_store(m, seq, n, MAILBOX_SET, below(32), 0, UINT64_MAX,
			      NULL);
		break;
	}
	mailbox_refresh(m, true, &c);
}

/* Is every message the same, except \Recent of the last ones, which the two
 * share out? When one went is not known; B may have reported less. */
static bool same_table(const struct mailbox *a, const struct mailbox *b,
		       uint32_t known)
{
	if (mailbox_count(a) != mailbox_count(b) ||
	    mailbox_reported(a) < mailbox_reported(b))
		return false;
	for (uint32_t i = 1; i <= mailbox_count(a); i++) {
		struct mailbox_message x = mailbox_get(a, i);
		struct mailbox_message y = mailbox_get(b, i);

		if (x.uid != y.uid || x.gone != y.gone ||
		    (!x.gone && (x.flags != y.flags || x.modseq != y.modseq)) ||
		    (i <= known && !x.gone && x.recent != y.recent))
			return false;
	}
	return true;
}

static bool has(const uint32_t *list, size_t n, uint32_t what)
{
	while (n > 0)
		if (list[--n] == what)
			return true;
	return false;
}

/* B may also tell of flags that are again what they were. */
static bool same_changes(const struct mailbox_changes *a,
			 const struct mailbox_changes *b)
{
	if (a->nexpunged != b->nexpunged || a->new_messages != b->new_messages)
		return false;
	for (size_t i = 0; i < a->nexpunged; i++)
		if (a->expunged[i] != b->expunged[i] ||
		    a->expunged_uid[i] != b->expunged_uid[i])
			return false;
	for (size_t i = 0; i < a->nflagged; i++)
		if (!has(b->flagged, b->nflagged, a->flagged[i]))
			return false;
	return true;
}

static bool round_trip(struct store *s, struct mailbox *a, struct mailbox *x,
		       bool read_only)
{
	const struct mailbox_changes *ca, *cb;
	struct mailbox_known k;
	struct mailbox *b = NULL;
	uint32_t known;
	bool good, expunge = below(3) > 0;
	unsigned n = below(4);

	mailbox_known_init(&k, RANGES);
	good = mailbox_know(a, &k) == ERR_OK;
	known = mailbox_count(a);
	while (n-- > 0)
		disturb(x, mailbox_uid(a, known));
	good = good &&
	       mailbox_open_known(s, "INBOX", read_only, &k, &b) == ERR_OK;
	good = good && mailbox_count(b) == known &&
	       (read_only || mailbox_recent(b) == mailbox_recent(a));
	good = good && mailbox_refresh(a, expunge, &ca) == ERR_OK &&
	       mailbox_refresh(b, expunge, &cb) == ERR_OK &&
	       same_changes(ca, cb) &&
	       same_table(a, b, known - (uint32_t)ca->nexpunged);
	mailbox_known_free(&k);
	mailbox_close(&b);
	return good;
}

static void test_same(struct store *s, bool read_only)
{
	struct mailbox *a, *x;
	int good = 0;

	deliver_n("INBOX", 30);
	mailbox_open(s, "INBOX", read_only, &a);
	mailbox_open(s, "INBOX", false, &x);
	for (int i = 0; i < ROUNDS; i++)
		good += round_trip(s, a, x, read_only);
	ok(good == ROUNDS, "%s: the same is told in %d rounds of %d",
	   read_only ? "read-only" : "read-write", good, ROUNDS);
	mailbox_close(&a);
	mailbox_close(&x);
}

static int open_as(struct store *s, const struct mailbox_known *k)
{
	struct mailbox *m = NULL;
	int code = mailbox_open_known(s, "INBOX", false, k, &m);

	if (m)
		mailbox_close(&m);
	return code;
}

static void put(struct buf *b, uint32_t first, uint32_t last)
{
	struct mailbox_range r = { first, last };

	buf_put(b, &r, sizeof(r));
}

static void test_strange(struct store *s)
{
	struct mailbox_known k;
	struct mailbox *m;
	uint32_t validity;

	mailbox_open(s, "INBOX", false, &m);
	mailbox_known_init(&k, RANGES);
	ok(mailbox_know(m, &k) == ERR_OK && open_as(s, &k) == ERR_OK,
	   "what was put down is taken");
	validity = k.uidvalidity++;
	ok(open_as(s, &k) == ERR_CORRUPT, "another UIDVALIDITY");
	k.uidvalidity = validity;
	k.looked += 1000000;
	ok(open_as(s, &k) == ERR_SYNTAX, "a mod-sequence that never was");
	k.looked = k.modseq - 1;
	ok(open_as(s, &k) == ERR_SYNTAX, "more reported than was seen");
	k.looked = k.modseq;
	buf_reset(&k.uids);
	put(&k.uids, mailbox_uid(m, 2), mailbox_uid(m, 2));
	ok(open_as(s, &k) == ERR_CORRUPT, "a message before the known ones");
	buf_reset(&k.uids);
	put(&k.uids, 1, UINT32_MAX);
	ok(open_as(s, &k) == ERR_SYNTAX, "UIDs that were never given");
	buf_reset(&k.uids);
	put(&k.uids, 0, 3);
	ok(open_as(s, &k) == ERR_SYNTAX, "UID 0");
	buf_reset(&k.uids);
	put(&k.uids, 5, 6);
	put(&k.uids, 6, 7);
	ok(open_as(s, &k) == ERR_SYNTAX, "one UID twice");
	buf_reset(&k.uids);
	put(&k.uids, 6, 5);
	ok(open_as(s, &k) == ERR_SYNTAX, "a range that ends before it begins");
	buf_reset(&k.uids);
	buf_put(&k.uids, "\1\0\0\0\1", 5);
	ok(open_as(s, &k) == ERR_SYNTAX, "half a range");
	mailbox_known_free(&k);
	mailbox_known_init(&k, 0);
	ok(mailbox_know(m, &k) == ERR_LIMIT, "more than may be put down");
	mailbox_known_free(&k);
	mailbox_close(&m);
}

int main(void)
{
	const char *seed = getenv("MODEL_SEED");
	unsigned n = seed ? (unsigned)atoi(seed) : (unsigned)clock_wall_us();
	struct store *s;

	printf("# MODEL_SEED=%u\n", n);
	srandom(n);
	for (int read_only = 0; read_only < 2; read_only++) {
		fresh();
		store_open(at.maildir, true, &s);
		test_same(s, read_only);
		if (read_only)
			test_strange(s);
		store_close(&s);
	}
	clean();
	return done();
}
