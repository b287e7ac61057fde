/*
 * A user's Maildir as a whole: opening and making it, its locks, the counter of
 * UIDVALIDITYs, and how its small files are replaced. Its folders are made,
 * renamed and removed in folders.c, and listed in list.c.
 */
#include "mailbox/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "maildir/maildir.h"
#include "index/disk.h"
#include "index/lock.h"
#include "mailbox/mailbox.h"
#include "mailbox/private.h"

#define USER_LOCK_MS 10000

int store_make_dirs(int dir, bool inbox)
{
	int fd, code = maildir_make(dir);

	if (code || inbox)
		return code;
	fd = openat(dir, "maildirfolder",
		    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
			    O_NONBLOCK,
		    0600);
	if (fd < 0)
		return err_sys("make", "maildirfolder");
	close(fd);
	return ERR_OK;
}

void store_set_decoders(struct store *s, const struct decoders *d,
			uint64_t asker)
{
	s->asker = asker;
	s->decoders = d->n > 0 ? d : NULL;
}

/* Syncs the name of the directory PATH in the one above it. */
static int sync_name(const char *path)
{
	char *copy = mem_strdup(path);
	int code = file_sync_dir(dirname(copy));

	free(copy);
	/* a directory that may not be read cannot be synced either */
	return code == ERR_DENIED ? ERR_OK : code;
}

static int make_maildir(const char *path)
{
	int code = file_make_dirs(path, 0700);
	int dir;

	/* `cur`, made last, says that all is there: so the Maildir's own name
	 * is made durable first, since another may have made it and died. */
	if (!code)
		code = sync_name(path);
	if (code)
		return code;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = dir < 0 ? err_sys("open", path) : store_make_dirs(dir, true);
	if (!code && fsync(dir) < 0)
		code = err_sys("sync", path);
	if (dir >= 0)
		close(dir);
	return code;
}

int store_open(const char *path, bool create, struct store **s)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code;

	if (dir >= 0 && create && faccessat(dir, "cur", F_OK, 0) < 0) {
		close(dir);
		dir = -1;
		errno = ENOENT;
	}
	if (dir < 0 && errno == ENOENT && create) {
		code = make_maildir(path);
		if (code)
			return code;
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (dir < 0)
		return err_sys("open", path);
	*s = mem_alloc(sizeof(**s));
	(*s)->path = mem_strdup(path);
	(*s)->dir = dir;
	(*s)->lock = (*s)->quota_lock = -1;
	(*s)->opener = maildir_open;
	return ERR_OK;
}

void store_close(struct store **s)
{
	if (!*s)
		return;
	close((*s)->dir);
	if ((*s)->lock >= 0)
		close((*s)->lock);
	if ((*s)->quota_lock >= 0)
		close((*s)->quota_lock);
	free((*s)->path);
	free(*s);
	*s = NULL;
}

bool store_is_moved(const struct store *s)
{
	struct stat open, there;

	if (stat(s->path, &there) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	return fstat(s->dir, &open) == 0 &&
	       (open.st_dev != there.st_dev || open.st_ino != there.st_ino);
}

static int take_lock(struct store *s, int *lock, const char *name)
{
	if (*lock < 0)
		*lock = lock_open(s->dir, name);
	if (*lock < 0)
		return err_sys("open", name);
	return lock_take(*lock, USER_LOCK_MS);
}

int store_lock(struct store *s)
{
	return take_lock(s, &s->lock, DISK_USER_LOCK);
}

void store_unlock(struct store *s)
{
	lock_release(s->lock);
}

int store_quota_hold(struct store *s)
{
	return take_lock(s, &s->quota_lock, DISK_QUOTA_LOCK);
}

void store_quota_release(struct store *s)
{
	if (s->quota_lock >= 0)
		lock_release(s->quota_lock);
}

int store_replace_file(int dir, const char *name, const char *text, size_t n)
{
	char fresh[64];
	int fd, code;

	snprintf(fresh, sizeof(fresh), "%s" DISK_NEW_SUFFIX, name);
	/* an unfinished one of before; if it stays, O_EXCL tells */
	err_ignore(unlinkat(dir, fresh, 0));
	fd = openat(dir, fresh,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys("make", fresh);
	code = file_write(fd, text, n);
	if (!code && fsync(fd) < 0)
		code = err_sys("sync", fresh);
	close(fd);
	if (!code && renameat(dir, fresh, dir, name) < 0)
		code = err_sys("put in place", name);
	if (!code && fsync(dir) < 0)
		code = err_sys("sync the directory of", name);
	if (code)
		err_ignore(unlinkat(dir, fresh, 0)); /* or the next */
	return code;
}

static int64_t read_counter(struct store *s)
{
	char text[32] = "";
	int64_t value;
	ssize_t n = -1;
	int fd = openat(s->dir, DISK_COUNTER,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0 || !str_span_to_int(text, strcspn(text, "\n"), 1,
				       UINT32_MAX - 2, &value))
		return 0;
	return value;
}

int store_next_uidvalidity(struct store *s, uint32_t *validity)
{
	int64_t value, now = clock_wall();
	char text[32];
	int code = store_lock(s), n;

	if (code)
		return code;
	/* The clock is only where counting begins: if the counter is lost, it
	 * is still higher than what was given out. */
	value = read_counter(s) + 1;
	if (value < now && now < UINT32_MAX - 2)
		value = now;
	n = snprintf(text, sizeof(text), "%lld\n", (long long)value);
	code = store_replace_file(s->dir, DISK_COUNTER, text, (size_t)n);
	store_unlock(s);
	*validity = (uint32_t)value;
	return code;
}

int store_exists(struct store *s, const char *name)
{
	char disk[DISK_NAME_SIZE + 8];
	struct stat st;
	int code = disk_name_in(s->dir, name, disk);

	if (code)
		return code;
	strcat(disk, "/cur");
	if (fstatat(s->dir, disk, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_from_errno(errno);
	return S_ISDIR(st.st_mode) ? ERR_OK : ERR_NOT_FOUND;
}

int store_token(struct store *s, const char *name, struct folder_token *t)
{
	char disk[DISK_NAME_SIZE];
	int code = disk_name_in(s->dir, name, disk);

	t->fd = -1;
	return code ? code : maildir_token(s->dir, disk, t);
}

int store_id(struct store *s, const char *name, struct folder_id *id)
{
	struct folder_token t;
	int code = store_token(s, name, &t);

	if (!code)
		*id = t.id;
	folder_token_end(&t);
	return code;
}
