/*
 * Changes of flags as the journal has them: one of many messages is short, and
 * says the same to the session that made it, to another that reads it, and to
 * one that opens the folder later.
 */
#include "index/disk.h"
#include "t/unit/mailbox-lib.h"

#define N 40

static struct mailbox *m[2];
static struct store *s[2];

static unsigned draw(unsigned below)
{
	static uint32_t seed = 1;

	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

/* What SEQ is supposed to be. */
static struct {
	unsigned flags;
	uint64_t keywords;
} want[N + 1];

static void set(uint32_t seq, enum mailbox_store_how how, unsigned flags,
		uint64_t keywords)
{
	unsigned clear = how == MAILBOX_ADD ? 0
			 : how == MAILBOX_SET ? MAILBOX_FLAGS_ALL
					      : flags;
	uint64_t lose = how == MAILBOX_ADD ? 0
			: how == MAILBOX_SET ? UINT64_MAX
					     : keywords;

	want[seq].flags &= ~clear;
	want[seq].keywords &= ~lose;
	if (how == MAILBOX_REMOVE)
		return;
	want[seq].flags |= flags;
	want[seq].keywords |= keywords;
}

/* One change, of messages that are drawn: most of those from FROM to TO. */
static void change(void)
{
	enum mailbox_store_how how = (enum mailbox_store_how)draw(3);
	unsigned flags = draw(MAILBOX_FLAGS_ALL + 1);
	uint64_t keywords = draw(3) ? 0 : draw(4);
	uint32_t from = 1 + draw(N), to = from + draw(N + 1 - from), i;
	uint32_t seq[N], n = 0;

	for (i = from; i <= to; i++)
		if (draw(8))
			seq[n++] = i;
	for (i = 0; i < n; i++)
		set(seq[i], how, flags, keywords);
	if (mailbox_store(m[draw(2)], seq, n, how, flags, keywords, UINT64_MAX,
			  NULL) != ERR_OK)
		printf("# store\n");
}

static bool is_so(struct mailbox *box)
{
	uint32_t seq, wrong = 0;

	for (seq = 1; seq <= N; seq++) {
		struct mailbox_message g = mailbox_get(box, seq);

		wrong += g.flags != want[seq].flags ||
			 g.keywords != want[seq].keywords;
	}
	return wrong == 0;
}

static void test_same(void)
{
	const struct mailbox_changes *c;
	bool same[2] = { true, true }, later = true;
	struct mailbox *other;
	struct store *s2;
	uint64_t bit;
	int i;

	for (i = 0; i < 2; i++)
		m[i] = open_folder("INBOX", false, &s[i]);
	mailbox_keyword_bit(m[0], "a", true, &bit);
	mailbox_keyword_bit(m[0], "b", true, &bit);
	for (i = 0; i < 600; i++) {
		change();
		mailbox_refresh(m[0], true, &c);
		same[0] &= is_so(m[0]);
		mailbox_refresh(m[1], true, &c);
		same[1] &= is_so(m[1]);
		if (i % 20)
			continue;
		other = open_folder("INBOX", true, &s2);
		later &= is_so(other);
		close_folder(&other, &s2);
	}
	ok(same[0] && same[1], "both sessions see what was changed");
	ok(later, "and who opens the folder later");
}

/* Only what is changed is told, and gets a mod-sequence. */
static void test_told(void)
{
	const struct mailbox_changes *c;
	uint32_t seq[N], i, told = 0;
	uint64_t before[N + 1];

	for (i = 0; i < N; i++)
		seq[i] = i + 1;
	mailbox_store(m[0], seq, N, MAILBOX_REMOVE, MAILBOX_FLAGS_ALL, 3,
		      UINT64_MAX, NULL);
	mailbox_store(m[0], seq + 10, 20, MAILBOX_ADD, MAILBOX_SEEN, 0,
		      UINT64_MAX, NULL);
	mailbox_refresh(m[1], true, &c);
	for (i = 1; i <= N; i++)
		before[i] = mailbox_get(m[1], i).modseq;
	mailbox_store(m[0], seq, N, MAILBOX_ADD, MAILBOX_SEEN, 0, UINT64_MAX,
		      NULL);
	mailbox_refresh(m[1], true, &c);
	for (i = 1; i <= N; i++)
		told += (mailbox_get(m[1], i).modseq > before[i]) ==
				(i < 11 || i > 30) &&
			mailbox_get(m[1], i).modseq ==
				mailbox_get(m[0], i).modseq;
	ok(c->nflagged == N - 20 && told == N,
	   "what was so before is not told: %u, %u", (unsigned)c->nflagged,
	   told);
}

static void test_short(void)
{
	uint32_t seq[N], i;
	long before = file_size(path(DISK_JOURNAL)), now;

	for (i = 0; i < N; i++)
		seq[i] = i + 1;
	mailbox_store(m[0], seq, N, MAILBOX_ADD, MAILBOX_DELETED, 0, UINT64_MAX,
		      NULL);
	now = file_size(path(DISK_JOURNAL));
	ok(now - before <= 200, "a change of all is short: %ld bytes",
	   now - before);
	for (i = 0; i < 2; i++)
		close_folder(&m[i], &s[i]);
}

int main(void)
{
	fresh();
	deliver_n("INBOX", N);
	test_same();
	test_told();
	test_short();
	clean();
	return done();
}
