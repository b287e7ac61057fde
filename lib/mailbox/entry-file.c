/*
 * Reading, checking and replacing files of entries. What is not understood is
 * kept under another name before anything takes its place.
 */
#include "mailbox/entry-file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "mailbox/private.h"

/* Each entry has a line beside its name and value, and there is a head. */
#define FILE_MAX (METADATA_TOTAL_MAX + 16 * METADATA_ENTRIES_MAX + 64)
#define CRC_LINE 9 /* in hexadecimal, and a line end */

static const char version[] = " 1 ";
#define VERSION (sizeof(version) - 1)

void entry_print(const struct entry_kind *kind, const struct metadata *m,
		 struct buf *out)
{
	size_t at = out->len + strlen(kind->word) + VERSION;
	char crc[CRC_LINE + 1];

	buf_printf(out, "%s%s%08x\n", kind->word, version, 0u);
	for (size_t i = 0; i < m->n; i++) {
		const struct metadata_entry *e = &m->entry[i];

		buf_printf(out, "%zu %s\n", e->n, e->name);
		buf_put(out, e->value, e->n);
		buf_putc(out, '\n');
	}
	if (out->over)
		return;
	snprintf(
		crc, sizeof(crc), "%08" PRIx32 "\n",
		crc32c(0, out->data + at + CRC_LINE, out->len - at - CRC_LINE));
	memcpy(out->data + at, crc, CRC_LINE);
}

static int damaged(const char *what)
{
	return err_set(ERR_CORRUPT, "%s", what);
}

/* The head of the file; *HEAD gets its length. */
static int check_head(const struct entry_kind *kind, const char *text, size_t n,
		      size_t *head)
{
	const size_t word = strlen(kind->word);
	char crc[CRC_LINE + 1];

	*head = word + VERSION + CRC_LINE;
	if (n < *head || memcmp(text, kind->word, word) != 0)
		return damaged("it is no such file");
	if (memcmp(text + word, version, VERSION) != 0)
		return damaged("it is of another version");
	snprintf(crc, sizeof(crc), "%08" PRIx32 "\n",
		 crc32c(0, text + *head, n - *head));
	return memcmp(text + *head - CRC_LINE, crc, CRC_LINE) == 0
		       ? ERR_OK
		       : damaged("its checksum is wrong");
}

/* Takes one entry from the N bytes at TEXT. The bytes that it took, or 0 if it
 * is none. */
static size_t parse_entry(const struct entry_kind *kind, const char *text,
			  size_t n, struct metadata *m)
{
	const char *lf = memchr(text, '\n', n), *space;
	struct metadata_entry e;
	size_t rest, took = 0;
	int64_t size;

	if (!lf)
		return 0;
	rest = (size_t)(text + n - lf) - 1;
	space = memchr(text, ' ', (size_t)(lf - text));
	if (!space ||
	    !str_span_to_int(text, (size_t)(space - text), 0,
			     METADATA_TOTAL_MAX, &size) ||
	    (size_t)size >= rest || lf[1 + size] != '\n')
		return 0;
	e.name = mem_strndup(space + 1, (size_t)(lf - space) - 1);
	e.n = (size_t)size;
	e.value = mem_strndup(lf + 1, e.n);
	if (kind->is_good(&e)) {
		metadata_set(m, e.name, lf + 1, e.n);
		took = (size_t)(lf - text) + 1 + e.n + 1;
	}
	free(e.name);
	free(e.value);
	return took;
}

int entry_parse(const struct entry_kind *kind, const char *text, size_t n,
		struct metadata *m)
{
	size_t at, took;
	int code = check_head(kind, text, n, &at);

	for (; !code && at < n; at += took) {
		took = m->n < kind->max
			       ? parse_entry(kind, text + at, n - at, m)
			       : 0;
		if (took == 0)
			code = damaged("it has what is no entry");
	}
	if (code)
		metadata_free(m);
	return code;
}

int entry_open(struct entry_place *p, struct store *s, const char *folder,
	       const char *file, const struct entry_kind *kind)
{
	char disk[DISK_NAME_SIZE] = ".";

	*p = (struct entry_place){
		.s = s, .folder = folder, .file = file, .kind = kind
	};
	if (*folder && (disk_name_in(s->dir, folder, disk) != ERR_OK ||
			store_exists(s, folder) != ERR_OK))
		return ERR_NOT_FOUND;
	p->dir = openat(s->dir, disk,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return p->dir < 0 ? err_sys("open", folder) : ERR_OK;
}

/* Is the file of ST in DIR of the user whose folder this is? */
static bool is_owners(int dir, const struct stat *st)
{
	struct stat d;

	return st->st_uid == geteuid() ||
	       (fstat(dir, &d) == 0 && st->st_uid == d.st_uid);
}

/* What FD, the file FILE in DIR, holds is appended to B. */
static int read_text(int dir, int fd, const char *file,
		     const struct entry_kind *kind, struct buf *b)
{
	struct stat st;
	int code;

	if (fstat(fd, &st) < 0)
		return err_sys("look at", file);
	if (!S_ISREG(st.st_mode))
		return damaged("it is no file");
	if (kind->grants && !is_owners(dir, &st))
		return damaged("it belongs to another user");
	code = file_read_fd(fd, b);
	return code == ERR_TOO_LONG ? damaged("it is too large") : code;
}

/* Why FILE could not be opened. One that may not be read, in a folder that may,
 * is not what we wrote. */
static int not_opened(const char *file)
{
	switch (errno) {
	case ENOENT:
		return ERR_OK;
	case ELOOP:
	case ENXIO:
		return damaged("it is no file");
	case EACCES:
		return damaged("it may not be read");
	default:
		return err_sys("open", file);
	}
}

/* Reads FILE in DIR. ERR_CORRUPT: it is damaged. */
static int load(int dir, const char *file, const struct entry_kind *kind,
		struct metadata *m)
{
	struct buf b;
	int code, fd = openat(dir, file,
			      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return not_opened(file);
	buf_init(&b, FILE_MAX);
	code = read_text(dir, fd, file, kind, &b);
	close(fd);
	if (!code)
		code = entry_parse(kind, b.data, b.len, m);
	buf_free(&b);
	return code;
}

int entry_check(int dir, const char *file, const struct entry_kind *kind)
{
	struct metadata m = { 0 };
	int code = load(dir, file, kind, &m);

	metadata_free(&m);
	return code;
}

/* A FIFO, socket or device holds nothing, and a process that is confined
 * (server/landlock.h) may not give it a name. It counts as empty where it is,
 * and goes when the file is written. */
static int leave_node(const struct entry_place *p, int code)
{
	struct stat st;

	if (code != ERR_DENIED ||
	    fstatat(p->dir, p->file, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
		return code;
	log_error("mailbox: %s: %s of %s is no file: %s", p->s->path, p->file,
		  *p->folder ? p->folder : "the account", p->kind->lost);
	return ERR_OK;
}

/* Gives the damaged file another name, under which whoever looks into the
 * damage finds it. */
static int put_aside(const struct entry_place *p)
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
			  "%s",
			  p->s->path, p->file,
			  *p->folder ? p->folder : "the account", why, aside,
			  p->kind->lost);
	free(why);
	return code ? leave_node(p, code) : ERR_OK;
}

/* Another may have put the file aside, and written it anew, since it was found
 * damaged. */
static int read_again(struct entry_place *p, struct metadata *m)
{
	int code = p->locked ? ERR_OK : store_lock(p->s);

	if (code)
		return code;
	code = load(p->dir, p->file, p->kind, m);
	if (code == ERR_CORRUPT)
		code = put_aside(p);
	if (!p->locked)
		store_unlock(p->s);
	return code;
}

int entry_read(struct entry_place *p, struct metadata *m)
{
	int code = load(p->dir, p->file, p->kind, m);

	return code == ERR_CORRUPT ? read_again(p, m) : code;
}

static int remove_file(const struct entry_place *p)
{
	if (unlinkat(p->dir, p->file, 0) < 0)
		return errno == ENOENT ? ERR_OK : err_sys("remove", p->file);
	return fsync(p->dir) < 0 ? err_sys("sync the directory of", p->file)
				 : ERR_OK;
}

int entry_write(const struct entry_place *p, const struct metadata *m)
{
	struct buf b;
	int code;

	if (m->n == 0)
		return remove_file(p);
	buf_init(&b, FILE_MAX);
	entry_print(p->kind, m, &b);
	code = b.over ? ERR_LIMIT
		      : store_replace_file(p->dir, p->file, b.data, b.len);
	buf_free(&b);
	return code;
}
