/*
 * The files of annotations. They are replaced as a whole, under the user's
 * lock, as the other small files of a Maildir are; a reader needs no lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "mailbox/metadata.h"
#include "mailbox/names.h"
#include "mailbox/private.h"

/* Each entry has a line beside its name and value, and there is a head. */
#define FILE_MAX (METADATA_TOTAL_MAX + 16 * METADATA_ENTRIES_MAX + 64)

/* An open place of entries: a folder's directory, or the account's. */
struct place {
	struct store *s;
	const char *folder; /* "": the account */
	const char *file;
	int dir;
	bool locked; /* the user's lock is held */
};

static int open_place(struct place *p, struct store *s, const char *folder)
{
	char disk[DISK_NAME_SIZE] = ".";

	*p = (struct place){ .s = s, .folder = folder };
	p->file = *folder ? DISK_METADATA : DISK_METADATA_ACCOUNT;
	if (*folder && (disk_name_in(s->dir, folder, disk) != ERR_OK ||
			store_exists(s, folder) != ERR_OK))
		return ERR_NOT_FOUND;
	p->dir = openat(s->dir, disk,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return p->dir < 0 ? err_sys("open", folder) : ERR_OK;
}

/* What FD, the file FILE, holds is appended to B. */
static int read_text(int fd, const char *file, struct buf *b)
{
	struct stat st;
	int code;

	if (fstat(fd, &st) < 0)
		return err_sys("look at", file);
	if (!S_ISREG(st.st_mode))
		return err_set(ERR_CORRUPT, "it is no file");
	code = file_read_fd(fd, b);
	return code == ERR_TOO_LONG ? err_set(ERR_CORRUPT, "it is too large")
				    : code;
}

/* Reads FILE in DIR. ERR_CORRUPT: it is damaged. */
static int load(int dir, const char *file, struct metadata *m)
{
	struct buf b;
	int code, fd = openat(dir, file,
			      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return ERR_OK;
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return err_set(ERR_CORRUPT, "it is no file");
	if (fd < 0)
		return err_sys("open", file);
	buf_init(&b, FILE_MAX);
	code = read_text(fd, file, &b);
	close(fd);
	if (!code)
		code = metadata_parse(b.data, b.len, m);
	buf_free(&b);
	return code;
}

int metadata_check(int dir)
{
	struct metadata m = { 0 };
	int code = load(dir, DISK_METADATA, &m);

	metadata_free(&m);
	return code;
}

/* Gives the damaged file another name, under which whoever looks into the
 * damage finds it. */
static int put_aside(const struct place *p)
{
	char *why = mem_strdup(err_why(ERR_CORRUPT)), aside[80];
	int64_t now = clock_wall();
	int code;

	do {
		snprintf(aside, sizeof(aside), "%s.damaged-%" PRId64, p->file,
			 now++);
		code = renameat2(p->dir, p->file, p->dir, aside,
				 RENAME_NOREPLACE) < 0
			       ? err_sys("put aside", p->file)
			       : ERR_OK;
	} while (code == ERR_EXISTS);
	if (!code)
		log_error("mailbox: %s: %s of %s is damaged (%s): kept as %s, "
			  "its annotations are gone",
			  p->s->path, p->file,
			  *p->folder ? p->folder : "the account", why, aside);
	free(why);
	return code;
}

/* Another may have put the file aside, and written it anew, since it was found
 * damaged. */
static int read_again(struct place *p, struct metadata *m)
{
	int code = p->locked ? ERR_OK : store_lock(p->s);

	if (code)
		return code;
	code = load(p->dir, p->file, m);
	if (code == ERR_CORRUPT)
		code = put_aside(p);
	if (!p->locked)
		store_unlock(p->s);
	return code;
}

static int read_place(struct place *p, struct metadata *m)
{
	int code = load(p->dir, p->file, m);

	return code == ERR_CORRUPT ? read_again(p, m) : code;
}

static int write_place(const struct place *p, const struct metadata *m)
{
	struct buf b;
	int code;

	buf_init(&b, FILE_MAX);
	metadata_print(m, &b);
	code = b.over ? ERR_LIMIT
		      : store_replace_file(p->dir, p->file, b.data, b.len);
	buf_free(&b);
	return code;
}

struct metadata_stamp metadata_stamp(struct store *s, const char *folder)
{
	struct metadata_stamp stamp = { 0 };
	char disk[DISK_NAME_SIZE] = ".", path[DISK_NAME_SIZE + 40];
	struct stat st;

	if (*folder && disk_name_in(s->dir, folder, disk) != ERR_OK)
		return stamp;
	snprintf(path, sizeof(path), "%s/%s", disk,
		 *folder ? DISK_METADATA : DISK_METADATA_ACCOUNT);
	if (fstatat(s->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		stamp.file = (uint64_t)st.st_ino;
		stamp.size = (uint64_t)st.st_size;
		stamp.changed = (int64_t)st.st_ctim.tv_sec * 1000000000 +
				st.st_ctim.tv_nsec;
	}
	return stamp;
}

bool metadata_stamp_equal(const struct metadata_stamp *a,
			  const struct metadata_stamp *b)
{
	return a->file == b->file && a->size == b->size &&
	       a->changed == b->changed;
}

int metadata_read_with(struct store *s, const char *folder, const char *use,
		       struct metadata *m)
{
	struct place p;
	int code = open_place(&p, s, folder);

	if (code)
		return code;
	code = read_place(&p, m);
	close(p.dir);
	if (!code && use)
		metadata_set(m, METADATA_USE, use, strlen(use));
	return code;
}

int metadata_read(struct store *s, const char *folder, struct metadata *m)
{
	const char *use = NULL;
	int code = *folder ? store_special_use(s, folder, &use) : ERR_OK;

	return code ? code : metadata_read_with(s, folder, use, m);
}

/* The entries of FORMER with those of CHANGES, but for the special use. */
static void unite(const struct metadata *former, const struct metadata *changes,
		  const struct metadata_entry *use, struct metadata *m)
{
	for (size_t i = 0; i < former->n; i++) {
		const struct metadata_entry *e = &former->entry[i];

		if (!metadata_find(changes, e->name))
			metadata_set(m, e->name, e->value, e->n);
	}
	for (size_t i = 0; i < changes->n; i++) {
		const struct metadata_entry *e = &changes->entry[i];

		if (e->value && e != use)
			metadata_set(m, e->name, e->value, e->n);
	}
}

static int check_limits(const struct metadata *m)
{
	size_t total = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->entry[i].n > METADATA_VALUE_MAX)
			return ERR_TOO_LONG;
		total += m->entry[i].n + strlen(m->entry[i].name);
	}
	return m->n > METADATA_ENTRIES_MAX || total > METADATA_TOTAL_MAX
		       ? ERR_LIMIT
		       : ERR_OK;
}

/* The special use in the value of E, or NULL for none, into *USE. Folders have
 * one at most, INBOX none. */
static int read_use(const struct place *p, const struct metadata_entry *e,
		    const char **use)
{
	char *text;

	*use = NULL;
	if (e->n == 0)
		return ERR_OK;
	text = mem_strndup(e->value, e->n);
	if (strlen(text) == e->n)
		*use = names_known_use(text);
	free(text);
	return *use && !str_equal(p->folder, "INBOX") ? ERR_OK
						      : ERR_UNSUPPORTED;
}

/* Is a change of CHANGES another than that of USE? */
static bool changes_file(const struct metadata *changes,
			 const struct metadata_entry *use)
{
	return changes->n > (use ? 1 : 0);
}

/* Under the user's lock: the file, then the use; if that fails the file is as
 * it was. */
static int write_both(const struct place *p, const struct metadata *former,
		      const struct metadata *m, bool file, bool set,
		      const char *use)
{
	int code = file ? write_place(p, m) : ERR_OK;

	if (code || !set)
		return code;
	code = names_give_use(p->s, p->folder, use);
	if (code && file && write_place(p, former) != ERR_OK)
		log_warn("mailbox: %s: annotations of %s are changed, but not "
			 "its special use",
			 p->s->path, p->folder);
	return code;
}

static int change(struct place *p, const struct metadata *changes)
{
	const struct metadata_entry *e =
		*p->folder ? metadata_find(changes, METADATA_USE) : NULL;
	struct metadata former = { 0 }, m = { 0 };
	const char *use = NULL;
	int code = e ? read_use(p, e, &use) : ERR_OK;

	if (!code)
		code = read_place(p, &former);
	unite(&former, changes, e, &m);
	if (!code)
		code = check_limits(&m);
	if (!code)
		code = write_both(p, &former, &m, changes_file(changes, e), e,
				  use);
	metadata_free(&former);
	metadata_free(&m);
	return code;
}

int metadata_change(struct store *s, const char *folder,
		    const struct metadata *changes)
{
	struct place p;
	int code = open_place(&p, s, folder);

	if (code)
		return code;
	code = store_lock(s);
	if (!code) {
		p.locked = true;
		code = change(&p, changes);
		store_unlock(s);
	}
	close(p.dir);
	return code;
}

int metadata_copy(struct store *s, const char *from, const char *to)
{
	struct metadata m = { 0 };
	int code = metadata_read_with(s, from, NULL, &m);

	if (!code && m.n > 0)
		code = metadata_change(s, to, &m);
	metadata_free(&m);
	return code;
}
