/*
 * lib/mailbox among others: changes by foreign programs, several writers.
 */
#include <sys/wait.h>

#include "t/unit/mailbox-lib.h"

static void test_foreign(void)
{
	struct store *s;
	struct mailbox *m;
	const struct mailbox_changes *c;
	char name[600], to[600];

	fresh();
	deliver_n("INBOX", 3);
	m = open_folder("INBOX", false, &s);
	usleep(50000); /* past the clock tick in which we changed it */
	mailbox_refresh(m, true, &c);
	write_file(path("new/1.2.host"), "Subject: f\n\nx\n", 14);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->new_messages &&
		   mailbox_count(m) == 4 && mailbox_uid(m, 4) == 4,
	   "a file that another program put into new");
	ok(text_is(m, 4, "Subject: f\r\n\r\nx\r\n"), "is read");
	mailbox_settle(m);
	ok(find_name("cur", "1.2.host", name), "and moves to cur");
	usleep(50000);
	sprintf(to, "cur/1.2.host:2,RS");
	if (rename(path(name), path(to)) < 0)
		printf("# rename\n");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nflagged == 1 &&
		   c->flagged[0] == 4 &&
		   mailbox_get(m, 4).flags == (MAILBOX_SEEN | MAILBOX_ANSWERED),
	   "flags that another program set");
	usleep(50000);
	unlink(path(to));
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   c->expunged[0] == 4,
	   "a file that another program removed");
	{
		uint32_t seq = 1;

		mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_FLAGGED, 0,
			      UINT64_MAX, NULL);
		usleep(50000);
		find_name("cur", ",U=2", name);
		rename(path(name), path("cur/moved:2,"));
		ok(mailbox_refresh(m, true, &c) == ERR_OK &&
			   mailbox_get(m, 1).flags == MAILBOX_FLAGGED,
		   "a flag not yet in the name is not taken for removed");
		ok(c->nexpunged == 1 && c->expunged[0] == 2 &&
			   c->new_messages && mailbox_uid(m, 3) == 5,
		   "a file under another name is another message");
	}
	write_file(path("new/9.bad,S=3:2,FS"), "A: b\n\nlonger\n", 13);
	write_file(path("cur/10.noinfo"), "A: b\n\n1\n", 8);
	write_file(path("cur/11.odd:2,SDZa"), "A: b\n\n1\n", 8);
	mkdir(path("new/directory"), 0700);
	if (symlink("/etc/passwd", path("new/12.link")) < 0)
		printf("# symlink\n");
	usleep(50000);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 6,
	   "odd names are taken, links and directories are not");
	ok(text_is(m, 4, "A: b\r\n\r\nlonger\r\n") &&
		   mailbox_get(m, 4).flags ==
			   (MAILBOX_FLAGGED | MAILBOX_SEEN) &&
		   text_is(m, 5, "A: b\r\n\r\n1\r\n") &&
		   text_is(m, 6, "A: b\r\n\r\n1\r\n"),
	   "and read");
	close_folder(&m, &s);
}

static void writer(int which)
{
	int i;

	for (i = 0; i < 40; i++) {
		struct store *s;
		struct mailbox *m;
		const struct mailbox_changes *c;
		uint32_t seq;

		if (which < 3) {
			deliver_n("INBOX", 1);
			continue;
		}
		m = open_folder("INBOX", false, &s);
		seq = mailbox_count(m);
		if (seq > 0)
			mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_SEEN, 0,
				      UINT64_MAX, NULL);
		mailbox_settle(m);
		if (mailbox_refresh(m, true, &c) != ERR_OK)
			_exit(1);
		close_folder(&m, &s);
	}
	_exit(0);
}

static void test_writers(void)
{
	struct store *s;
	struct mailbox *m;
	int i, status, bad = 0, read_all = 0;
	uint32_t k;

	fresh();
	deliver_n("INBOX", 1);
	fflush(stdout);
	for (i = 0; i < 5; i++)
		if (fork() == 0)
			writer(i);
	while (wait(&status) > 0)
		bad += status != 0;
	ok(bad == 0, "three deliverers and two sessions at once");
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 121 && mailbox_uidnext(m) == 122,
	   "all is there once: %u", mailbox_count(m));
	for (k = 1; k <= mailbox_count(m); k++) {
		struct buf b;

		buf_init(&b, 1000);
		read_all += mailbox_text(m, k, &b) == ERR_OK && b.len > 40;
		buf_free(&b);
	}
	ok(read_all == 121, "and readable");
	close_folder(&m, &s);
}

/* Two files whose names say the same: none takes the other's place. */
static void test_same_names(void)
{
	struct store *s;
	struct mailbox *m;
	struct dirent *e;
	int n = 0;
	DIR *d;

	fresh();
	deliver_n("INBOX", 1);
	write_file(path("cur/20.twin:2,FS"), "A: b\n\n1\n", 8);
	write_file(path("cur/20.twin:2,SF"), "A: b\n\n2\n", 8);
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	d = opendir(path("cur"));
	while ((e = readdir(d)))
		n += strncmp(e->d_name, "20.twin", 7) == 0;
	closedir(d);
	ok(n == 2, "of two files of one name both stay: %d", n);
}

int main(void)
{
	test_foreign();
	test_writers();
	test_same_names();
	clean();
	return done();
}
