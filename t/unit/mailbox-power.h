/*
 * A power cut on a file system that makes names, sizes and other files durable
 * before a message's content: a delivery or an expunge is killed at one of its
 * steps.
 */
#ifndef T_UNIT_MAILBOX_POWER_H
#define T_UNIT_MAILBOX_POWER_H

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "index/disk.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/leftover.h"
#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

/* Where the process ends. */
static bool dies, dies_at_place, dies_naming, dies_unlinking;
static bool delivers_after_sync; /* another process, meanwhile */
static struct {
	int files, places, journals;
} syncs;

int linkat(int dir, const char *from, int dir2, const char *to, int flags)
{
	if (dies_naming)
		_exit(0);
	return (int)syscall(SYS_linkat, dir, from, dir2, to, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	if (dies_unlinking)
		_exit(0);
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 &&
	    (S_ISREG(st.st_mode) ? dies : dies_at_place))
		_exit(0);
	*(S_ISREG(st.st_mode) ? &syncs.files : &syncs.places) += 1;
	return (int)syscall(SYS_fsync, fd);
}

/* The first sync of an expunge is that of its record. */
int fdatasync(int fd)
{
	if (delivers_after_sync) {
		delivers_after_sync = false;
		deliver_n("INBOX", 1);
	}
	syncs.journals++;
	return (int)syscall(SYS_fdatasync, fd);
}

#define TEXT_SIZE 5000
static char text[TEXT_SIZE + 1];

__attribute__((unused)) static void make_text(void)
{
	size_t n = (size_t)sprintf(text, "From: <a@b>\r\nSubject: x\r\n\r\n");

	while (n + 60 < TEXT_SIZE)
		n += (size_t)sprintf(text + n, "line at byte %zu\r\n", n);
}

/* A delivery that ends when *END is to be done. */
__attribute__((unused)) static void begin_delivery_until(bool *end, const char *id)
{
	struct delivered out;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		*end = true;
		deliver_to("INBOX", text, id, &out);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		printf("# the delivery did not end as planned\n");
}

/* One that ends when it has given the file its name. */
__attribute__((unused)) static void begin_delivery(const char *id)
{
	begin_delivery_until(&dies, id);
}

#endif
