/*
 * What all folders of a user hold together, beside whatever changes it.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "mailbox-lib.h"

#define TEXT "Subject: foreign\n\nbody\nbody\n"

static struct store *store;
static const struct quota none;

/* The sum of what each folder tells, message by message. */
static struct usage counted(void)
{
	struct usage u = { 0 };
	struct store_list l;

	if (store_list(store, &l) != ERR_OK)
		return u;
	for (size_t i = 0; i < l.n; i++) {
		struct store_status st;

		if (!l.folder[i].exists ||
		    store_status(store, l.folder[i].name, true, &st) != ERR_OK)
			continue;
		u.messages += st.messages;
		u.bytes += st.size;
	}
	store_list_free(&l);
	return u;
}

static void is_right(const char *promise)
{
	struct usage u = { 0 }, want = counted();
	int code = store_usage(store, &none, &u);

	if (!ok(code == ERR_OK && u.bytes == want.bytes &&
			u.messages == want.messages,
		"%s", promise))
		printf("# %d: %llu bytes, %llu messages, not %llu, %llu\n",
		       code, (unsigned long long)u.bytes,
		       (unsigned long long)u.messages,
		       (unsigned long long)want.bytes,
		       (unsigned long long)want.messages);
}

static struct usage usage(void)
{
	struct usage u = { 0 };

	store_usage(store, &none, &u);
	return u;
}

static void expunge(const char *folder, uint32_t from, uint32_t n)
{
	uint32_t seq[100];
	struct mailbox *m;

	if (mailbox_open(store, folder, false, &m) != ERR_OK)
		return;
	for (uint32_t i = 0; i < n; i++)
		seq[i] = from + i;
	mailbox_expunge(m, seq, n, false);
	mailbox_close(&m);
}

static bool copy(const char *to, bool move)
{
	uint32_t seq[] = { 1, 2, 3 }, uid[3], validity;
	struct folder_id id;
	struct mailbox *m;
	bool good;

	if (mailbox_open(store, "INBOX", false, &m) != ERR_OK)
		return false;
	good = mailbox_copy(m, seq, 3, to, move, uid, &validity, &id) == ERR_OK;
	mailbox_close(&m);
	return good;
}

static void test_changes(void)
{
	struct usage before;

	fresh();
	if (store_open(at.maildir, true, &store) != ERR_OK)
		return;
	ok(usage().bytes == 0 && usage().messages == 0, "nothing");
	deliver_n("INBOX", 20);
	deliver_n("Archive/2026", 5);
	ok(usage().messages == 25, "all folders count");
	is_right("deliveries");
	expunge("INBOX", 3, 10);
	ok(usage().messages == 15, "what is expunged is free at once");
	is_right("an expunge");
	ok(copy("Archive/2026", false) && usage().messages == 18,
	   "a copy counts");
	is_right("a copy");
	before = usage();
	ok(copy("Archive/2026", true) && usage().messages == 18 &&
		   usage().bytes == before.bytes,
	   "a move does not");
	ok(store_rename(store, "Archive", "Old") == ERR_OK, "renamed");
	is_right("folders under another name");
	ok(store_delete(store, "Old/2026") == ERR_OK, "deleted");
	ok(usage().messages == 7, "a folder that is gone");
	is_right("does not count");
	store_close(&store);
}

/* Files of others count as they are until they are measured. */
static void test_others(void)
{
	struct mailbox *m;
	uint32_t size;

	fresh();
	if (store_open(at.maildir, true, &store) != ERR_OK)
		return;
	deliver_n("INBOX", 1);
	expunge("INBOX", 1, 1);
	for (int i = 0; i < 4; i++) {
		char name[64];

		snprintf(name, sizeof(name), "cur/%d.M1P1.host:2,",
			 1700000000 + i);
		write_file(path(name), TEXT, strlen(TEXT));
	}
	ok(usage().messages == 4 && usage().bytes == 4 * strlen(TEXT),
	   "files of another program, with their sizes");
	ok(usage().bytes == 4 * strlen(TEXT), "and again");
	expunge("INBOX", 1, 1);
	ok(usage().bytes == 3 * strlen(TEXT), "less one");
	if (mailbox_open(store, "INBOX", false, &m) != ERR_OK)
		return;
	mailbox_size(m, 1, &size);
	mailbox_close(&m);
	ok(usage().bytes == 3 * strlen(TEXT) + 4,
	   "with its line ends, once it is measured");
	is_right("all are measured");
	is_right("and stay so");
	unlink(path("cur/1700000003.M1P1.host:2,"));
	ok(usage().messages == 2, "one that another program removes");
	is_right("is free at once");
	store_close(&store);
}

/* A process that delivers and removes is killed anywhere. */
static void test_killed(void)
{
	fresh();
	if (store_open(at.maildir, true, &store) != ERR_OK)
		return;
	deliver_n("INBOX", 3);
	ok(store_create(store, "Kept", NULL) == ERR_OK, "a folder");
	for (int i = 0; i < 12; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;) {
				deliver_n("INBOX", 3);
				expunge("INBOX", 1, 2);
				copy("Kept", false);
			}
		usleep(3000 + 1700 * (unsigned)i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		is_right("after a kill");
	}
	store_close(&store);
}

int main(void)
{
	test_changes();
	test_others();
	test_killed();
	clean();
	return done();
}
