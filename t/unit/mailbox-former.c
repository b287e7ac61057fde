/*
 * A mailbox that a former version wrote (t/trees) is read as it is, and
 * written on. The numbers are of hosts with the little end first.
 */
#include "index/index.h"
#include "maildir/maildir.h"
#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

static void copy_tree(const char *tree)
{
	char command[400];

	fresh();
	snprintf(command, sizeof(command),
		 "cp -R t/trees/%s '%s' && cd '%s' && mkdir -p new cur tmp && "
		 "if [ -d .Archive ]; then cd .Archive && mkdir -p new cur "
		 "tmp; fi",
		 tree, at.maildir, at.maildir);
	if (system(command) != 0)
		printf("# cp\n");
}

static bool is_number(struct mailbox *m, uint32_t seq, int number)
{
	char text[200];

	sprintf(text,
		"Return-Path: <a@b>\r\nFrom: <a@b>\r\nSubject: number %d\r\n"
		"\r\nbody %d\r\n",
		number, number);
	return text_is(m, seq, text);
}

static void test_inbox(void)
{
	static const uint32_t uid[] = { 1, 2, 3, 5, 6 };
	struct mailbox_message g;
	struct mailbox_facts f;
	struct store *s;
	struct mailbox *m = open_folder("INBOX", false, &s);
	uint32_t i, same = 0;
	uint64_t bit;

	for (i = 0; i < 5; i++)
		same += mailbox_uid(m, i + 1) == uid[i] &&
			is_number(m, i + 1, (int)uid[i]);
	ok(mailbox_count(m) == 5 && same == 5 && mailbox_uidnext(m) == 7,
	   "INBOX: UIDs and messages");
	ok(mailbox_uidvalidity(m) == 1795903750, "UIDVALIDITY");
	g = mailbox_get(m, 2);
	ok(mailbox_keyword_bit(m, "$forwarded", false, &bit) == ERR_OK &&
		   g.flags == (MAILBOX_SEEN | MAILBOX_FLAGGED) &&
		   g.keywords == bit && g.modseq > mailbox_get(m, 1).modseq,
	   "flags, keyword, mod-sequence");
	ok(g.received == 1795903750 && g.saved == 1795903750, "dates");
	ok(mailbox_facts(m, 3, true, &f) == ERR_OK &&
		   strstr(f.envelope, "number 3"),
	   "what the cache has");
	close_folder(&m, &s);
}

/* Here a snapshot stands before the journal's end. */
static void test_archive(void)
{
	static const uint32_t uid[] = { 1, 3, 4, 5 };
	struct store *s;
	struct mailbox *m = open_folder("Archive", true, &s);
	uint32_t i, same = 0;

	for (i = 0; i < 4; i++)
		same += mailbox_uid(m, i + 1) == uid[i];
	ok(mailbox_count(m) == 4 && same == 4 && mailbox_uidnext(m) == 6 &&
		   mailbox_uidvalidity(m) == 1795903751,
	   "Archive: UIDs");
	ok(mailbox_get(m, 1).flags == MAILBOX_SEEN &&
		   mailbox_highestmodseq(m) >= 666 && is_number(m, 2, 3) &&
		   is_number(m, 4, 2),
	   "flags, messages");
	close_folder(&m, &s);
}

static void test_delivery(void)
{
	struct delivery d = {
		.maildir = at.maildir,
		.folder = "INBOX",
		.prologue = "Subject: x\r\n\r\n",
		.queue_id = "OLD3",
		.recipient = "u@example.org",
		.arrival_us = INT64_C(1795903740000000),
	};
	struct delivered out;

	d.fd = open("/dev/null", O_RDONLY);
	ok(deliver_message(&d, &out) == ERR_OK && out.duplicate && out.uid == 3,
	   "a delivery of then is known");
	d.queue_id = "NEW";
	ok(deliver_message(&d, &out) == ERR_OK && !out.duplicate &&
		   out.uid == 7 && out.uidvalidity == 1795903750,
	   "a new one gets the next UID");
	d.queue_id = "OLD4";
	ok(deliver_message(&d, &out) == ERR_OK && out.duplicate,
	   "and of one that was expunged since");
	close(d.fd);
}

/* Is the snapshot of INBOX used? */
static bool has_snapshot(void)
{
	struct store *s = NULL;
	struct index x = { 0 };
	bool has;

	index_init(&x);
	has = store_open(at.maildir, false, &s) == ERR_OK &&
	      folder_open(s->dir, ".", maildir_open, false, &x.f) == ERR_OK &&
	      folder_open_journal(&x.f) == ERR_OK && index_snapshot_load(&x);
	index_free(&x);
	folder_close(&x.f);
	store_close(&s);
	return has;
}

/* The snapshot in parts. */
static void test_parts(void)
{
	static const uint32_t uid[] = { 1, 2, 3, 5, 6 };
	static const unsigned flags[] = { MAILBOX_SEEN,
					  MAILBOX_SEEN | MAILBOX_FLAGGED,
					  MAILBOX_SEEN, 0, MAILBOX_ANSWERED };
	struct store *s;
	struct mailbox *m;
	uint32_t i, same = 0;

	ok(has_snapshot(), "a snapshot in parts is read");
	m = open_folder("INBOX", true, &s);
	for (i = 0; i < 5; i++)
		same += mailbox_uid(m, i + 1) == uid[i] &&
			mailbox_get(m, i + 1).flags == flags[i] &&
			is_number(m, i + 1, (int)uid[i]);
	ok(mailbox_count(m) == 5 && same == 5 && mailbox_uidnext(m) == 7 &&
		   mailbox_uidvalidity(m) == 1796031662 &&
		   mailbox_get(m, 2).keywords == 1,
	   "with what the journal says behind it");
	close_folder(&m, &s);
}

int main(void)
{
	const uint16_t one = 1;

	if (*(const char *)&one != 1) {
		ok(true, "skipped: this host has the big end first");
		return done();
	}
	copy_tree("mailbox-1");
	test_inbox();
	test_archive();
	test_delivery();
	copy_tree("mailbox-2");
	test_parts();
	clean();
	return done();
}
