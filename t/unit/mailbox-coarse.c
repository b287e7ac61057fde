/*
 * A file system whose times are those of a clock that ticks, as they are before
 * Linux 6.13, or that has whole seconds and seems to be one of the better ones,
 * as ext4 with small inodes: two changes within a tick leave the same time.
 * What another program delivers in the tick of a change of ours is seen, too.
 */
#include "index/mark.h"
#include "mailbox/private.h"
#include "maildir/maildir.h"
#include "t/unit/mailbox-lib.h"

static const struct clock {
	const char *name;
	int64_t tick; /* ns */
	bool exact;   /* as it says */
} clocks[] = { { "10 ms", 10000000, false }, { "1 s", 1000000000, true } };
static const struct clock *fs = &clocks[0];

static struct messages_ops real, coarse;
static int calls; /* of `stamps` until the other program comes; 0: never */
static const char *target;

/* Another program delivers. */
static void deliver_foreign(void)
{
	static int count;
	char name[64];

	snprintf(name, sizeof(name), "%s/17%08d.foreign%s", target, ++count,
		 target[0] == 'c' ? ":2,S" : "");
	write_file(path("tmp/x"), "A: b\n\nforeign\n", 14);
	if (rename(path("tmp/x"), path(name)) < 0)
		printf("# rename\n");
}

/* The other program comes just after the times were read. */
static int stamps(struct messages *ms, unsigned dirs, int64_t when[DIRS])
{
	int d, code = real.stamps(ms, dirs, when);

	for (d = 0; d < DIRS; d++)
		if (dirs & 1u << d)
			when[d] -= when[d] % fs->tick;
	if (calls > 0 && --calls == 0)
		deliver_foreign();
	return code;
}

static bool exact(struct messages *ms)
{
	(void)ms;
	return fs->exact;
}

static int open_coarse(int dir, bool make, struct messages **ms)
{
	int code = maildir_open(dir, make, ms);

	if (code)
		return code;
	real = coarse = *(*ms)->ops;
	coarse.stamps = stamps;
	coarse.exact = exact;
	(*ms)->ops = &coarse;
	return ERR_OK;
}

static uint32_t put(struct store *s, unsigned flags)
{
	struct append *a;
	struct folder_id id;
	uint32_t validity, uid = 0;

	append_new(s, "INBOX", &a);
	append_begin(a, flags, NULL, 0, -1);
	append_write(a, "A: b\r\n\r\n", 8);
	append_commit(a, &validity, &uid, &id);
	append_free(&a);
	return uid;
}

static struct mailbox *begin(struct store **s)
{
	struct mailbox *m = NULL;

	fresh();
	store_open(at.maildir, true, s);
	(*s)->opener = open_coarse;
	put(*s, 0);
	put(*s, MAILBOX_FLAGGED);
	mailbox_open(*s, "INBOX", false, &m);
	mailbox_settle(m);
	return m;
}

/* What is there settles: no tick is that long. */
static void rest(struct mailbox *m)
{
	const struct mailbox_changes *c;
	int i;

	for (i = 0; i < 2; i++) {
		usleep(40000);
		mailbox_refresh(m, true, &c);
	}
}

enum act { ADD, SETTLE, EXPUNGE };
static const char *const acts[] = { "an append", "flags in names",
				    "an expunge" };

/* The other one comes after WHICH look at the times: the change of ours is
 * between the first and the second. */
static void test(enum act act, const char *where, int which)
{
	const struct mailbox_changes *c;
	struct mailbox *m;
	struct store *s;
	uint32_t seq = 2, before;

	m = begin(&s);
	rest(m);
	target = where;
	if (act == SETTLE)
		mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_SEEN, 0,
			      UINT64_MAX, NULL);
	before = mailbox_count(m);
	calls = which;
	if (act == ADD)
		put(s, where[0] == 'c' ? MAILBOX_SEEN : 0);
	else if (act == SETTLE)
		mailbox_settle(m);
	else
		mailbox_expunge(m, &seq, 1, false);
	ok(calls == 0, "%s: %s, and one delivers to %s just %s", fs->name,
	   acts[act], where, which == 1 ? "before" : "after");
	calls = 0;
	mailbox_refresh(m, true, &c);
	ok(mailbox_count(m) == before + (act == ADD) - (act == EXPUNGE) + 1,
	   "it is seen: %u messages", mailbox_count(m));
	mailbox_close(&m);
	store_close(&s);
}

/* What is not known here is a time, not that an expunge was done. */
static void test_expunge(void)
{
	struct mailbox *m;
	struct store *s;
	struct totals t;
	uint32_t seq = 2;

	m = begin(&s);
	if (mailbox_expunge(m, &seq, 1, false) != ERR_OK)
		printf("# not expunged\n");
	mailbox_totals(m, &t);
	ok(!mark_is_pending(&t), "an expunge leaves nothing to look for");
	mailbox_close(&m);
	store_close(&s);
}

static void test_all(void)
{
	int which;

	for (which = 1; which <= 2; which++) {
		test(ADD, "new", which);
		test(ADD, "cur", which);
		test(SETTLE, "cur", which);
		test(EXPUNGE, "cur", which);
	}
	test_expunge();
}

int main(void)
{
	for (; fs < clocks + sizeof(clocks) / sizeof(*clocks); fs++)
		test_all();
	clean();
	return done();
}
