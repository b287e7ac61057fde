/*
 * The folders of the first session: made once, with their special uses; what
 * is there already counts; a full disk, and sessions at once.
 */
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "mailbox/autocreate.h"
#include "t/unit/mailbox-lib.h"

#define DEFAULT "Drafts Sent Junk Trash Archive"

static struct store *s;

static int run(const char *create, const char *subscribe)
{
	struct strlist c = { 0 }, u = { 0 };
	int code;

	strlist_split(&c, create);
	strlist_split(&u, subscribe);
	code = autocreate_run(s, &c, &u);
	strlist_free(&c);
	strlist_free(&u);
	return code;
}

/* All that is listed but INBOX: "Name\Use+", with + if subscribed and - if it
 * does not exist. */
static const char *all(void)
{
	static char out[1000];
	struct store_list l;

	*out = '\0';
	if (store_list(s, &l) != ERR_OK)
		return "?";
	for (size_t i = 1; i < l.n; i++)
		sprintf(out + strlen(out), "%s%s%s%s%s", i > 1 ? " " : "",
			l.folder[i].name,
			l.folder[i].special_use ? l.folder[i].special_use : "",
			l.folder[i].subscribed ? "+" : "",
			l.folder[i].exists ? "" : "-");
	store_list_free(&l);
	return out;
}

static void begin(void)
{
	fresh();
	if (store_open(at.maildir, true, &s) != ERR_OK)
		exit(1);
}

static void test_first(void)
{
	begin();
	ok(run(DEFAULT, DEFAULT) == ERR_OK, "a first session");
	is(all(),
	   "Archive\\Archive+ Drafts\\Drafts+ Junk\\Junk+ Sent\\Sent+ "
	   "Trash\\Trash+",
	   "has all folders");
	store_delete(s, "Junk");
	store_subscribe(s, "Junk", false);
	store_subscribe(s, "Trash", false);
	store_rename(s, "Sent", "Gesendet");
	ok(run(DEFAULT, DEFAULT) == ERR_OK, "a second one");
	is(all(),
	   "Archive\\Archive+ Drafts\\Drafts+ Gesendet\\Sent Sent+- "
	   "Trash\\Trash",
	   "leaves what its user did");
	ok(run(DEFAULT " Notes", "Notes Trash") == ERR_OK,
	   "a name more in the configuration");
	is(all(),
	   "Archive\\Archive+ Drafts\\Drafts+ Gesendet\\Sent Notes+ Sent+- "
	   "Trash\\Trash",
	   "is made then");
	store_close(&s);
	begin();
	ok(run("", "") == ERR_OK && file_size(path("posthorn-autocreated")) < 0,
	   "empty lists make nothing");
	is(all(), "", "no folder");
	store_close(&s);
}

static void test_there(void)
{
	begin();
	store_create(s, "Sent Items", "\\Sent");
	store_create(s, "drafts", NULL);
	store_create(s, "Trash", NULL);
	store_create(s, "Archive", "\\Junk");
	ok(run(DEFAULT, DEFAULT) == ERR_OK, "an account in use");
	is(all(), "Archive\\Junk+ Sent Items\\Sent+ Trash\\Trash+ "
		  "drafts\\Drafts+",
	   "what has the use, or the name, counts");
	store_close(&s);
	/* the use of that name was another folder's, which is gone */
	begin();
	store_create(s, "Sent", NULL);
	write_file(path("posthorn-special-use"), "\\Sent Gone\n", 11);
	ok(run("Sent", "") == ERR_OK, "a folder of that name");
	is(all(), "Sent\\Sent", "has the use");
	store_close(&s);
	begin();
	ok(run("Sent", "Sent Drafts INBOX") == ERR_OK, "others subscribed");
	is(all(), "Sent\\Sent+", "only if they are there");
	ok(run("Sent bad//name Trash", "bad//name Trash") == ERR_SYNTAX,
	   "a name that is none is an error");
	is(all(), "Sent\\Sent+ Trash\\Trash+", "and keeps nothing else back");
	store_close(&s);
}

static void test_list(void)
{
	static const char kept[] = "of a later version\nfolder Sent\n";
	static const char want[] = "of a later version\nfolder Sent\n"
				   "folder Trash\n";
	char *now;
	size_t n;

	begin();
	write_file(path("posthorn-autocreated"), kept, strlen(kept));
	ok(run("Sent Trash", "") == ERR_OK, "a list of before");
	is(all(), "Trash\\Trash", "says what was made");
	now = slurp(path("posthorn-autocreated"), &n);
	ok(n == strlen(want) && memcmp(now, want, n) == 0,
	   "what is not understood stays");
	free(now);
	unlink(path("posthorn-autocreated"));
	mkdir(path("posthorn-autocreated"), 0700);
	ok(run("Sent Trash Junk", "") != ERR_OK, "one that cannot be read");
	is(all(), "Trash\\Trash", "makes nothing");
	store_close(&s);
}

static void test_together(void)
{
	int bad = 0, status;

	begin();
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			store_close(&s);
			_exit(store_open(at.maildir, true, &s) != ERR_OK ||
			      run(DEFAULT, DEFAULT) != ERR_OK);
		}
	while (wait(&status) > 0)
		bad += status != 0;
	ok(bad == 0, "first sessions at once: %d failed", bad);
	is(all(),
	   "Archive\\Archive+ Drafts\\Drafts+ Junk\\Junk+ Sent\\Sent+ "
	   "Trash\\Trash+",
	   "have all folders");
	ok(run(DEFAULT, DEFAULT) == ERR_OK, "and it is remembered");
	store_close(&s);
}

static void test_full(void)
{
	char block[4096] = { 1 };
	int fd;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		ok(true, "a full disk # SKIP not root");
		return;
	}
	fresh();
	mkdir(at.maildir, 0700);
	if (mount("none", at.maildir, "tmpfs", 0, "size=1m") != 0 ||
	    store_open(at.maildir, true, &s) != ERR_OK)
		exit(1);
	fd = open(path("filler"), O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	ok(run(DEFAULT, DEFAULT) == ERR_NO_SPACE, "on a full disk");
	is(all(), "", "nothing is made");
	unlink(path("filler"));
	ok(run(DEFAULT, DEFAULT) == ERR_OK, "when there is room again");
	is(all(),
	   "Archive\\Archive+ Drafts\\Drafts+ Junk\\Junk+ Sent\\Sent+ "
	   "Trash\\Trash+",
	   "all are");
	store_close(&s);
	umount(at.maildir);
}

int main(void)
{
	test_first();
	test_there();
	test_list();
	test_together();
	test_full();
	clean();
	return done();
}
