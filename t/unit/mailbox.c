/*
 * lib/mailbox: delivery, reading, flags, expunge, copies, folders.
 */
#include "t/unit/mailbox-lib.h"

#define RETURN_PATH "Return-Path: <a@b>\r\n"

static const struct {
	const char *promise;
	const char *text;
} round_trip[] = {
	{ "plain message", "Subject: x\r\n\r\nhello\r\n" },
	{ "no body", "Subject: x\r\n\r\n" },
	{ "no final line end", "Subject: x\r\n\r\nhello" },
	{ "CR alone in the middle", "Subject: x\r\n\r\na\rb\r\nc\r\n" },
	{ "CR CR LF", "Subject: x\r\n\r\na\r\r\nc\r\n" },
	{ "CR at the end", "Subject: x\r\n\r\na\r\nc\r" },
	{ "eight bits", "Subject: x\r\n\r\n\377\376\200\r\n" },
	{ "only line ends", "\r\n\r\n\r\n" },
};

static void test_round_trip(void)
{
	size_t i, n = sizeof(round_trip) / sizeof(round_trip[0]);
	struct store *s;
	struct mailbox *m;
	struct delivered out;

	fresh();
	for (i = 0; i < n; i++)
		ok(deliver_to("INBOX", round_trip[i].text, "", &out) ==
				   ERR_OK &&
			   out.uid == i + 1,
		   "delivered: %s", round_trip[i].promise);
	m = open_folder("INBOX", true, &s);
	for (i = 0; i < n; i++) {
		char want[300];
		uint32_t size;

		snprintf(want, sizeof(want), RETURN_PATH "%s",
			 round_trip[i].text);
		ok(text_is(m, (uint32_t)i + 1, want), "byte for byte: %s",
		   round_trip[i].promise);
		ok(mailbox_size(m, (uint32_t)i + 1, &size) == ERR_OK &&
			   size == strlen(want),
		   "size as sent: %s", round_trip[i].promise);
	}
	close_folder(&m, &s);
}

static void test_large(void)
{
	size_t n = 20u << 20, i;
	char *text = mem_alloc(n + 1);
	struct delivered out;
	struct store *s;
	struct mailbox *m;
	struct buf want;

	fresh();
	for (i = 0; i < n; i++)
		text[i] = i % 77 == 75 ? '\r' : i % 77 == 76 ? '\n' : 'x';
	ok(deliver_to("INBOX", text, "", &out) == ERR_OK, "20 MiB delivered");
	text[n - 100] = '\r'; /* after pieces were written */
	text[n - 99] = 'y';
	ok(deliver_to("INBOX", text, "", &out) == ERR_OK,
	   "20 MiB with a bare CR near the end delivered");
	buf_init(&want, 64u << 20);
	buf_puts(&want, RETURN_PATH);
	buf_puts(&want, text);
	m = open_folder("INBOX", true, &s);
	ok(text_is(m, 2, want.data), "and comes back byte for byte");
	close_folder(&m, &s);
	buf_free(&want);
	free(text);
}

static void test_duplicate(void)
{
	struct delivered one, two;

	fresh();
	deliver_n("INBOX", 3);
	ok(deliver_to("INBOX", "A: b\r\n\r\n", "Q1", &one) == ERR_OK &&
		   !one.duplicate,
	   "first delivery of a queue id");
	ok(deliver_to("INBOX", "A: b\r\n\r\n", "Q1", &two) == ERR_OK &&
		   two.duplicate && two.uid == one.uid,
	   "second delivery is recognised");
	ok(deliver_to("INBOX", "A: b\r\n\r\n", "Q2", &two) == ERR_OK &&
		   !two.duplicate && two.uid == one.uid + 1,
	   "another queue id is another message");
}

/* What another session does to messages that are recent here, or are not. */
static void test_recent(void)
{
	const uint32_t seq = 1;
	struct store *s, *s2;
	struct mailbox *m, *other;
	const struct mailbox_changes *c;

	fresh();
	deliver_n("INBOX", 3);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	ok(mailbox_expunge(other, &seq, 1, false) == ERR_OK &&
		   mailbox_refresh(other, true, &c) == ERR_OK &&
		   mailbox_count(other) == 2 && mailbox_recent(other) == 0,
	   "one that is not recent goes: none is recent");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 2 &&
		   mailbox_recent(m) == 2,
	   "one that is recent goes: the others are");
	close_folder(&other, &s2);
	close_folder(&m, &s);
}

static void test_flags(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	const struct mailbox_changes *c;
	uint32_t seq[] = { 2, 3 };
	uint64_t bit;
	bool failed[2];

	fresh();
	deliver_n("INBOX", 5);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 5 && mailbox_recent(m) == 5,
	   "first session: all recent");
	other = open_folder("INBOX", false, &s2);
	ok(mailbox_recent(other) == 0, "second session: none recent");
	ok(mailbox_store(m, seq, 2, MAILBOX_ADD, MAILBOX_SEEN, 0, UINT64_MAX,
			 NULL) == ERR_OK &&
		   mailbox_get(m, 2).flags == MAILBOX_SEEN,
	   "flag set");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nflagged == 0,
	   "our own change is not told to us");
	ok(mailbox_refresh(other, true, &c) == ERR_OK && c->nflagged == 2 &&
		   c->flagged[0] == 2 && c->flagged[1] == 3 &&
		   mailbox_get(other, 3).flags == MAILBOX_SEEN,
	   "but to the other session");
	ok(mailbox_keyword_bit(m, "$Label1", true, &bit) == ERR_OK &&
		   bit == 1 &&
		   mailbox_store(m, seq, 1, MAILBOX_ADD, 0, bit, UINT64_MAX,
				 NULL) == ERR_OK,
	   "keyword set");
	ok(mailbox_refresh(other, true, &c) == ERR_OK && c->new_keywords &&
		   c->nflagged == 1 && mailbox_get(other, 2).keywords == 1 &&
		   strcmp(mailbox_keyword(other, 0), "$Label1") == 0,
	   "keyword seen by the other session");
	ok(mailbox_store(m, seq, 2, MAILBOX_SET, MAILBOX_FLAGGED, 0,
			 mailbox_get(m, 3).modseq, failed) == ERR_OK &&
		   failed[0] && !failed[1],
	   "a conditional store leaves what changed since");
	close_folder(&other, &s2);
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_get(m, 2).flags == MAILBOX_SEEN &&
		   mailbox_get(m, 2).keywords == 1 &&
		   mailbox_get(m, 3).flags == MAILBOX_FLAGGED &&
		   mailbox_get(m, 1).flags == 0,
	   "all there after reopening");
	ok(text_is(m, 3,
		   RETURN_PATH "From: <a@b>\r\nSubject: number 3\r\n\r\n"
			       "body 3\r\n"),
	   "renamed files are found");
	close_folder(&m, &s);
}

static void test_expunge(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	const struct mailbox_changes *c;
	uint32_t all[] = { 1, 2, 3, 4, 5, 6 }, some[] = { 2, 3, 5 };
	uint32_t uidnext;

	fresh();
	deliver_n("INBOX", 6);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	mailbox_store(m, some, 3, MAILBOX_ADD, MAILBOX_DELETED, 0, UINT64_MAX,
		      NULL);
	ok(mailbox_expunge(m, all, 6, true) == ERR_OK, "expunge");
	ok(mailbox_count(m) == 6 && mailbox_get(m, 2).gone,
	   "numbers hold until the refresh");
	ok(mailbox_refresh(other, false, &c) == ERR_OK && c->nexpunged == 0 &&
		   mailbox_count(other) == 6,
	   "and in a session that may not be told now");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 3 &&
		   c->expunged[0] == 2 && c->expunged[1] == 2 &&
		   c->expunged[2] == 3 && c->expunged_uid[2] == 5 &&
		   mailbox_count(m) == 3,
	   "told with the numbers of the moment");
	deliver_n("INBOX", 1);
	ok(mailbox_refresh(other, true, &c) == ERR_OK && c->nexpunged == 3 &&
		   c->new_messages && mailbox_count(other) == 4 &&
		   mailbox_uid(other, 4) == 7,
	   "the other session: expunges and a new message at once");
	ok(mailbox_from(other, 5) == 3 && mailbox_from(other, 8) == 5,
	   "finding by UID");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 4,
	   "new message in the first session");
	uidnext = mailbox_uidnext(m);
	mailbox_expunge(m, all, 4, false);
	close_folder(&other, &s2);
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 0 && mailbox_uidnext(m) == uidnext,
	   "UIDNEXT stays in an emptied folder");
	close_folder(&m, &s);
}

static void test_copy(void)
{
	struct store *s;
	struct mailbox *m, *to;
	const struct mailbox_changes *c;
	uint32_t seq[] = { 1, 3 }, uid[2], validity;
	struct store_status st;
	struct mailbox_facts f;
	uint64_t bit;
	struct folder_id folder;

	fresh();
	deliver_n("INBOX", 3);
	m = open_folder("INBOX", false, &s);
	mailbox_keyword_bit(m, "other", true, &bit);
	mailbox_keyword_bit(m, "kept", true, &bit);
	mailbox_store(m, seq, 1, MAILBOX_SET, MAILBOX_ANSWERED, bit, UINT64_MAX,
		      NULL);
	ok(mailbox_copy(m, seq, 2, "Archive", false, uid, &validity, &folder) ==
			   ERR_NOT_FOUND &&
		   validity == 0,
	   "no folder to copy to");
	ok(store_create(s, "Archive", NULL) == ERR_OK, "folder made");
	ok(mailbox_copy(m, seq, 2, "Archive", false, uid, &validity, &folder) ==
			   ERR_OK &&
		   uid[0] == 1 && uid[1] == 2,
	   "copied");
	ok(mailbox_copy(m, seq, 2, "Archive", true, uid, &validity, &folder) ==
			   ERR_OK &&
		   uid[0] == 3,
	   "moved");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 2 &&
		   mailbox_count(m) == 1,
	   "what moved is gone here");
	ok(mailbox_open(s, "Archive", false, &to) == ERR_OK &&
		   mailbox_count(to) == 4 &&
		   mailbox_uidvalidity(to) == validity,
	   "and there");
	ok(mailbox_get(to, 3).flags == MAILBOX_ANSWERED &&
		   mailbox_get(to, 3).keywords == 1 &&
		   strcmp(mailbox_keyword(to, 0), "kept") == 0,
	   "with flags and keywords");
	ok(mailbox_facts(to, 4, true, &f) == ERR_OK &&
		   memmem(f.envelope, f.envelope_len, "number 3", 8),
	   "and what the cache knows");
	mailbox_close(&to);
	ok(store_status(s, "Archive", false, &st) == ERR_OK &&
		   st.messages == 4 && st.unseen == 4 && st.uidnext == 5 &&
		   st.recent == 0,
	   "STATUS tells the same");
	close_folder(&m, &s);
}

static void test_append(void)
{
	static const char *const words[] = { "$Junk", "x" };
	struct store *s;
	struct mailbox *m;
	struct append *a;
	uint32_t validity, uid;
	struct folder_id folder;

	fresh();
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", true, &s);
	ok(append_new(s, "nowhere", &a) == ERR_NOT_FOUND, "no such folder");
	ok(append_new(s, "INBOX", &a) == ERR_OK &&
		   append_begin(a, MAILBOX_SEEN, words, 2, 1000000000) ==
			   ERR_OK &&
		   append_write(a, "A: b\r", 5) == ERR_OK &&
		   append_write(a, "\n\r\nbody\r\n", 9) == ERR_OK &&
		   append_begin(a, 0, NULL, 0, -1) == ERR_OK &&
		   append_write(a, "C: d\n\nbare LF\n", 14) == ERR_OK &&
		   append_commit(a, &validity, &uid, &folder) == ERR_OK &&
		   uid == 2,
	   "two messages in one APPEND");
	append_free(&a);
	ok(append_new(s, "INBOX", &a) == ERR_OK &&
		   append_begin(a, 0, NULL, 0, -1) == ERR_OK &&
		   append_write(a, "x", 1) == ERR_OK,
	   "an APPEND given up");
	append_free(&a);
	mailbox_close(&m);
	mailbox_open(s, "INBOX", true, &m);
	ok(mailbox_count(m) == 3 && mailbox_get(m, 2).flags == MAILBOX_SEEN &&
		   mailbox_get(m, 2).keywords == 3 &&
		   mailbox_get(m, 2).received == 1000000000,
	   "flags, keywords, date");
	ok(text_is(m, 2, "A: b\r\n\r\nbody\r\n"), "a CRLF split over writes");
	ok(text_is(m, 3, "C: d\r\n\r\nbare LF\r\n"), "bare LF becomes CRLF");
	close_folder(&m, &s);
}

static const struct {
	const char *name;
	const char *mutf7;
	const char *disk;
} names[] = {
	{ "Sent", "Sent", ".Sent" },
	{ "a/b", "a/b", ".a.b" },
	{ "a.b", "a.b", ".a&AC4-b" },
	{ "R&D", "R&-D", ".R&-D" },
	{ "Entw\303\274rfe", "Entw&APw-rfe", ".Entw&APw-rfe" },
	{ "\345\217\260\345\214\227", "&U,BTFw-", ".&U,BTFw-" },
	{ "\360\237\230\200", "&2D3eAA-", ".&2D3eAA-" },
};

static const char *const bad_names[] = {
	"", "/", "a//b", "/a", "a/", "a\nb", "\377", "a\001",
};

static void test_names(void)
{
	char out[256];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		store_name_to_mutf7(names[i].name, out, sizeof(out));
		is(out, names[i].mutf7, "name as modified UTF-7");
		store_name_from_mutf7(names[i].mutf7, out, sizeof(out));
		is(out, names[i].name, "and back");
	}
	for (i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++)
		ok(store_check_name(bad_names[i]) == ERR_SYNTAX,
		   "bad name %zu is refused", i);
	ok(!store_name_from_mutf7("&AEE-", out, sizeof(out)),
	   "ASCII in base64 is refused");
	ok(!store_name_from_mutf7("&2D0-", out, sizeof(out)),
	   "half a surrogate pair is refused");
	ok(!store_name_from_mutf7("&", out, sizeof(out)),
	   "an open shift is refused");
}

static void test_folders(void)
{
	struct store *s;
	struct store_list l;
	struct stat st;
	size_t i;

	fresh();
	store_open(at.maildir, true, &s);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ok(store_create(s, names[i].name, NULL) == ERR_OK &&
			   stat(path(names[i].disk), &st) == 0,
		   "created as %s", names[i].disk);
	ok(store_create(s, "Sent", NULL) == ERR_EXISTS, "no second one");
	ok(store_create(s, "inbox", NULL) == ERR_EXISTS, "nor INBOX");
	ok(store_create(s, "Old mail", "\\sent") == ERR_OK, "with a use");
	ok(store_create(s, "x", "\\nonsense") == ERR_UNSUPPORTED,
	   "unknown use");
	store_subscribe(s, "a/b", true);
	store_subscribe(s, "not/there", true);
	store_subscribe(s, "INBOX", true);
	ok(store_list(s, &l) == ERR_OK && l.n == 12, "all listed");
	is(l.folder[0].name, "INBOX", "INBOX first");
	ok(l.folder[0].subscribed, "subscribed");
	for (i = 0; i < l.n; i++) {
		const struct store_folder *f = &l.folder[i];

		if (strcmp(f->name, "a") == 0)
			ok(!f->exists && f->has_children, "a level above");
		if (strcmp(f->name, "a/b") == 0)
			ok(f->exists && f->subscribed, "subscribed folder");
		if (strcmp(f->name, "Sent") == 0)
			ok(!f->special_use, "its use was given to another");
		if (strcmp(f->name, "Old mail") == 0)
			is(f->special_use, "\\Sent", "which has it");
		if (strcmp(f->name, "not/there") == 0)
			ok(!f->exists && f->subscribed, "only subscribed");
	}
	store_list_free(&l);
	ok(store_create(s, "a", NULL) == ERR_OK &&
		   store_rename(s, "a", "z/y") == ERR_OK &&
		   store_exists(s, "z/y/b") == ERR_OK &&
		   store_exists(s, "a/b") == ERR_NOT_FOUND,
	   "rename takes along what is below");
	ok(store_rename(s, "nothing", "w") == ERR_NOT_FOUND, "nothing there");
	ok(store_rename(s, "Sent", "R&D") == ERR_EXISTS, "name is taken");
	ok(store_delete(s, "z/y") == ERR_OK &&
		   store_exists(s, "z/y/b") == ERR_OK,
	   "delete leaves what is below");
	ok(store_delete(s, "INBOX") == ERR_DENIED, "INBOX stays");
	ok(store_delete(s, "z/y") == ERR_NOT_FOUND, "gone is gone");
	store_close(&s);
	deliver_n("INBOX", 2);
	store_open(at.maildir, false, &s);
	ok(store_rename(s, "INBOX", "Saved") == ERR_OK, "RENAME INBOX");
	{
		struct store_status a, b;

		store_status(s, "INBOX", false, &a);
		store_status(s, "Saved", false, &b);
		ok(a.messages == 0 && b.messages == 2, "moves its messages");
		ok(a.uidvalidity != b.uidvalidity, "another UIDVALIDITY");
	}
	store_close(&s);
}

int main(void)
{
	test_names();
	test_round_trip();
	test_large();
	test_duplicate();
	test_flags();
	test_recent();
	test_expunge();
	test_copy();
	test_append();
	test_folders();
	clean();
	return done();
}
