/*
 * File systems and kernels that have less: without unnamed files (O_TMPFILE) a
 * new message has a name in `tmp` until it is complete; without
 * RENAME_NOREPLACE, or AT_EMPTY_PATH for all, there are other ways.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "t/unit/mailbox-lib.h"

static bool has_unnamed, has_empty_path, has_noreplace, dies_naming;

int openat(int dir, const char *name, int flags, ...)
{
	va_list more;
	mode_t mode;

	if (!has_unnamed && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	va_start(more, flags);
	mode = va_arg(more, mode_t);
	va_end(more);
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

int renameat2(int from, const char *old, int to, const char *new,
	      unsigned flags)
{
	if (dies_naming)
		_exit(0);
	if (!has_noreplace && flags & RENAME_NOREPLACE) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from, old, to, new, flags);
}

int linkat(int dir, const char *from, int dir2, const char *to, int flags)
{
	if (!has_empty_path && flags & AT_EMPTY_PATH) {
		errno = ENOENT;
		return -1;
	}
	return (int)syscall(SYS_linkat, dir, from, dir2, to, flags);
}

static const char text[] = "From: <a@b>\r\n\r\nbody\r\n";

/* COUNT messages, and no other file. */
static bool holds(uint32_t count)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", true, &s);
	bool good = m && mailbox_count(m) == count &&
		    files_of_inbox() == (int)count;

	for (uint32_t i = 1; good && i <= count; i++)
		good = text_is(m, i,
			       "Return-Path: <a@b>\r\n"
			       "From: <a@b>\r\n\r\nbody\r\n");
	close_folder(&m, &s);
	return good;
}

static void test_delivery(void)
{
	struct delivered out;

	fresh();
	ok(deliver_to("INBOX", text, "", &out) == ERR_OK && holds(1),
	   "a message is delivered");
	ok(count_files("tmp") == 0, "and leaves no other name");
	rmdir(path("tmp"));
	ok(deliver_to("INBOX", text, "", &out) == ERR_OK && holds(2),
	   "also if `tmp` is missing");
}

/* Killed before the message had its place. */
static void test_killed(void)
{
	struct delivered out;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dies_naming = true;
		deliver_to("INBOX", text, "Q1", &out);
		_exit(1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0 &&
		   count_files("tmp") == 1,
	   "a delivery that is killed leaves its file in `tmp`");
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK &&
		   !out.duplicate && holds(3),
	   "and is made again");
}

/* A refused message leaves nothing. */
static void test_given_up(void)
{
	struct store *s;
	struct append *a;

	store_open(at.maildir, true, &s);
	ok(append_new(s, "INBOX", &a) == ERR_OK &&
		   append_begin(a, 0, NULL, 0, -1) == ERR_OK &&
		   append_write(a, text, strlen(text)) == ERR_OK,
	   "a message is begun");
	append_free(&a);
	store_close(&s);
	ok(holds(3) && count_files("tmp") == 1, "and given up without a trace");
}

static void flag(uint32_t seq, unsigned flags)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", false, &s);

	mailbox_store(m, &seq, 1, MAILBOX_SET, flags, 0, UINT64_MAX, NULL);
	close_folder(&m, &s);
}

/* Flags go into names, but never over another file. */
static void test_rename(void)
{
	char name[600], taken[700];

	fresh();
	deliver_n("INBOX", 1);
	flag(1, MAILBOX_FLAGGED);
	ok(find_name("cur", ":2,F", name) && files_of_inbox() == 1,
	   "a name that is free is taken");
	snprintf(taken, sizeof(taken), "%sS", name);
	write_file(path(taken), text, strlen(text));
	flag(1, MAILBOX_FLAGGED | MAILBOX_SEEN);
	ok(files_of_inbox() == 2, "one that is not free is left alone");
}

int main(void)
{
	test_delivery();
	test_killed();
	test_given_up();
	has_unnamed = true;
	test_delivery();
	test_rename();
	clean();
	return done();
}
