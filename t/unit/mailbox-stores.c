/*
 * The same cases over two stores of messages: a Maildir, and one in memory
 * that has no files, no names and no list. What a mailbox promises does not
 * depend on which it is.
 */
#include "mailbox/private.h"
#include "maildir/maildir.h"
#include "t/unit/mailbox-lib.h"
#include "t/unit/memory-store.h"

static const struct {
	const char *name;
	messages_opener *open;
} stores[] = {
	{ "Maildir", maildir_open },
	{ "memory", memory_open },
};

static struct store *open_store(size_t which)
{
	struct store *s = NULL;

	if (store_open(at.maildir, true, &s) != ERR_OK)
		exit(1);
	s->opener = stores[which].open;
	return s;
}

static struct mailbox *open_in(struct store *s, const char *name)
{
	struct mailbox *m = NULL;
	int code = mailbox_open(s, name, false, &m);

	if (code)
		printf("# cannot open %s: %s\n", name, err_why(code));
	return m;
}

static uint32_t put(struct store *s, const char *folder, const char *text,
		    unsigned flags)
{
	struct append *a;
	struct folder_id id;
	uint32_t validity, uid = 0;
	int code = append_new(s, folder, &a);

	if (!code)
		code = append_begin(a, flags, NULL, 0, 1234567890);
	if (!code)
		code = append_write(a, text, strlen(text));
	if (!code)
		code = append_commit(a, &validity, &uid, &id);
	append_free(&a);
	return code ? 0 : uid;
}

static const char one[] = "Subject: one\r\n\r\n1\r\n";
static const char two[] = "Subject: two\r\n\r\nwith a lone \r in it\r\n";

static void test_put_and_read(size_t which, const char *name)
{
	struct store *s = open_store(which);
	struct mailbox *m;
	struct mailbox_facts f;

	ok(put(s, "INBOX", one, 0) == 1 &&
		   put(s, "INBOX", two, MAILBOX_SEEN) == 2,
	   "%s: two messages", name);
	m = open_in(s, "INBOX");
	ok(mailbox_count(m) == 2 && text_is(m, 1, one) && text_is(m, 2, two) &&
		   mailbox_get(m, 2).flags == MAILBOX_SEEN &&
		   mailbox_get(m, 1).received == 1234567890,
	   "%s: are there as they came", name);
	ok(mailbox_facts(m, 1, true, &f) == ERR_OK &&
		   memmem(f.envelope, f.envelope_len, "one", 3),
	   "%s: and are described", name);
	mailbox_close(&m);
	store_close(&s);
}

static void test_change(size_t which, const char *name)
{
	const struct mailbox_changes *c;
	struct store *s = open_store(which);
	struct mailbox *m = open_in(s, "INBOX"), *other = open_in(s, "INBOX");
	uint32_t seq = 1;
	uint64_t bit;

	ok(mailbox_keyword_bit(m, "$k", true, &bit) == ERR_OK &&
		   mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_FLAGGED, bit,
				 UINT64_MAX, NULL) == ERR_OK &&
		   mailbox_refresh(other, true, &c) == ERR_OK &&
		   c->nflagged == 1 && mailbox_get(other, 1).keywords == bit,
	   "%s: another session hears of flags", name);
	mailbox_settle(m);
	put(s, "INBOX", one, 0);
	ok(mailbox_refresh(other, true, &c) == ERR_OK && c->new_messages &&
		   mailbox_uid(other, 3) == 3 && text_is(other, 3, one),
	   "%s: and of messages", name);
	seq = 2;
	ok(mailbox_expunge(m, &seq, 1, false) == ERR_OK &&
		   mailbox_refresh(other, true, &c) == ERR_OK &&
		   c->nexpunged == 1 && mailbox_count(other) == 2 &&
		   text_is(other, 1, one),
	   "%s: and of what is gone", name);
	mailbox_close(&other);
	mailbox_close(&m);
	m = open_in(s, "INBOX");
	ok(mailbox_count(m) == 2 && mailbox_uid(m, 2) == 3 &&
		   mailbox_get(m, 1).flags == MAILBOX_FLAGGED,
	   "%s: all of it stays", name);
	mailbox_close(&m);
	store_close(&s);
}

static void test_copy(size_t which, const char *name)
{
	const struct mailbox_changes *c;
	struct store *s = open_store(which);
	struct mailbox *m = open_in(s, "INBOX"), *to;
	uint32_t seq[] = { 1, 2 }, uid[2], validity;
	struct folder_id id;
	struct store_status st;

	ok(store_create(s, "Box", NULL) == ERR_OK &&
		   mailbox_copy(m, seq, 2, "Box", false, uid, &validity, &id) ==
			   ERR_OK &&
		   mailbox_copy(m, seq, 1, "Box", true, uid, &validity, &id) ==
			   ERR_OK &&
		   uid[0] == 3 && mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_count(m) == 1,
	   "%s: COPY and MOVE", name);
	to = open_in(s, "Box");
	ok(folder_id_equal(mailbox_id(to), id) && mailbox_count(to) == 3 &&
		   text_is(to, 3, one) &&
		   mailbox_get(to, 1).flags == MAILBOX_FLAGGED,
	   "%s: arrive, flags and all", name);
	mailbox_close(&to);
	mailbox_close(&m);
	ok(store_status(s, "Box", false, &st) == ERR_OK && st.messages == 3 &&
		   st.uidnext == 4,
	   "%s: STATUS", name);
	ok(store_rename(s, "Box", "Chest") == ERR_OK &&
		   store_delete(s, "Chest") == ERR_OK &&
		   store_exists(s, "Chest") == ERR_NOT_FOUND,
	   "%s: folders are renamed and deleted", name);
	store_close(&s);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		fresh();
		test_put_and_read(i, stores[i].name);
		test_change(i, stores[i].name);
		test_copy(i, stores[i].name);
	}
	clean();
	return done();
}
