/*
 * What a client was told of is there after a power cut: whoever sees a message
 * that is being delivered or copied makes it durable first.
 */
#include "t/unit/mailbox-power.h"


static struct mailbox *look(bool read_only, bool open_before, struct store **s,
			    bool *end)
{
	const struct mailbox_changes *c;
	struct mailbox *m = NULL;

	if (open_before)
		m = open_folder("INBOX", read_only, s);
	begin_delivery_until(end, "Q1");
	memset(&syncs, 0, sizeof(syncs));
	if (!open_before)
		m = open_folder("INBOX", read_only, s);
	mailbox_refresh(m, true, &c);
	return m;
}

/* Somebody looks while it is only in memory: what a client knows by its UID is
 * there to stay, be it that the power goes and the delivery ends here. */
static void test_looked_at(bool read_only, bool open_before)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_to("INBOX", text, "FIRST", &(struct delivered){ 0 });
	m = look(read_only, open_before, &s, &dies);
	ok(m && mailbox_count(m) == 2,
	   "a message that is being synced is seen (%s)",
	   read_only ? "EXAMINE" : "SELECT");
	ok(syncs.files > 0 && syncs.places > 0 && syncs.journals > 0,
	   "its content, name and record are made durable before (%s)",
	   open_before ? "NOOP" : "at once");
	close_folder(&m, &s);
	memset(&syncs, 0, sizeof(syncs));
	m = open_folder("INBOX", true, &s);
	ok(m && mailbox_count(m) == 2 && syncs.files == 0, "once");
	close_folder(&m, &s);
}

/* The same while it has no name; it never gets one. */
static void test_not_named(bool open_before)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_to("INBOX", text, "FIRST", &(struct delivered){ 0 });
	m = look(false, open_before, &s, &dies_naming);
	ok(m && mailbox_count(m) == 1,
	   "a message that has no name yet is not told of (%s)",
	   open_before ? "NOOP" : "SELECT");
	close_folder(&m, &s);
}

/* A copy has no checksum in its record, and is made durable all the same. */
static void test_copy_looked_at(void)
{
	const struct mailbox_changes *c;
	uint32_t seq = 1, uid, validity;
	struct folder_id id;
	struct store *s, *s2;
	struct mailbox *m, *box;
	int status;
	pid_t pid;

	fresh();
	deliver_n("INBOX", 1);
	store_open(at.maildir, false, &s);
	store_create(s, "Box", NULL);
	store_close(&s);
	box = open_folder("Box", false, &s2);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		m = open_folder("INBOX", false, &s);
		dies_at_place = true;
		mailbox_copy(m, &seq, 1, "Box", false, &uid, &validity, &id);
		_exit(1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0,
	   "a copy ends before its name is durable");
	memset(&syncs, 0, sizeof(syncs));
	ok(mailbox_refresh(box, true, &c) == ERR_OK &&
		   mailbox_count(box) == 1 && syncs.places > 0,
	   "it is made so before it is told of");
	close_folder(&box, &s2);
}

int main(void)
{
	make_text();
	test_looked_at(true, false);
	test_looked_at(false, false);
	test_looked_at(true, true);
	test_looked_at(false, true);
	test_not_named(false);
	test_not_named(true);
	test_copy_looked_at();
	clean();
	return done();
}
