/* Deliveries that share lock, record and syncs: all of them are there, or
 * none; and what was there before is no reason to lose the others. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "index/disk.h"
#include "t/unit/mailbox-lib.h"

#define N 5

static struct delivery d[N];
static struct delivered out[N];
static char id[N][8];
static struct letterbox *box;

/* The power goes before a message is on the disk. */
static bool dies;

int fsync(int fd)
{
	struct stat st;

	if (dies && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		_exit(0);
	return (int)syscall(SYS_fsync, fd);
}

/* The disk cannot read messages for a moment. */
static bool ill;

static bool is_message(int fd)
{
	char link[40], name[600];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	name[n < 0 ? 0 : n] = '\0';
	return strstr(name, ".posthorn,S=") != NULL;
}

ssize_t pread(int fd, void *data, size_t n, off_t where)
{
	if (ill && is_message(fd)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, data, n, where);
}

static void make(size_t i, const char *text)
{
	snprintf(id[i], sizeof(id[i]), "Q%zu", i);
	d[i] = (struct delivery){
		.maildir = at.maildir,
		.folder = "INBOX",
		.prologue = "",
		.length = (off_t)strlen(text),
		.queue_id = id[i],
		.recipient = "u@example.org",
		.arrival_us = clock_wall_us() - 10000000,
	};
	d[i].fd = open(at.root, O_TMPFILE | O_RDWR, 0600);
	if (pwrite(d[i].fd, text, strlen(text), 0) != (ssize_t)strlen(text))
		exit(1);
}

static void begin(void)
{
	fresh();
	deliver_n("INBOX", 1);
	for (size_t i = 0; i < N; i++) {
		char text[40];

		snprintf(text, sizeof(text), "Subject: %zu\r\n\r\nx\r\n", i);
		make(i, text);
	}
}

static void end(void)
{
	for (size_t i = 0; i < N; i++)
		close(d[i].fd);
}

static uint32_t count(void)
{
	struct store *s;
	struct mailbox *m;
	uint32_t n = 0;

	if (store_open(at.maildir, false, &s) != ERR_OK)
		return 0;
	if (mailbox_open(s, "INBOX", true, &m) == ERR_OK)
		n = mailbox_count(m);
	mailbox_close(&m);
	store_close(&s);
	return n;
}

static void test_all(void)
{
	bool in_order = true;
	struct delivered again;

	begin();
	ok(deliver_together(box, d, N, out) == ERR_OK, "several at once");
	for (uint32_t i = 0; i < N; i++)
		in_order &= out[i].uid == i + 2 && !out[i].duplicate &&
			    out[i].uidvalidity == out[0].uidvalidity;
	ok(in_order, "… numbered in their order");
	ok(count() == N + 1, "… are all there");
	for (uint32_t i = 0; i < N; i++)
		in_order &= deliver_message(&d[i], &again) == ERR_OK &&
			    again.duplicate && again.uid == i + 2;
	ok(in_order && count() == N + 1, "… and each is known again");
	end();
}

static void test_known(void)
{
	struct delivered first;

	begin();
	deliver_message(&d[2], &first);
	ok(deliver_together(box, d, N, out) == ERR_EXISTS && count() == 2,
	   "one that is there: nothing is added");
	for (size_t i = 0; i < N; i++)
		deliver_message(&d[i], &out[i]);
	ok(out[2].duplicate && out[2].uid == first.uid && count() == N + 1,
	   "… and alone each finds its way");
	end();
}

static void test_twins(void)
{
	begin();
	d[3].queue_id = d[1].queue_id;
	ok(deliver_together(box, d, N, out) == ERR_EXISTS && count() == 1,
	   "two that are the same: nothing is added");
	end();
}

static void test_fault(void)
{
	begin();
	close(d[N - 1].fd);
	d[N - 1].fd = -1;
	ok(deliver_together(box, d, N, out) != ERR_OK && count() == 1,
	   "one that cannot be read: nothing is added");
	end();
}

static void test_no_folder(void)
{
	begin();
	for (size_t i = 0; i < N; i++)
		d[i].maildir = "/nonexistent/Maildir";
	ok(deliver_together(box, d, N, out) == ERR_NOT_FOUND,
	   "where there is no Maildir, it says so");
	end();
}

/* The power goes when the messages have their names. */
static void deliver_and_die(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dies = true;
		_exit(deliver_together(box, d, N, out) == ERR_OK);
	}
	waitpid(pid, NULL, 0);
}

/* Whether the first copy is whole cannot be seen now: no second one is made. */
static void test_unread(void)
{
	struct delivered again;
	int code;

	begin();
	deliver_and_die();
	ill = true;
	code = deliver_message(&d[0], &again);
	ill = false;
	ok(code == ERR_IO, "if it cannot be read, the delivery has to wait: %d",
	   code);
	ok(deliver_message(&d[0], &again) == ERR_OK && again.duplicate,
	   "it counts when it can be read");
	ok(count() == N + 1, "there is one copy of each");
	ill = true;
	code = deliver_message(&d[0], &again);
	ill = false;
	ok(code == ERR_OK && again.duplicate,
	   "what is known to be durable need not be read: %d", code);
	end();
}

/* The names are there, the content of one is not. Another of them, which is
 * whole, proves nothing of it. */
static void test_one_proves_itself(size_t first, size_t torn)
{
	struct delivered again;
	char name[600], sign[16];
	struct stat st;
	long size;

	begin();
	deliver_and_die();
	snprintf(sign, sizeof(sign), ",U=%zu", torn + 2);
	find_name("new", sign, name);
	size = file_size(path(name));
	ok(size > 0 && stat(path(name), &st) == 0 &&
		   truncate(path(name), 0) == 0 &&
		   truncate(path(name), size) == 0 &&
		   utimensat(AT_FDCWD, path(name),
			     (struct timespec[]){ st.st_atim, st.st_mtim },
			     0) == 0,
	   "a power cut leaves zeros of message %zu", torn);
	ok(deliver_message(&d[first], &again) == ERR_OK && again.duplicate,
	   "message %zu is there already", first);
	ok(deliver_message(&d[torn], &again) == ERR_OK && !again.duplicate,
	   "the one of zeros is delivered again");
	ok(count() == N + 1, "and all are there");
	end();
}

int main(void)
{
	box = letterbox_new();
	test_all();
	test_known();
	test_twins();
	test_fault();
	test_no_folder();
	test_unread();
	test_one_proves_itself(0, N - 1);
	test_one_proves_itself(N - 1, 0);
	letterbox_free(&box);
	clean();
	return done();
}
