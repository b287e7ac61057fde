/*
 * A message whose delivery a power cut ended is never shown torn, is delivered
 * again, and takes nothing else with it.
 */
#include "t/unit/mailbox-power.h"

#include "mailbox/opened.h"

enum harm { ZEROS, EMPTY, HALF_ZEROS, SHORT, NHARMS };
static const char *const harm_name[NHARMS] = { "zeros", "nothing",
					       "zeros from the middle on",
					       "the first half" };

/* What the disk has instead of the message at P. */
static void harm(const char *p, enum harm h)
{
	long size = file_size(p);
	long keep = h == HALF_ZEROS || h == SHORT ? size / 2 / 512 * 512 : 0;
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st = { 0 };

	if (stat(p, &st) < 0)
		printf("# no %s\n", p);
	t[1] = st.st_mtim; /* a power cut writes nothing */
	if (truncate(p, keep) < 0 ||
	    ((h == ZEROS || h == HALF_ZEROS) && truncate(p, size) < 0) ||
	    utimensat(AT_FDCWD, p, t, 0) < 0)
		printf("# truncate\n");
}

/* Is there this one message, whole? */
static bool holds_one(uint32_t uid)
{
	static const char path_field[] = "Return-Path: <a@b>\r\n";
	char whole[TEXT_SIZE + sizeof(path_field)];
	struct store *s;
	struct mailbox *m = open_folder("INBOX", true, &s);
	bool good;

	sprintf(whole, "%s%s", path_field, text);
	good = m && mailbox_count(m) == 1 && mailbox_uid(m, 1) == uid &&
	       text_is(m, 1, whole);
	close_folder(&m, &s);
	return good;
}

static void prepare(enum harm h, const char *dir)
{
	char name[600];

	fresh();
	deliver_to("INBOX", text, "FIRST", &(struct delivered){ 0 });
	find_name("new", "posthorn", name);
	unlink(path(name));
	validity_of("INBOX", &(uint32_t){ 0 }, &(uint32_t){ 0 });
	begin_delivery("Q1");
	find_name("new", "posthorn", name);
	if (strcmp(dir, "cur") == 0) {
		char moved[700];

		sprintf(moved, "cur/%s:2,S", name + 4);
		rename(path(name), path(moved));
		strcpy(name, moved);
	}
	harm(path(name), h);
}

/* The queue delivers it once more. */
static void test_again(enum harm h, const char *dir)
{
	struct delivered out;

	prepare(h, dir);
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK && !out.duplicate &&
		   holds_one(out.uid),
	   "%s in %s: delivered again, and there once", harm_name[h], dir);
	ok(files_of_inbox() == 1,
	   "and no file beside it");
}

/* Somebody looks first. */
static void test_look(enum harm h, bool read_only)
{
	struct delivered out;
	struct store *s;
	struct mailbox *m;
	struct store_status st;

	prepare(h, "new");
	m = open_folder("INBOX", read_only, &s);
	ok(m && mailbox_count(m) == 0, "%s: not shown (%s)", harm_name[h],
	   read_only ? "EXAMINE" : "SELECT");
	ok(files_of_inbox() == 0, "nor left in the way");
	ok(store_status(s, "INBOX", false, &st) == ERR_OK && st.messages == 0 &&
		   st.unseen == 0,
	   "nor counted");
	close_folder(&m, &s);
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK && !out.duplicate &&
		   holds_one(out.uid),
	   "then delivered again");
}

static void write_time(const char *p)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT } };

	if (clock_gettime(CLOCK_REALTIME, &t[1]) < 0 ||
	    utimensat(AT_FDCWD, p, t, 0) < 0)
		printf("# no time for %s\n", p);
}

/* Another program made that of it, while the delivery waited for the disk. */
static void test_edited(enum harm h, bool by_delivery)
{
	struct delivered out;
	struct store *s;
	struct mailbox *m;
	char name[600];
	long size;

	prepare(h, "new");
	find_name("new", "posthorn", name);
	write_time(path(name));
	size = file_size(path(name));
	if (by_delivery)
		ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK &&
			   out.duplicate,
		   "%s, by another program: it was delivered", harm_name[h]);
	m = open_folder("INBOX", false, &s);
	ok(m && mailbox_count(m) == 1, "%s, by another program: is a message",
	   harm_name[h]);
	close_folder(&m, &s);
	ok(count_files("tmp") == 0 && files_of_inbox() == 1,
	   "and the file stays");
	find_name("cur", "posthorn", name);
	ok(file_size(path(name)) == size, "as it is");
}

/* The delivery was killed, the power stayed on. */
static void test_killed(void)
{
	struct delivered out;

	fresh();
	deliver_to("INBOX", text, "FIRST", &out);
	begin_delivery("Q1");
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK && out.duplicate &&
		   out.uid == 2,
	   "a whole file of a delivery that was killed is the delivery");
}

/* What is put aside takes the place of nothing in tmp. */
static void test_put_aside(void)
{
	struct store *s;
	struct mailbox *m;
	char name[600], there[700], *data;
	size_t n;

	prepare(HALF_ZEROS, "new");
	find_name("new", "posthorn", name);
	sprintf(there, "tmp/%s", name + 4);
	write_file(path(there), "of before", 9);
	m = open_folder("INBOX", false, &s);
	data = slurp(path(there), &n);
	ok(count_files("new") == 0 && count_files("tmp") == 2 && n == 9 &&
		   memcmp(data, "of before", 9) == 0,
	   "what is put aside takes the place of nothing");
	close_folder(&m, &s);
	free(data);
}

/* The power goes again while that is done: the name is back, and must find its
 * record. */
static void test_put_aside_is_synced(bool by_delivery)
{
	struct delivered out;
	struct store *s;
	struct mailbox *m;
	char name[600];
	int status;
	pid_t pid;

	prepare(HALF_ZEROS, "new");
	find_name("new", "posthorn", name);
	if (link(path(name), path("kept")) < 0)
		printf("# link\n");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dies_at_place = true;
		if (by_delivery)
			deliver_to("INBOX", text, "Q1", &out);
		else
			open_folder("INBOX", false, &s);
		_exit(1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0 &&
		   access(path(name), F_OK) < 0,
	   "what is torn is put aside, and that is synced");
	rename(path("kept"), path(name));
	m = open_folder("INBOX", true, &s);
	ok(m && mailbox_count(m) == 0, "it is not shown when it is back: %s",
	   by_delivery ? "a delivery had it" : "a session had it");
	close_folder(&m, &s);
}

/* Several in one record, one of them harmed. */
static void test_one_of_several(void)
{
	struct store *s;
	struct mailbox *m;
	struct append *a;
	struct folder_id id;
	uint32_t validity, uid;
	char name[600];
	int status, i;
	pid_t pid;

	fresh();
	store_open(at.maildir, true, &s);
	validity_of("INBOX", &validity, &uid);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dies = true;
		append_new(s, "INBOX", &a);
		for (i = 0; i < 3; i++) {
			append_begin(a, 0, NULL, 0, -1);
			append_write(a, text, strlen(text));
		}
		append_commit(a, &validity, &uid, &id);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	find_name("new", ",U=2", name);
	harm(path(name), ZEROS);
	store_close(&s);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 2 && mailbox_uid(m, 1) == 1 &&
		   mailbox_uid(m, 2) == 3 && text_is(m, 1, text) &&
		   text_is(m, 2, text),
	   "of several messages those that are whole stay");
	close_folder(&m, &s);
}

static bool any_damaged(void)
{
	DIR *d = opendir(at.maildir);
	struct dirent *e;
	bool any = false;

	while ((e = readdir(d)))
		any |= strstr(e->d_name, ".damaged") != NULL;
	closedir(d);
	return any;
}

/* The disk wrote the later of two records, and of the one before a part. With
 * PROMISED the later one was promised: then both were on the disk. */
static void test_out_of_order(bool promised)
{
	static const char zeros[64];
	struct delivered out;
	uint32_t v, now, count, next;
	long first;
	int fd;

	fresh();
	deliver_to("INBOX", text, "FIRST", &out);
	v = validity_of("INBOX", &count, &next);
	first = file_size(path(DISK_JOURNAL));
	begin_delivery("Q1");
	if (promised)
		deliver_to("INBOX", text, "Q2", &out);
	else
		begin_delivery("Q2");
	fd = open(path(DISK_JOURNAL), O_WRONLY);
	if (pwrite(fd, zeros, sizeof(zeros), first + 80) < 0)
		printf("# pwrite\n");
	close(fd);
	now = validity_of("INBOX", &count, &next);
	ok(count == 3 && any_damaged() == promised && (now == v) == !promised,
	   promised ? "a record before one that was promised is damaged"
		    : "one before others that were not is torn, no more");
}

static void empty_all(const char *dir)
{
	DIR *d = opendir(path(dir));
	struct dirent *e;
	char name[600];

	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
			harm(path(name), EMPTY);
		}
	closedir(d);
}

/* A new journal must not take what was withdrawn from the former one for what
 * was delivered before: then the queue's next delivery would be none. */
static void test_many_and_rotation(void)
{
	struct delivered out;
	struct store *s;
	struct mailbox *m;
	char name[600], id[20];
	int duplicates = 0, i;

	fresh();
	deliver_to("INBOX", text, "FIRST", &out);
	find_name("new", "posthorn", name);
	unlink(path(name));
	validity_of("INBOX", &(uint32_t){ 0 }, &(uint32_t){ 0 });
	for (i = 0; i < 100; i++) {
		sprintf(id, "Q%d", i);
		begin_delivery(id);
	}
	empty_all("new");
	m = open_folder("INBOX", false, &s);
	ok(m && mailbox_count(m) == 0, "many without content are withdrawn");
	ok(index_lock(&m->x) == ERR_OK && index_write_anew(&m->x) == ERR_OK,
	   "the journal is written anew");
	index_unlock(&m->x);
	close_folder(&m, &s);
	for (i = 0; i < 100; i++) {
		sprintf(id, "Q%d", i);
		if (deliver_to("INBOX", text, id, &out) != ERR_OK ||
		    out.duplicate)
			duplicates++;
	}
	ok(duplicates == 0 && count_files("new") == 100,
	   "each is delivered again: %d are not", duplicates);
}

/* The journal is lost under a session while a delivery is under way: what is
 * written instead has the right checksum of each message, or none. */
static void test_lost_meanwhile(void)
{
	struct delivered out;
	struct store *s;
	struct mailbox *m;
	uint32_t had, has;

	fresh();
	deliver_to("INBOX", text, "FIRST", &out);
	deliver_to("INBOX", text, "SECOND", &out);
	m = open_folder("INBOX", false, &s);
	ok(index_content(&m->x, 1, &had) == ERR_OK, "a checksum is there");
	begin_delivery("Q1");
	unlink(path(DISK_JOURNAL));
	unlink(path(DISK_SNAPSHOT));
	ok(index_lock(&m->x) == ERR_OK && m->x.unsure.len > 0,
	   "a lost journal is written again beside a delivery");
	index_unlock(&m->x);
	ok((index_content(&m->x, 1, &has) != ERR_OK || has == had) &&
		   index_content(&m->x, 3, &has) == ERR_OK && has == had,
	   "no checksum is wrong");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(m && mailbox_count(m) == 3 && mailbox_uid(m, 3) == 3 &&
		   files_of_inbox() == 3,
	   "all messages are there");
	close_folder(&m, &s);
}

/* A message that was promised is another matter: see mailbox-others. */
static void test_promised(void)
{
	struct delivered out;
	char name[600];

	fresh();
	deliver_to("INBOX", text, "Q1", &out);
	find_name("new", "posthorn", name);
	harm(path(name), SHORT);
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK && out.duplicate,
	   "what was promised counts as delivered whatever others made of it");
	ok(count_files("new") == 1, "and stays");
}

int main(void)
{
	int h;

	leftover_busy_us = 0; /* nobody waits for processes that ended */
	make_text();
	for (h = 0; h < NHARMS; h++) {
		test_again((enum harm)h, "new");
		test_again((enum harm)h, "cur");
		test_look((enum harm)h, false);
		test_look((enum harm)h, true);
		test_edited((enum harm)h, false);
		test_edited((enum harm)h, true);
	}
	test_killed();
	test_one_of_several();
	test_put_aside();
	test_put_aside_is_synced(true);
	test_put_aside_is_synced(false);
	test_out_of_order(false);
	test_out_of_order(true);
	test_promised();
	test_lost_meanwhile();
	test_many_and_rotation();
	clean();
	return done();
}
