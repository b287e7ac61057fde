/*
 * The cache of lib/mailbox: what it keeps is what the message says, whoever
 * made the entry and however much of the message he read for it.
 */
#include "imaptext/imaptext.h"
#include "index/disk.h"
#include "mime/crlf.h"
#include "t/unit/mailbox-lib.h"

#define FOREIGN                                                             \
	"Subject: foreign\nUser-Agent: somebody\nReturn-Path: <a@b>\n"      \
	"X-Unkept: 1\n folded\nContent-Type: multipart/mixed; boundary=b\n" \
	"\n--b\n\none\n--b--\n"

/* N messages of another program, of which nothing is known. */
static void put_foreign(int n)
{
	char name[64];
	struct store *s;
	struct mailbox *m;
	int i;

	m = open_folder("INBOX", true, &s);
	close_folder(&m, &s);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "cur/%d.M1P1.host:2,",
			 1700000000 + i);
		write_file(path(name), FOREIGN, strlen(FOREIGN));
	}
}

/* STATUS SIZE is no smaller than the sum of what FETCH tells (RFC 8438), also
 * where nobody knows a size yet. */
static void test_status(void)
{
	size_t want = 3 * mime_crlf_size(FOREIGN, strlen(FOREIGN));
	struct store_status st;
	struct store *s;

	fresh();
	put_foreign(3);
	if (store_open(at.maildir, false, &s) != ERR_OK)
		return;
	for (int i = 0; i < 2; i++)
		ok(store_status(s, "INBOX", true, &st) == ERR_OK &&
			   st.messages == 3 && st.size == want,
		   "sizes that are not known are measured");
	ok(store_status(s, "INBOX", false, &st) == ERR_OK && st.size == want,
	   "and kept");
	store_close(&s);
}

static bool has(const char *data, size_t n, const char *want)
{
	return memmem(data, n, want, strlen(want)) != NULL;
}

/* All that the cache says it keeps is there; nothing else is. */
static bool good_header(const struct mailbox_facts *f)
{
	return has(f->envelope, f->envelope_len, "foreign") &&
	       has(f->header, f->header_len,
		   "Subject: foreign\r\nUser-Agent: somebody\r\n"
		   "Return-Path: <a@b>\r\nContent-Type: multipart/") &&
	       !has(f->header, f->header_len, "X-Unkept") &&
	       imap_is_cached_field("user-agent", 10);
}

static bool good_structure(const struct mailbox_facts *f)
{
	return has(f->body, f->body_len, "\"mixed\"") &&
	       has(f->bodystructure, f->bodystructure_len, "\"boundary\"");
}

static void test_cache(void)
{
	struct store *s;
	struct mailbox *m;
	struct mailbox_facts f;
	uint32_t i, good = 0;
	size_t n;
	char *data;

	fresh();
	deliver_n("INBOX", 5);
	data = slurp(path(DISK_CACHE), &n);
	for (i = 0; i < n; i += 5) {
		data[i] ^= 4;
		write_file(path(DISK_CACHE), data, n);
		data[i] ^= 4;
		m = open_folder("INBOX", true, &s);
		good += mailbox_facts(m, 3, true, &f) == ERR_OK &&
			memmem(f.envelope, f.envelope_len, "number 3", 8) &&
			memmem(f.header, f.header_len, "Subject: number 3\r\n",
			       19) &&
			!memmem(f.envelope, f.envelope_len, "body", 4);
		close_folder(&m, &s);
	}
	ok(good == (n + 4) / 5, "a damaged cache changes nothing");
	unlink(path(DISK_CACHE));
	m = open_folder("INBOX", false, &s);
	ok(mailbox_facts(m, 5, true, &f) == ERR_OK, "without cache");
	close_folder(&m, &s);
	ok(file_size(path(DISK_CACHE)) > 0, "what was found out is kept");
	free(data);
}

static void test_ids(void)
{
	char id[2][MAILBOX_EMAIL_ID_SIZE], again[MAILBOX_EMAIL_ID_SIZE];
	struct store *s;
	struct mailbox *m;
	struct mailbox_facts f;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_facts(m, 1, true, &f) == ERR_OK && !f.id,
	   "a delivery does not take the time for an id");
	ok(mailbox_email_id(m, 1, id[0]) == ERR_OK &&
		   mailbox_email_id(m, 2, id[1]) == ERR_OK &&
		   strcmp(id[0], id[1]) != 0,
	   "two messages have two ids");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_facts(m, 1, true, &f) == ERR_OK && f.id && f.body_len > 0 &&
		   has(f.header, f.header_len, "number 1"),
	   "an id is kept beside the rest");
	ok(mailbox_email_id(m, 1, again) == ERR_OK && strcmp(id[0], again) == 0,
	   "and is the same");
	close_folder(&m, &s);
	unlink(path(DISK_CACHE));
	m = open_folder("INBOX", true, &s);
	ok(mailbox_email_id(m, 2, again) == ERR_OK && strcmp(id[1], again) == 0,
	   "also without the cache");
	close_folder(&m, &s);
}

static void test_pack(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	struct mailbox_facts f;
	size_t n = 300000, i;
	char *text = mem_alloc(n + 1);
	struct delivered out;
	uint32_t seq;

	fresh();
	/* One header field that is kept, so that the cache grows fast. */
	strcpy(text, "Subject: x");
	for (i = 10; i < n - 4; i++)
		text[i] = i % 70 == 0	? '\r'
			  : i % 70 == 1 ? '\n'
			  : i % 70 == 2 ? ' '
					: 'x';
	strcpy(text + n - 4, "\r\n\r\n");
	for (i = 0; i < 40; i++)
		deliver_to("INBOX", text, "", &out);
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", true, &s2);
	ok(mailbox_facts(other, 41, true, &f) == ERR_OK, "facts before");
	for (seq = 1; seq <= 38; seq++)
		mailbox_expunge(m, &seq, 1, false);
	ok(file_size(path(DISK_CACHE)) > 8 << 20, "a large cache");
	mailbox_settle(m);
	ok(file_size(path(DISK_CACHE)) < 3 << 20, "is packed");
	ok(mailbox_facts(m, 42, true, &f) == ERR_OK &&
		   memmem(f.header, f.header_len, "number 2", 8) &&
		   mailbox_facts(other, 41, true, &f) == ERR_OK &&
		   memmem(f.header, f.header_len, "number 1", 8),
	   "and what it says is found, also by others");
	close_folder(&other, &s2);
	close_folder(&m, &s);
	free(text);
}

/* An envelope needs the header alone, the structure all of the message. */
static void test_parts(void)
{
	struct store *s;
	struct mailbox *m;
	struct mailbox_facts f;
	long size;
	int i;

	fresh();
	put_foreign(3);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_facts(m, 2, false, &f) == ERR_OK && good_header(&f) &&
		   f.body_len == 0,
	   "the header's facts");
	ok(mailbox_facts(m, 2, true, &f) == ERR_OK && good_header(&f) &&
		   good_structure(&f),
	   "then all of them");
	ok(mailbox_facts(m, 2, false, &f) == ERR_OK && good_structure(&f),
	   "and no less when less is asked for");
	mailbox_facts(m, 1, false, &f);
	close_folder(&m, &s);
	size = file_size(path(DISK_CACHE));
	ok(size > 0, "a session that only reads leaves what it found");
	for (i = 0; i < 2; i++) {
		m = open_folder("INBOX", i, &s);
		ok(mailbox_facts(m, 1, false, &f) == ERR_OK &&
			   good_header(&f) && f.body_len == 0 &&
			   mailbox_facts(m, 2, true, &f) == ERR_OK &&
			   good_structure(&f),
		   "which the next one finds");
		close_folder(&m, &s);
	}
	ok(file_size(path(DISK_CACHE)) == size, "and does not make again");
}

/* More than fits in memory at once; with changes of others between. */
static void test_many(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	struct mailbox_facts f;
	const struct mailbox_changes *c;
	uint32_t i, good = 0, one[] = { 7 };
	const uint32_t n = 1200;

	fresh();
	put_foreign((int)n);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	for (i = 1; i <= n; i++) {
		good += mailbox_facts(m, i, false, &f) == ERR_OK &&
			good_header(&f);
		if (i % 100 == 0)
			mailbox_facts(other, i - 50, true, &f);
		if (i == 500)
			mailbox_expunge(other, one, 1, false);
		if (i == 600)
			mailbox_refresh(m, true, &c);
	}
	ok(good == n - 1, "each is found, but the one that goes");
	close_folder(&other, &s2);
	for (i = 1, good = 0; i < n; i++)
		good += mailbox_facts(m, i, false, &f) == ERR_OK &&
			good_header(&f);
	ok(good == n - 1, "also again");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	for (i = 1, good = 0; i < n; i++)
		good += mailbox_facts(m, i, false, &f) == ERR_OK &&
			good_header(&f);
	ok(good == n - 1, "and by the next session");
	close_folder(&m, &s);
}

/* Sizes are found one by one and written many at once. */
static void test_sizes(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	struct mailbox_facts f;
	const struct mailbox_changes *c;
	struct store_status st;
	const uint32_t n = 1100, wire = (uint32_t)strlen(FOREIGN) + 11;
	uint32_t i, size, good = 0, one[] = { 3 };

	fresh();
	put_foreign((int)n);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	for (i = 1; i <= n; i++) {
		if (i % 2)
			mailbox_facts(m, i, true, &f);
		good += mailbox_size(m, i, &size) == ERR_OK && size == wire;
	}
	ok(good == n, "sizes as sent");
	ok(mailbox_get(m, 1).size == wire && mailbox_get(m, n).size == 0,
	   "written a thousand at a time");
	for (i = n - 50, good = 0; i < n; i++)
		good += mailbox_size(m, i, &size) == ERR_OK && size == wire;
	ok(good == 50, "the rest is known, too");
	ok(mailbox_size(other, n, &size) == ERR_OK && size == wire,
	   "another session finds the same");
	mailbox_expunge(m, one, 1, false);
	ok(mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_get(m, n - 1).size == wire,
	   "all are written by the next refresh");
	close_folder(&other, &s2);
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	for (i = 1, good = 0; i < n; i++)
		good += mailbox_get(m, i).size == wire;
	ok(good == n - 1, "and known to the next session");
	ok(store_status(s, "INBOX", false, &st) == ERR_OK &&
		   st.size == (uint64_t)(n - 1) * wire,
	   "the sum counts each once, and not the one that is gone");
	close_folder(&m, &s);
}

/* The header ends at its empty line, and may be longer than a piece. */
static void test_header(void)
{
	struct store *s;
	struct mailbox *m;
	struct buf b;
	char *text = mem_alloc(200100);
	size_t i;

	fresh();
	put_foreign(1);
	strcpy(text, "Subject: x");
	for (i = 10; i < 200000; i++)
		text[i] = i % 70 == 1 ? '\n' : i % 70 == 2 ? ' ' : 'x';
	strcpy(text + 200000, "\n\nbody\n");
	write_file(path("cur/1800000000.M1P1.host:2,"), text, strlen(text));
	write_file(path("cur/1800000001.M1P1.host:2,"), "No: body", 8);
	m = open_folder("INBOX", false, &s);
	buf_init(&b, 1 << 20);
	ok(mailbox_header(m, 1, &b) == ERR_OK &&
		   has(b.data, b.len, "b\r\n\r\n") &&
		   !has(b.data, b.len, "one"),
	   "the header with CRLF line ends");
	buf_reset(&b);
	ok(mailbox_header(m, 2, &b) == ERR_OK && b.len > 200000 &&
		   strcmp(b.data + b.len - 4, "\r\n\r\n") == 0,
	   "a long one");
	buf_reset(&b);
	ok(mailbox_header(m, 3, &b) == ERR_OK &&
		   strcmp(b.data, "No: body") == 0,
	   "one without an end");
	ok(mailbox_header(m, 4, &b) == ERR_NOT_FOUND, "none");
	buf_free(&b);
	close_folder(&m, &s);
	free(text);
}

int main(void)
{
	test_cache();
	test_ids();
	test_pack();
	test_parts();
	test_many();
	test_sizes();
	test_status();
	test_header();
	clean();
	return done();
}
