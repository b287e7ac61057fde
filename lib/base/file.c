#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

int file_write(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_from_errno(errno);
		p += done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

int file_pwrite(int fd, const void *data, size_t n, off_t at)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_from_errno(errno);
		p += done;
		at += done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

int file_pread(int fd, void *data, size_t n, off_t at)
{
	char *p = data;

	while (n > 0) {
		ssize_t done = pread(fd, p, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_from_errno(errno);
		if (done == 0)
			return ERR_EOF;
		p += done;
		at += done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

int file_read_fd(int fd, struct buf *b)
{
	for (;;) {
		size_t left = b->max - b->len;
		char *to = buf_room(b, left > 65536 ? 65536 : left);
		ssize_t n;

		if (left == 0) {
			char one;

			n = read(fd, &one, 1);
			return n == 0  ? ERR_OK
			       : n > 0 ? ERR_TOO_LONG
				       : err_from_errno(errno);
		}
		n = read(fd, to, left > 65536 ? 65536 : left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_from_errno(errno);
		if (n == 0)
			return ERR_OK;
		buf_added(b, (size_t)n);
	}
}

int file_read(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return err_from_errno(errno);
	err = file_read_fd(fd, b);
	close(fd);
	return err;
}

int file_sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = ERR_OK;

	if (fd < 0)
		return err_from_errno(errno);
	if (fsync(fd) < 0)
		err = err_from_errno(errno);
	close(fd);
	return err;
}

/* Writes a new file at TMP, durable by itself. */
static int write_new(const char *tmp, mode_t mode, const void *data, size_t n)
{
	int fd, err;

	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_from_errno(errno);
	err = file_write(fd, data, n);
	if (!err && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		err = err_from_errno(errno);
	if (close(fd) < 0 && !err)
		err = err_from_errno(errno);
	return err;
}

int file_replace(const char *path, mode_t mode, const void *data, size_t n)
{
	char *tmp = mem_printf("%s.new.%ld", path, (long)getpid());
	char *copy = mem_strdup(path);
	int err = write_new(tmp, mode, data, n);

	if (!err && rename(tmp, path) < 0)
		err = err_from_errno(errno);
	if (err)
		unlink(tmp);
	else
		err = file_sync_dir(dirname(copy));
	free(copy);
	free(tmp);
	return err;
}

/* The name of the directory PATH, just made, is to last, and the name of the
 * one that it is in: who made that may have died before its sync. */
static int sync_parents(const char *path)
{
	char *copy = mem_strdup(path), *dir = copy;
	int err = ERR_OK;

	for (int i = 0; i < 2 && !err; i++) {
		dir = dirname(dir);
		err = file_sync_dir(dir);
		/* one that may not be read cannot be synced, nor one that
		 * is on no disk */
		if (err == ERR_DENIED || (err && errno == EINVAL))
			err = ERR_OK;
	}
	free(copy);
	return err;
}

int file_make_dirs(const char *dir, mode_t mode)
{
	char *path = mem_strdup(dir);
	int err = ERR_OK;

	for (char *p = path + 1; !err; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, mode) == 0)
			err = sync_parents(path);
		else if (errno != EEXIST)
			err = err_from_errno(errno);
		*p = c;
		if (c == '\0')
			break;
	}
	free(path);
	return err;
}

void file_set_cloexec(int fd, bool on)
{
	fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

void file_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	int want = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

	if (flags >= 0 && want != flags)
		fcntl(fd, F_SETFL, want);
}
