/*
 * Appends to a file that an alias names, in an errand that has become the user
 * responsible for the alias. The file must be one that can only be mail:
 * regular, not executable, without another name, not a symbolic link; the only
 * device allowed is /dev/null. An incomplete message is cut off again, and a
 * complete one is durable before anyone is told.
 */
#include "local-deliver/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "local-deliver/content.h"
#include "local-deliver/dotlock.h"
#include "local-deliver/errand.h"
#include "local-deliver/mailbox.h"
#include "log/log.h"
#include "mailbox/deliver.h"

/* The errand's exit status. */
enum { DONE, LATER, NEVER };

struct append {
	const char *path;
	const char *prologue;
	const struct recipient *recipient;
};

/* Writes why as the errand's answer; gives STATUS. */
static int say(int out, int status, const char *why)
{
	return file_write(out, why, strlen(why)) ? LATER : status;
}

/* The kind of failure, without the name, which comes before it. */
static const char *short_why(int err)
{
	return err_errno() ? strerror(err_errno()) : err_text(err);
}

static const char *unfit(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is no regular file";
	if (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH | S_ISUID | S_ISGID))
		return "is executable";
	if (st.st_nlink != 1)
		return "has more than one name";
	return NULL;
}

/* "From sender date": the separator of an mbox. */
static void put_separator(const struct append *a, struct buf *out)
{
	const char *sender = a->recipient->message->job->sender;
	char date[CLOCK_DATE_SIZE];

	buf_puts(out, "From ");
	if (*sender == '\0')
		buf_puts(out, "MAILER-DAEMON");
	for (; *sender; sender++)
		buf_putc(out, (unsigned char)*sender <= ' ' ? '_' : *sender);
	buf_printf(out, " %s\n",
		   clock_mbox_date(date, sizeof(date), clock_wall()));
}

static int write_message(const struct append *a, int fd)
{
	struct content c;
	struct buf out;
	int err, more;

	content_begin(&c, a->recipient->message->job, a->prologue, true);
	buf_init(&out, 2 * CONTENT_PIECE_MAX);
	put_separator(a, &out);
	do {
		more = content_next(&c, &out);
		if (more == ERR_EOF)
			buf_puts(&out, c.line_start ? "\n" : "\n\n");
		err = file_write(fd, out.data, out.len);
		if (err)
			err = err_sys("write", a->path);
		buf_reset(&out);
	} while (!err && !more);
	buf_free(&out);
	return err ? err : more == ERR_EOF ? ERR_OK : more;
}

/* Makes the content durable, and the name if it is new. */
static int make_durable(int fd, const char *path)
{
	char *copy = mem_strdup(path);
	int err = file_sync(fd) < 0 ? err_sys("sync", path) : ERR_OK;

	if (!err)
		err = file_sync_dir(dirname(copy));
	/* a folder that we may write but not read cannot be synced */
	if (err == ERR_DENIED)
		err = ERR_OK;
	free(copy);
	return err;
}

static int append_locked(const struct append *a, int fd)
{
	off_t before = lseek(fd, 0, SEEK_END);
	int err =
		before < 0 ? err_sys("seek in", a->path) : write_message(a, fd);

	if (!err)
		err = make_durable(fd, a->path);
	if (!err)
		return ERR_OK;
	log_error("%s: cannot deliver to file %s: %s",
		  a->recipient->message->job->id, a->path, err_why(err));
	if (ftruncate(fd, before) < 0)
		log_error("%s: %s keeps a part of the message: %m",
			  a->recipient->message->job->id, a->path);
	return err;
}

static int append_to(const struct append *a, int fd, int out)
{
	const char *wrong = unfit(fd);
	bool dot;
	int err;

	if (wrong)
		return say(out, NEVER, wrong);
	err = dotlock_take(fd, a->path, &dot);
	if (!err) {
		err = append_locked(a, fd);
		dotlock_drop(a->path, dot);
	}
	return err ? say(out, LATER, short_why(err)) : DONE;
}

/* In the errand. */
static int act(void *context, int out)
{
	const struct append *a = context;
	int fd, status;

	if (str_equal(a->path, "/dev/null"))
		return DONE;
	fd = open(a->path,
		  O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
			  O_NOCTTY | O_CLOEXEC,
		  0600);
	if (fd < 0 && errno == EISDIR)
		return say(out, NEVER, "is a directory");
	if (fd < 0 && errno == ELOOP)
		return say(out, NEVER, "is a symbolic link");
	if (fd < 0 && errno == ENXIO)
		return say(out, NEVER, "is a FIFO or a socket");
	if (fd < 0)
		return say(out, LATER, strerror(errno));
	status = append_to(a, fd, out);
	close(fd);
	return status;
}

/* "/path/": a Maildir. Its delivery is durable by itself. */
static int act_maildir(void *context, int out)
{
	const struct append *a = context;
	const struct job *j = a->recipient->message->job;
	struct delivery d = { .maildir = a->path,
			      .folder = "INBOX",
			      .prologue = a->prologue,
			      .fd = j->fd,
			      .offset = j->offset,
			      .length = j->length,
			      .queue_id = j->id,
			      .recipient = a->recipient->text,
			      .arrival_us = j->arrival_us };
	struct delivered delivered;
	int err = deliver_message(&d, &delivered);

	return err ? say(out, LATER, err_why(err)) : DONE;
}

static void settle_by(struct recipient *r, int status, const char *path,
		      const char *why)
{
	if (status == DONE)
		settle(r, RESULT_SENT, "2.0.0", "local", "delivered to file");
	else if (status == NEVER)
		settle(r, RESULT_FAILED, "5.2.0", "local",
		       "cannot deliver to a file: it %s", why);
	else if (*why)
		settle(r, RESULT_DEFERRED, "4.2.0", "local",
		       "cannot deliver to a file");
	else
		settle_away(r, "the process that appends to a file ended");
	r->detail = status == LATER ? arena_printf(r->message->arena, "%s: %s",
						   path, why)
				    : path;
}

void file_deliver(struct recipient *r, const struct identity *who,
		  const char *path)
{
	bool maildir = str_ends_ci(path, "/");
	struct append a = { .path = path, .recipient = r };
	struct buf prologue, why;
	int status;

	buf_init(&prologue, IPC_PACKET_MAX * 2);
	buf_init(&why, 512);
	mailbox_prologue(r, r->text, &prologue);
	a.prologue = prologue.data;
	status = errand_run(who, r->message->job->fd,
			    maildir ? act_maildir : act, &a, &why);
	settle_by(r, status, path, why.data);
	buf_free(&why);
	buf_free(&prologue);
}
