#include "intake/posting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

int posting_begin(const struct envelope *e)
{
	int fd = memfd_create("posting", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct buf b;
	int err;

	if (fd < 0)
		return -1;
	buf_init(&b, POSTING_ENVELOPE_MAX);
	envelope_write(&b, e);
	buf_putc(&b, '\n');
	err = b.over ? ERR_TOO_LONG : file_write(fd, b.data, b.len);
	if (b.over)
		errno = E2BIG;
	buf_free(&b);
	if (err) {
		close(fd);
		return -1;
	}
	return fd;
}

static enum posting_status judge(const struct ipc_in *a, struct buf *reply)
{
	const char *text = ipc_text(a, "reply");

	if (*text)
		buf_puts(reply, text);
	else
		buf_puts(reply, "the answer was not understood");
	if (ipc_is(a, "queued"))
		return POSTING_QUEUED;
	if (!ipc_is(a, "failed"))
		return POSTING_UNKNOWN;
	return *text == '5' ? POSTING_REFUSED : POSTING_LATER;
}

static enum posting_status hand_over(int sock, int fd, int64_t ms,
				     struct buf *reply)
{
	enum posting_status status = POSTING_AWAY;
	struct ipc_out q = { 0 };
	struct ipc_in a = { 0 };
	int err;

	ipc_begin(&q, "message");
	ipc_put_fd(&q, fd);
	err = ipc_send(sock, &q, ms);
	if (!err) {
		err = ipc_recv(sock, &a, ms);
		status = err ? POSTING_UNKNOWN : judge(&a, reply);
	}
	if (err)
		buf_puts(reply, err_why(err));
	ipc_out_free(&q);
	ipc_in_free(&a);
	return status;
}

enum posting_status posting_send(const char *path, int fd, int64_t ms,
				 struct buf *reply)
{
	enum posting_status status;
	int sock = ipc_connect(path), err;

	if (sock < 0) {
		buf_printf(reply, "%s: %s", path, strerror(errno));
		return POSTING_AWAY;
	}
	err = file_seal(fd);
	if (err) {
		buf_puts(reply, err_why(err));
		close(sock);
		return POSTING_AWAY;
	}
	status = hand_over(sock, fd, ms, reply);
	close(sock);
	return status;
}

/* A name that nobody can guess, so that nobody can create it first. */
static char *new_name(const char *dir, const char *prefix)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint64_t)getpid();
	return mem_printf("%s/%s%016llx.%016llx", dir, prefix,
			  (unsigned long long)clock_wall_us(),
			  (unsigned long long)random);
}

static int copy_all(int from, int to)
{
	off_t at = 0;
	struct stat st;

	if (fstat(from, &st) < 0)
		return -1;
	while (at < st.st_size) {
		ssize_t n = sendfile(to, from, &at, 1 << 20);

		if (n == 0)
			errno = EIO;
		if (n <= 0 && errno != EINTR)
			return -1;
	}
	return 0;
}

/* We may be able to write the folder but not read it: then only the whole file
 * system can be synced. */
static int sync_name(const char *dir, int fd)
{
	int err = file_sync_dir(dir);

	if (err == ERR_OK)
		return 0;
	return err == ERR_DENIED ? syncfs(fd) : -1;
}

static int write_file(const char *name, int from, int *to)
{
	*to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		   0640);
	if (*to < 0)
		return err_sys("make", name);
	/* whatever the caller's umask is */
	if (fchmod(*to, 0640) < 0)
		return err_sys("set the mode of", name);
	if (copy_all(from, *to) < 0)
		return err_sys("write", name);
	return fsync(*to) < 0 ? err_sys("sync", name) : ERR_OK;
}

static int give_name(const char *dir, const char *tmp, const char *name, int fd)
{
	if (rename(tmp, name) < 0)
		return err_sys("rename", tmp);
	return sync_name(dir, fd) < 0 ? err_sys("sync", dir) : ERR_OK;
}

int posting_drop(const char *dir, int fd, struct buf *why)
{
	char *tmp = new_name(dir, "tmp.");
	char *name = new_name(dir, POSTING_DROP_PREFIX);
	int to = -1, err = write_file(tmp, fd, &to);

	if (!err)
		err = give_name(dir, tmp, name, to);
	if (err) {
		buf_puts(why, err_why(err));
		/* one of them exists; if it stays, tmp is removed as stale,
		 * and name is one more copy than the sender expects */
		if (to >= 0)
			err_ignore(unlink(tmp));
		if (to >= 0)
			err_ignore(unlink(name));
	}
	if (to >= 0)
		close(to);
	free(tmp);
	free(name);
	return err;
}

/* Reads until the empty line is in B; *END is after it. */
static int read_records(int fd, off_t size, struct buf *b, size_t *end)
{
	for (;;) {
		size_t from = b->len ? b->len - 1 : 0;
		off_t left = size - (off_t)b->len;
		size_t n = left < 65536 ? (size_t)left : 65536;
		const char *gap;
		char *to;
		int err;

		if (n == 0)
			return ERR_SYNTAX;
		to = buf_room(b, n);
		if (!to)
			return ERR_TOO_LONG;
		err = file_pread(fd, to, n, (off_t)b->len);
		if (err)
			return err;
		buf_added(b, n);
		gap = memmem(b->data + from, b->len - from, "\n\n", 2);
		if (gap) {
			*end = (size_t)(gap - b->data) + 2;
			return ERR_OK;
		}
	}
}

int posting_read(struct arena *a, int fd, struct envelope *e, off_t *offset,
		 off_t *length)
{
	struct stat st;
	struct buf b;
	size_t end;
	int err;

	if (fstat(fd, &st) < 0)
		return err_sys("look at", "a posting");
	buf_init(&b, POSTING_ENVELOPE_MAX);
	err = read_records(fd, st.st_size, &b, &end);
	if (!err)
		err = envelope_read(a, b.data, end - 1, e);
	buf_free(&b);
	if (err)
		return err == ERR_EOF ? ERR_SYNTAX : err;
	*offset = (off_t)end;
	*length = st.st_size - (off_t)end;
	return ERR_OK;
}
