/*
 * lib/mailbox when a backup is put back over a folder, as `cp -a` or rsync do
 * it: what came after the backup is there, no UID is given twice, and nothing
 * is removed that nobody expunged.
 */
#include <string.h>

#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

static bool run(const char *command)
{
	char *line = mem_printf("cd '%s' && %s", at.maildir, command);
	bool good = system(line) == 0;

	free(line);
	return good;
}

static uint32_t deliver(const char *subject)
{
	char text[100];
	struct delivered out;

	snprintf(text, sizeof(text), "Subject: %s\r\n\r\n", subject);
	return deliver_to("INBOX", text, "", &out) == ERR_OK ? out.uid : 0;
}

/* The UID under which SUBJECT is there; 0: it is not, or twice. */
static uint32_t uid_of(struct mailbox *m, const char *subject)
{
	char *want = mem_printf("Subject: %s\r\n", subject);
	uint32_t seq, uid = 0, found = 0;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (seq = 1; seq <= mailbox_count(m); seq++) {
		buf_reset(&b);
		if (mailbox_text(m, seq, &b) != ERR_OK || !b.len ||
		    !strstr(b.data, want))
			continue;
		uid = mailbox_uid(m, seq);
		found++;
	}
	buf_free(&b);
	free(want);
	return found == 1 ? uid : 0;
}

static void expunge(const char *subject)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", false, &s);
	uint32_t seq = mailbox_find(m, uid_of(m, subject));

	if (mailbox_expunge(m, &seq, 1, false) != ERR_OK)
		printf("# %s is not expunged\n", subject);
	close_folder(&m, &s);
}

/* Four messages; a backup; then one is expunged, and three come. */
static void begin(void)
{
	static const char *const old[] = { "old1", "old2", "old3", "old4" };
	struct store *s;
	struct mailbox *m;
	size_t i;

	fresh();
	for (i = 0; i < 4; i++)
		deliver(old[i]);
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	run("rm -rf ../backup && cp -a . ../backup");
	usleep(1300000); /* what is restored is older than a moment */
	expunge("old2");
	deliver("new1");
	deliver("new2");
	deliver("new3");
}

static bool all_there(struct mailbox *m, uint32_t n)
{
	static const char *const subject[] = { "old1", "old2", "old3", "old4",
					       "new1", "new2", "new3" };
	bool good = mailbox_count(m) == n;
	size_t i;

	for (i = 0; i < 7; i++)
		if (!uid_of(m, subject[i])) {
			printf("# %s is not there\n", subject[i]);
			good = false;
		}
	return good;
}

static const char *const ways[] = {
	"cp -a ../backup/. .",			     /* in place */
	"cp -a --remove-destination ../backup/. .", /* as rsync and tar do */
};

static void test_opened(const char *way)
{
	struct store *s;
	struct mailbox *m;
	uint32_t later;

	begin();
	run(way);
	m = open_folder("INBOX", false, &s);
	ok(all_there(m, 7) && uid_of(m, "new1") == 5 && uid_of(m, "new3") == 7,
	   "%s: what came later is there, under its UIDs", way);
	close_folder(&m, &s);
	later = deliver("later");
	ok(later > 7, "%s: the next UID is new: %u", way, later);
}

static void test_delivered(const char *way)
{
	struct store *s;
	struct mailbox *m;
	uint32_t later;

	begin();
	run(way);
	later = deliver("later");
	ok(later > 7, "%s, a delivery first: its UID is new: %u", way, later);
	expunge("later");
	write_file(path("new/1.foreign"), "Subject: foreign\n\nx\n", 20);
	m = open_folder("INBOX", false, &s);
	ok(all_there(m, 8), "%s: all is there after an expunge", way);
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(all_there(m, 8), "%s: and stays", way);
	close_folder(&m, &s);
}

/* The session has the folder as it was; whatever it says of that, all is well
 * for who comes next. */
static void test_beside(const char *way)
{
	const struct mailbox_changes *c;
	struct store *s, *s2;
	struct mailbox *m, *m2;
	int code;

	begin();
	m = open_folder("INBOX", false, &s);
	run(way);
	code = mailbox_refresh(m, true, &c);
	deliver("later");
	if (!code)
		code = mailbox_refresh(m, true, &c);
	printf("# the open session: %s\n", err_text(code));
	m2 = open_folder("INBOX", false, &s2);
	ok(all_there(m2, 8), "%s beside a session: all is there", way);
	ok(code || all_there(m, 8), "%s: for that session, too, or it ends",
	   way);
	close_folder(&m2, &s2);
	close_folder(&m, &s);
}

/* Two files with one UID are two messages: a copy that a user made is not what
 * is expunged just afterwards. */
static void test_twin(void)
{
	char name[600], command[1400];
	struct store *s;
	struct mailbox *m;
	uint32_t seq = 2;

	fresh();
	deliver("first");
	deliver("second");
	m = open_folder("INBOX", false, &s);
	if (!find_name("cur", "U=2", name) && !find_name("new", "U=2", name))
		printf("# no name\n");
	snprintf(command, sizeof(command), "cp %s cur/1%s", name,
		 strchr(name, '/') + 1);
	run(command);
	if (mailbox_expunge(m, &seq, 1, false) != ERR_OK)
		printf("# not expunged\n");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "second") > 2,
	   "a file with the UID of one that was expunged is another message");
	close_folder(&m, &s);
}

/* A backup that is moved back has the times that it had: it may not be shown,
 * yet its bytes are somewhere, and can be had back. */
static void test_moved_back(void)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver("old1");
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	run("rm -rf ../backup && cp -a . ../backup");
	expunge("old1");
	usleep(1300000);
	run("mv new ../new.gone && mv cur ../cur.gone && "
	    "mv ../backup/new ../backup/cur .");
	m = open_folder("INBOX", false, &s);
	ok(run("grep -rqs '^Subject: old1' new cur tmp"),
	   "what was moved back is not removed");
	run("for f in tmp/*; do test ! -f \"$f\" || mv \"$f\" cur/back; done");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "old1") > 0, "and is a message under another name");
	close_folder(&m, &s);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		test_opened(ways[i]);
		test_delivered(ways[i]);
		test_beside(ways[i]);
	}
	test_twin();
	test_moved_back();
	clean();
	return done();
}
