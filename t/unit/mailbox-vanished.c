/*
 * The history of a folder: what was expunged since a mod-sequence, over the
 * life of its journals; and the bounds of the history. Whatever is asked, no
 * UID that is there is given, and none that was expunged since is left out.
 */
#include <inttypes.h>
#include <sys/wait.h>

#include "index/history.h"
#include "index/journal.h"
#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

static void append_n(struct store *s, uint32_t n)
{
	uint32_t validity, uid, i;
	struct folder_id id;
	struct append *a;

	append_new(s, "INBOX", &a);
	for (i = 0; i < n; i++) {
		append_begin(a, 0, NULL, 0, -1);
		append_write(a, "A: b\r\n\r\n", 8);
	}
	append_commit(a, &validity, &uid, &id);
	append_free(&a);
}

/* "2:3,7" of what vanished since SINCE, until the next call. */
static const char *vanished(struct mailbox *m, uint64_t since)
{
	static struct buf out;
	const struct mailbox_range *r;
	struct buf ranges;
	size_t i;

	buf_init(&ranges, 1 << 20);
	mailbox_vanished(m, since, &ranges);
	buf_free(&out);
	buf_init(&out, 1 << 20);
	r = (const void *)ranges.data;
	for (i = 0; i < ranges.len / sizeof(*r); i++) {
		buf_puts(&out, i ? "," : "");
		buf_put_uint(&out, r[i].first);
		if (r[i].last > r[i].first) {
			buf_putc(&out, ':');
			buf_put_uint(&out, r[i].last);
		}
	}
	buf_free(&ranges);
	return out.data;
}

#define is(got, want, ...) is_(got, want, __LINE__, __VA_ARGS__)
static void is_(const char *got, const char *want, int line, const char *what)
{
	ok(strcmp(got, want) == 0, "%s", what);
	if (strcmp(got, want) != 0)
		printf("# line %d: got \"%s\", wanted \"%s\"\n", line, got,
		       want);
}

static uint64_t expunge(struct mailbox *m, uint32_t uid, uint32_t n)
{
	const struct mailbox_changes *c;
	uint32_t *seq = mem_array(n, sizeof(*seq)), i;

	for (i = 0; i < n; i++)
		seq[i] = mailbox_from(m, uid) + i;
	mailbox_expunge(m, seq, n, false);
	free(seq);
	mailbox_refresh(m, true, &c);
	return mailbox_reported(m);
}

/* Changes that make the journal long, until a new one takes its place. */
static void rotate(struct mailbox *m)
{
	uint32_t n = mailbox_count(m), i;
	uint32_t *seq = mem_array(n, sizeof(*seq));
	uint64_t bit = 0;
	long before;

	for (i = 0; i < n; i++)
		seq[i] = i + 1;
	mailbox_keyword_bit(m, "x", true, &bit);
	i = 0;
	do {
		before = file_size(path(DISK_JOURNAL));
		mailbox_store(m, seq, n, i % 2 ? MAILBOX_REMOVE : MAILBOX_ADD,
			      0, bit, UINT64_MAX, NULL);
		mailbox_settle(m);
	} while (file_size(path(DISK_JOURNAL)) > before && i++ < 3000);
	ok(i < 3000, "the journal gave place to a new one");
	free(seq);
}

static void test_since(void)
{
	struct store *s;
	struct mailbox *m;
	uint64_t then[4];
	int turn;

	fresh();
	store_open(at.maildir, true, &s);
	append_n(s, 20);
	store_close(&s);
	m = open_folder("INBOX", false, &s);
	then[0] = mailbox_reported(m);
	is(vanished(m, then[0]), "", "nothing vanished yet");
	then[1] = expunge(m, 2, 1);
	then[2] = expunge(m, 5, 3);
	then[3] = expunge(m, 3, 1);
	ok(then[0] < then[1] && then[1] < then[2] && then[2] < then[3],
	   "each expunge has a mod-sequence");
	for (turn = 0; turn < 3; turn++) {
		is(vanished(m, then[0]), "2:3,5:7", "all three");
		is(vanished(m, then[1]), "3,5:7", "the last two");
		is(vanished(m, then[2]), "3", "the last");
		is(vanished(m, then[3]), "", "none since");
		is(vanished(m, mailbox_highestmodseq(m) + 9), "2:3,5:7",
		   "all, to who knows more than there is");
		is(vanished(m, 1), "2:3,5:7", "all, from the beginning");
		if (turn == 0) {
			close_folder(&m, &s);
			m = open_folder("INBOX", false, &s);
		} else if (turn == 1) {
			rotate(m);
		}
	}
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	is(vanished(m, then[1]), "3,5:7", "to another session, too");
	close_folder(&m, &s);
}

/* What another session expunged, and was not yet reported here. */
static void test_not_reported(void)
{
	const struct mailbox_changes *c;
	struct store *s, *s2;
	struct mailbox *m, *other;
	uint64_t before, gone;
	uint32_t seq = 1;

	fresh();
	store_open(at.maildir, true, &s);
	append_n(s, 5);
	store_close(&s);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	before = mailbox_reported(m);
	gone = expunge(other, 3, 1);
	seq = 1;
	mailbox_store(other, &seq, 1, MAILBOX_ADD, MAILBOX_SEEN, 0, UINT64_MAX,
		      NULL);
	mailbox_refresh(m, false, &c);
	ok(c->nflagged == 1 && mailbox_get(m, 1).modseq > gone,
	   "a change after an expunge that may not be reported");
	ok(mailbox_reported(m) >= before && mailbox_reported(m) < gone,
	   "is not all that was before");
	is(vanished(m, before), "",
	   "what is still in the table did not vanish");
	mailbox_refresh(m, true, &c);
	ok(c->nexpunged == 1 && mailbox_reported(m) == mailbox_get(m, 1).modseq,
	   "after the report it is");
	is(vanished(m, before), "3", "and then it vanished");
	close_folder(&m, &s);
	close_folder(&other, &s2);
}

static struct record_past past_at(const struct history *h, size_t i)
{
	struct record_past p;

	memcpy(&p, h->past.data + i * sizeof(p), sizeof(p));
	return p;
}

static void add(struct history *h, uint32_t first, uint32_t last,
		uint64_t modseq, int64_t time)
{
	struct record_past p = { first, last, modseq, time };

	buf_put(&h->past, &p, sizeof(p));
}

static size_t count(const struct history *h)
{
	return h->past.len / sizeof(struct record_past);
}

static void test_bounds(void)
{
	struct history h;
	uint32_t i;

	history_init(&h);
	h.reach = 5;
	for (i = 0; i < 12000; i++)
		add(&h, i + 1, i + 1, 7, 100);
	add(&h, 12001, 12001, 8, 101);
	history_bound(&h, 50, 100);
	ok(count(&h) == 2 && past_at(&h, 0).first == 1 &&
		   past_at(&h, 0).last == 12000 && past_at(&h, 1).modseq == 8 &&
		   h.reach == 5,
	   "neighbours of one transaction are one range, others are not");
	history_bound(&h, 100, 100);
	ok(count(&h) == 1 && past_at(&h, 0).first == 12001 && h.reach == 7,
	   "what is too old is forgotten, and the reach tells");
	history_free(&h);

	history_init(&h);
	for (i = 0; i < 1000; i++)
		add(&h, i + 1, i + 1, 10 + i, 100 + i);
	history_bound(&h, 50, 100);
	ok(count(&h) == 1 && past_at(&h, 0).last == 1000 &&
		   past_at(&h, 0).modseq == 1009 && h.reach == 0,
	   "too many are joined with the later mod-sequence");
	history_free(&h);

	history_init(&h);
	for (i = 0; i < 1000; i++)
		add(&h, 2 * i + 1, 2 * i + 1, 10 + i / 10, 100 + i);
	history_bound(&h, 50, 95);
	ok(count(&h) == 90 && past_at(&h, 0).modseq == 101 && h.reach == 100,
	   "or the first are forgotten, whole transactions: %zu left",
	   count(&h));
	history_free(&h);

	history_init(&h);
	for (i = 0; i < 1000; i++)
		add(&h, 2 * i + 1, 2 * i + 1, 10, 100);
	history_bound(&h, 50, 95);
	ok(count(&h) == 0 && h.reach == 10, "even if nothing is left");
	history_free(&h);
}

/* Files of another program, which take less time than messages of ours. */
static void put_files(int n)
{
	struct store *s;
	char name[64];

	store_open(at.maildir, true, &s);
	store_close(&s);
	while (n-- > 0) {
		snprintf(name, sizeof(name), "cur/17%08d.M1P1.host:2,S", n);
		write_file(path(name), "A: b\n\n", 6);
	}
}

/* A folder in which more was expunged than is kept. */
static void test_forgotten(void)
{
	enum { MANY = 2 * HISTORY_MAX + 200 };
	uint32_t *seq = mem_array(MANY, sizeof(*seq)), i, n;
	struct store *s;
	struct mailbox *m;
	uint64_t before, after, last;
	const char *all;
	size_t commas = 0;

	fresh();
	put_files(MANY);
	m = open_folder("INBOX", false, &s);
	before = mailbox_reported(m);
	for (i = n = 0; i < MANY - 50; i += 2)
		seq[n++] = i + 2;
	mailbox_expunge(m, seq, n, false);
	after = expunge(m, MANY - 9, 1);
	last = expunge(m, MANY - 3, 2);
	rotate(m);
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	all = vanished(m, before);
	for (i = 0; all[i]; i++)
		commas += all[i] == ',';
	ok(strncmp(all, "2,4,6,8,", 8) == 0 && commas == n + 1,
	   "before the reach all that are not there");
	is(vanished(m, last), "", "after it what was expunged since");
	is(vanished(m, after), "8389:8390", "and only that");
	ok(file_size(path(DISK_JOURNAL)) < (long)mailbox_count(m) * 160 + 20000,
	   "the journal holds little more than the messages");
	close_folder(&m, &s);
	free(seq);
}

int main(void)
{
	test_since();
	test_not_reported();
	test_bounds();
	test_forgotten();
	clean();
	return done();
}
