/* A folder that stays open between deliveries: what others do to it meanwhile
 * is seen, and no message goes where nobody looks. */
#include <string.h>
#include <time.h>

#include "index/disk.h"
#include "t/unit/mailbox-lib.h"

static struct letterbox *box;
static struct delivered out;

/* Until a change of the folder's directory gives it another time. */
static void let_time_pass(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
}

static int deliver(void)
{
	static const char text[] = "Subject: x\r\n\r\nx\r\n";
	static int number;
	char id[16];
	struct delivery d = { .maildir = at.maildir,
			      .folder = "INBOX",
			      .prologue = "",
			      .length = sizeof(text) - 1,
			      .queue_id = id,
			      .recipient = "u@example.org",
			      .arrival_us = clock_wall_us() };
	int code;

	snprintf(id, sizeof(id), "Q%d", ++number);
	d.fd = open(at.root, O_TMPFILE | O_RDWR, 0600);
	if (write(d.fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		exit(1);
	code = deliver_together(box, &d, 1, &out);
	close(d.fd);
	return code;
}

/* Descriptors that lead to something below the Maildir. */
static unsigned held(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 64; fd++) {
		char name[32], to[1024];
		ssize_t len;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		len = readlink(name, to, sizeof(to) - 1);
		to[len > 0 ? len : 0] = '\0';
		n += strncmp(to, at.maildir, strlen(at.maildir)) == 0;
	}
	return n;
}

/* A folder with one message, open in the box. */
static void begin(void)
{
	fresh();
	deliver_n("INBOX", 1);
	let_time_pass();
	if (deliver() != ERR_OK)
		printf("# delivery failed\n");
}

static void test_kept(void)
{
	unsigned before;

	begin();
	before = held();
	ok(before > 0, "the folder stays open");
	deliver_n("INBOX", 1); /* somebody else's */
	ok(deliver() == ERR_OK && out.uid == 4 && count_files("new") == 4,
	   "what others add is counted");
	ok(held() == before, "… nothing more is open");
}

static void test_other_maildir(void)
{
	char old[100];

	begin();
	snprintf(old, sizeof(old), "%s.old", at.maildir);
	rename(at.maildir, old);
	ok(deliver() == ERR_NOT_FOUND && held() == 0,
	   "a Maildir that is gone: nothing is delivered");
	deliver_n("INBOX", 1);
	ok(deliver() == ERR_OK && out.uid == 2 && count_files("new") == 2,
	   "another in its place gets what comes");
}

static void test_other_place(void)
{
	begin();
	rename(path("new"), path("new.old"));
	mkdir(path("new"), 0700);
	ok(deliver() == ERR_OK && out.uid == 3 && count_files("new") == 1 &&
		   count_files("new.old") == 2,
	   "so does another directory `new`");
}

static void test_other_journal(void)
{
	uint32_t count, next;
	size_t n;
	char *was;

	begin();
	was = slurp(path(DISK_JOURNAL), &n);
	rename(path(DISK_JOURNAL), path("aside"));
	ok(deliver() == ERR_NOT_FOUND && count_files("new") == 2,
	   "a journal that is gone: nothing is delivered");
	write_file(path(DISK_JOURNAL), was, n);
	free(was);
	ok(deliver() == ERR_OK && out.uid == 3,
	   "another with the same content goes on");
	validity_of("INBOX", &count, &next);
	ok(count == 3 && next == 4, "… and has what was delivered");
}

static void test_other_lock(void)
{
	begin();
	unlink(path(DISK_LOCK));
	ok(deliver() == ERR_OK && out.uid == 3 &&
		   access(path(DISK_LOCK), F_OK) == 0,
	   "another lock is made if it is gone");
}

int main(void)
{
	box = letterbox_new();
	test_kept();
	test_other_maildir();
	test_other_place();
	test_other_journal();
	test_other_lock();
	letterbox_free(&box);
	ok(held() == 0 && !box, "closed, it holds nothing");
	clean();
	return done();
}
