/*
 * Complete reads and writes in spite of short counts and EINTR; directories,
 * where an error is not the end; and files that are replaced as a whole. Every
 * failure saves its cause, with the name if there is one.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/heartbeat.h"
#include "base/mem.h"

#define SYNC_MS 300000 /* the disk's progress cannot be seen */

int file_write(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		heartbeat();
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys("write", NULL);
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

		heartbeat();
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys("write", NULL);
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

		heartbeat();
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys("read", NULL);
		if (done == 0)
			return ERR_EOF;
		p += done;
		at += done;
		n -= (size_t)done;
	}
	return ERR_OK;
}

int file_sync(int fd)
{
	int result;

	heartbeat_long(SYNC_MS);
	result = fsync(fd);
	heartbeat();
	return result;
}

int file_sync_all(int fd)
{
	int result;

	heartbeat_long(SYNC_MS);
	result = syncfs(fd);
	heartbeat();
	return result;
}

int file_sync_data(int fd)
{
	int result;

	heartbeat_long(SYNC_MS);
	result = fdatasync(fd);
	heartbeat();
	return result;
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
				       : err_sys("read", NULL);
		}
		n = read(fd, to, left > 65536 ? 65536 : left);
		heartbeat();
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys("read", NULL);
		if (n == 0)
			return ERR_OK;
		buf_added(b, (size_t)n);
	}
}

int file_open(const char *path, int *fd)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*fd < 0)
		return err_sys("open", path);
	if (fstat(*fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
		return ERR_OK;
	close(*fd);
	*fd = -1;
	return err_set(ERR_UNSUPPORTED, "%s is no regular file", path);
}

int file_read(const char *path, struct buf *b)
{
	int fd, err = file_open(path, &fd);

	if (err)
		return err;
	err = file_read_fd(fd, b);
	if (err == ERR_TOO_LONG)
		err_set(err, "%s is larger than %zu bytes", path, b->max);
	else if (err)
		err = err_sys("read", path);
	close(fd);
	return err;
}

void file_begin_output(void)
{
	signal(SIGPIPE, SIG_DFL);
}

int file_end_output(void)
{
	if (fflush(stdout) != 0)
		return err_sys("write to", "standard output");
	if (ferror(stdout))
		return err_set(ERR_IO, "not all could be written to standard "
				       "output");
	return ERR_OK;
}

int file_sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = ERR_OK;

	if (fd < 0)
		return err_sys("open", path);
	if (file_sync(fd) < 0)
		err = err_sys("sync", path);
	close(fd);
	return err;
}

/* The one caller of readdir. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
int file_next(DIR *d, const char *name, struct dirent **e)
{
	errno = 0;
	*e = readdir(d);
	return !*e && errno ? err_sys("read the directory", name) : ERR_OK;
}
#pragma GCC diagnostic pop

/* Writes a new file at TMP, durable by itself. */
static int write_new(const char *tmp, mode_t mode, const void *data, size_t n)
{
	int fd, err;

	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys("make", tmp);
	err = file_write(fd, data, n);
	if (err)
		err = err_sys("write", tmp);
	else if (fchmod(fd, mode) < 0 || file_sync(fd) < 0)
		err = err_sys("sync", tmp);
	if (close(fd) < 0 && !err)
		err = err_sys("close", tmp);
	return err;
}

int file_replace(const char *path, mode_t mode, const void *data, size_t n)
{
	char *tmp = mem_printf("%s.new.%ld", path, (long)getpid());
	char *copy = mem_strdup(path);
	int err = write_new(tmp, mode, data, n);

	if (!err && rename(tmp, path) < 0)
		err = err_sys("rename to", path);
	if (err)
		err_ignore(unlink(tmp)); /* its name says what it is */
	else
		err = file_sync_dir(dirname(copy));
	free(copy);
	free(tmp);
	return err;
}

/* Makes the name of the new directory PATH durable, and that of its parent:
 * the process that made the parent may have died before its sync. */
static int sync_parents(const char *path)
{
	char *copy = mem_strdup(path), *dir = copy;
	int err = ERR_OK;

	for (int i = 0; i < 2 && !err; i++) {
		dir = dirname(dir);
		err = file_sync_dir(dir);
		/* a directory that may not be read cannot be synced, nor one
		 * that is not on a disk */
		if (err == ERR_DENIED || (err && errno == EINVAL))
			err = ERR_OK;
	}
	free(copy);
	return err;
}

int file_owned_dir(const char *path, uid_t uid)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) && st.st_uid == uid ? ERR_OK
							       : ERR_NOT_FOUND;
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return ERR_NOT_FOUND;
	return err_sys("see", path);
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
			err = err_sys("make", path);
		*p = c;
		if (c == '\0')
			break;
	}
	free(path);
	return err;
}

/* The seals that keep the content as it is. */
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

bool file_is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

int file_seal(int fd)
{
	if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == 0 ||
	    (errno == EPERM && file_is_sealed(fd)))
		return ERR_OK;
	return err_sys("seal", "a file in memory");
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
