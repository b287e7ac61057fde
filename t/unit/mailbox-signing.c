/*
 * Signatures of a folder beside the messages they are of: whatever becomes of
 * the file, no message that holds a needle is excluded, and in the end each
 * message has a signature again.
 */
#include "base/crc32c.h"
#include "index/disk.h"
#include "mailbox/signing.h"
#include "mailbox-lib.h"

#define MESSAGES 100
#define MS 10000

static struct store *store;

static struct mailbox *open_box(const char *name)
{
	struct mailbox *m;

	if (mailbox_open(store, name, false, &m) != ERR_OK)
		exit(1);
	return m;
}

/* How many messages NEEDLE excludes. */
static uint32_t exclude(struct mailbox *m, const char *needle,
			struct excluded *x)
{
	uint32_t seq, n = 0;

	probe_init(&x->probe, needle, strlen(needle));
	x->bit = mem_array(mailbox_count(m) / 64 + 1, sizeof(uint64_t));
	mailbox_exclude(m, x, 1);
	for (seq = 1; seq <= mailbox_count(m); seq++)
		n += excluded_has(x, seq);
	return n;
}

static uint32_t excluded_by(struct mailbox *m, const char *needle)
{
	struct excluded x;
	uint32_t n = exclude(m, needle, &x);

	free(x.bit);
	return n;
}

/* Is any message excluded that holds a word of its own? */
static bool is_right(struct mailbox *m)
{
	struct excluded x;
	bool right = true;
	char word[40];
	struct buf b;

	buf_init(&b, 1 << 20);
	for (uint32_t seq = 1; seq <= mailbox_count(m); seq++) {
		const char *p;

		buf_reset(&b);
		if (mailbox_stored(m, seq, &b) != ERR_OK ||
		    !(p = strstr(b.data, "body ")))
			continue;
		snprintf(word, sizeof(word), "BODY %d", atoi(p + 5));
		exclude(m, word, &x);
		right = right && !excluded_has(&x, seq);
		free(x.bit);
	}
	buf_free(&b);
	return right;
}

static bool sign_all(struct mailbox *m)
{
	int i;

	for (i = 0; i < 100 && mailbox_sign(m, MS); i++)
		;
	return i < 100;
}

static const char *file(const char *folder)
{
	return path(*folder ? ".Other/" DISK_SIGNATURES : DISK_SIGNATURES);
}

static void check_life(void)
{
	struct mailbox *m, *other;
	const struct mailbox_changes *c;
	uint32_t seq = 3, n;
	long size;

	deliver_n("INBOX", MESSAGES);
	m = open_box("INBOX");
	ok(!mailbox_sign(m, MS) && file_size(file("")) < 0,
	   "nobody searched: nothing is signed");
	ok(excluded_by(m, "ABSENT") == 0, "nothing is excluded yet");
	ok(mailbox_sign(m, 0) && sign_all(m), "signing in small steps");
	ok(excluded_by(m, "ABSENT") == MESSAGES, "all are excluded");
	ok((n = excluded_by(m, "BODY 77")) < MESSAGES &&
		   n > MESSAGES / 2,
	   "most");
	ok(is_right(m), "each is found");
	size = file_size(file(""));
	ok(!mailbox_sign(m, MS) && file_size(file("")) == size,
	   "and none is signed twice");

	deliver_n("INBOX", 10);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && sign_all(m) &&
		   excluded_by(m, "ABSENT") == MESSAGES + 10,
	   "new messages are signed");
	other = open_box("INBOX");
	deliver_n("INBOX", 10);
	ok(excluded_by(other, "ABSENT") == MESSAGES + 10 && sign_all(other) &&
		   mailbox_refresh(m, true, &c) == ERR_OK && sign_all(m),
	   "two sessions sign");
	ok(excluded_by(m, "ABSENT") ==
		   excluded_by(other, "ABSENT") + 10 * (mailbox_count(other) <
							mailbox_count(m)),
	   "and see the same");
	ok(mailbox_expunge(m, &seq, 1, false) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK && is_right(m),
	   "numbers change, answers do not");
	mailbox_close(&other);
	mailbox_close(&m);
}

/* The file becomes DATA, N. */
static void damage(const char *what, const char *data, size_t n)
{
	struct mailbox *m;
	bool right;

	write_file(file(""), data, n);
	m = open_box("INBOX");
	right = is_right(m);
	ok(right && sign_all(m) && is_right(m) &&
		   excluded_by(m, "ABSENT") == mailbox_count(m),
	   "%s", what);
	mailbox_close(&m);
}

/* The signatures in DATA, N, become those of another version, in which no text
 * has any bytes. */
static void made_by_others(char *data, size_t n)
{
	for (size_t from = 0; from < n;) {
		struct signature *s = (void *)(data + from);
		size_t size = sizeof(*s) + s->words * sizeof(uint64_t);

		memset(s + 1, 0, size - sizeof(*s));
		s->made_by++;
		s->crc = 0;
		s->crc = crc32c(0, s, size);
		from += size;
	}
}

static void check_damage(void)
{
	size_t n, nother, i;
	char *good = slurp(file(""), &n), *bad = mem_alloc(2 * n), *other;
	struct mailbox *m;

	damage("an empty file", "", 0);
	damage("nonsense", "x", 1);
	damage("a file cut in a signature", good, n / 2 + 1);
	memcpy(bad, good, n);
	memset(bad + n / 3, 0, n / 3);
	damage("zeros in the middle", bad, n);
	for (i = 0; i < 20; i++) {
		memcpy(bad, good, n);
		bad[i * n / 20] ^= (char)(1 << i % 8);
		damage("a wrong bit", bad, n);
	}
	memcpy(bad, good, n);
	memcpy(bad + n, good, n);
	damage("everything twice", bad, 2 * n);
	made_by_others(bad, n);
	damage("signatures of another version", bad, n);

	if (store_create(store, "Other", NULL) != ERR_OK)
		exit(1);
	deliver_n("Other", MESSAGES + 1);
	m = open_box("Other");
	excluded_by(m, "x");
	ok(sign_all(m), "another folder");
	other = slurp(file("Other"), &nother);
	mailbox_close(&m);
	damage("the file of another folder", other, nother);
	write_file(file("Other"), good, n);
	m = open_box("Other");
	ok(excluded_by(m, "ABSENT") == 0, "which is of no use there");
	mailbox_close(&m);
	free(good);
	free(bad);
	free(other);
}

/* Another program writes to a message's file, and leaves its size. */
static void check_edited(void)
{
	struct mailbox *m = open_box("INBOX");
	const struct mailbox_changes *c;
	uint32_t seq = 5, uid = mailbox_uid(m, seq);
	struct excluded x;
	struct dirent *d;
	char name[600];
	DIR *cur;
	bool old;

	sign_all(m);
	snprintf(name, sizeof(name), "U=%u:", uid);
	cur = opendir(path("cur"));
	while ((d = readdir(cur)) && !strstr(d->d_name, name))
		;
	if (d) {
		int fd;

		/* an edit of the same size within the second is not seen */
		usleep(1100000);
		snprintf(name, sizeof(name), "cur/%s", d->d_name);
		fd = open(path(name), O_RDWR);
		pwrite(fd, "Return-Path: <x@y>\r\n", 18, 0);
		close(fd);
	}
	closedir(cur);
	exclude(m, "X@Y", &x);
	old = excluded_has(&x, seq);
	free(x.bit);
	ok(d && old, "an edited message's old UID is excluded");
	mailbox_close(&m);
	m = open_box("INBOX");
	for (seq = 1; seq <= mailbox_count(m); seq++) {
		struct buf b;

		buf_init(&b, 1 << 20);
		mailbox_stored(m, seq, &b);
		buf_free(&b);
	}
	ok(mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_uid(m, mailbox_count(m)) > uid,
	   "it becomes a new message");
	exclude(m, "X@Y", &x);
	ok(!excluded_has(&x, mailbox_count(m)), "which is not excluded");
	free(x.bit);
	ok(sign_all(m) && is_right(m), "and is signed");
	exclude(m, "X@Y", &x);
	ok(!excluded_has(&x, mailbox_count(m)), "with what it holds now");
	free(x.bit);
	mailbox_close(&m);
}

int main(void)
{
	fresh();
	if (store_open(at.maildir, true, &store) != ERR_OK)
		return 1;
	check_life();
	check_damage();
	check_edited();
	store_close(&store);
	clean();
	return done();
}
