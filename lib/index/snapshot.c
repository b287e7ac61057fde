/*
 * The table as a file: a head, a description of each part (parts.h), the entries
 * as they are in memory, the base names; each begins at a page. It holds what
 * the journal says up to an offset. A checksum covers head and descriptions,
 * which have those of the rest. We never change it once it is in place, but cp(1)
 * restores a backup by writing over it, and would truncate or change it under
 * sessions that have it mapped: a small one is read, a large one is watched while
 * it is mapped, and its parts are checked when they are used.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "messages/flags.h"
#include "index/index.h"
#include "index/mapped.h"

#define HEAD_SIZE 8192
#define PAGE 4096
#define SNAPSHOT_MAGIC UINT64_C(0x32504e534e524f48) /* "HORNSNP2" */

/* Entries from which a snapshot is mapped. Getting that much memory costs about
 * as much as having the file watched. */
#define MAPPED_MIN 256

/* Written anew when this much journal has followed it. */
#define TAIL_MIN (64 << 10)

struct snapshot_head {
	uint64_t magic;
	uint32_t crc;	  /* over this, taken as 0 here, and what describes
			   * the parts */
	uint32_t n;	  /* entries */
	uint64_t journal; /* its id, */
	int64_t end;	  /* and how much of it is in here */
	uint64_t nnames;  /* bytes of names behind the entries */
	struct totals t;
	uint32_t nkeywords;
	uint32_t zero;
	char keyword[64][100];
};
_Static_assert(sizeof(struct snapshot_head) <= HEAD_SIZE, "snapshot head");

static uint32_t head_crc(const struct snapshot_head *h)
{
	struct snapshot_head plain = *h;

	plain.crc = 0;
	return crc32c(0, &plain, sizeof(plain));
}

static uint64_t in_pages(uint64_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

/* Where they begin. */
static uint64_t entries_begin(const struct snapshot_head *h)
{
	return HEAD_SIZE + in_pages(parts_size(h->n, h->nnames));
}

static uint64_t names_begin(const struct snapshot_head *h)
{
	return entries_begin(h) + in_pages(h->n * sizeof(struct entry));
}

static bool good_head(const struct snapshot_head *h, const struct index *x,
		      off_t size)
{
	unsigned i;

	if (h->magic != SNAPSHOT_MAGIC || h->journal != x->f.head.id ||
	    h->end < (int64_t)sizeof(struct journal_head) || h->n > INT32_MAX ||
	    h->nnames > UINT32_MAX || h->nkeywords > MAILBOX_KEYWORDS_MAX)
		return false;
	for (i = 0; i < h->nkeywords; i++)
		if (!memchr(h->keyword[i], 0, sizeof(h->keyword[i])))
			return false;
	return (uint64_t)size == names_begin(h) + h->nnames &&
	       (h->n > 0) == (h->nnames > 0);
}

static bool map_table(struct table *t, int fd, const struct snapshot_head *h)
{
	size_t n = (size_t)h->n * sizeof(struct entry);

	t->mapped = mapped_begin(fd);
	if (!t->mapped ||
	    !mapped_part(t->mapped, t->map, n, (int64_t)entries_begin(h)))
		return false;
	t->names = mapped_part(t->mapped, NULL, h->nnames,
			       (int64_t)names_begin(h));
	if (!t->names)
		return false;
	t->nmapped = h->nnames;
	return true;
}

/* The same, read. */
static bool read_table(struct table *t, int fd, const struct snapshot_head *h)
{
	size_t n = (size_t)h->n * sizeof(struct entry);

	t->names = mem_alloc(h->nnames);
	return file_pread(fd, t->memory, n, (off_t)entries_begin(h)) ==
		       ERR_OK &&
	       file_pread(fd, t->names, h->nnames, (off_t)names_begin(h)) ==
		       ERR_OK;
}

/* What describes the parts, which is small. NULL: it is damaged. */
static struct parts *get_parts(const struct index *x, int fd,
			       const struct snapshot_head *h)
{
	size_t n = parts_size(h->n, h->nnames);
	struct parts *p = parts_new(h->n, h->nnames, x->f.journal, h->end);

	if (file_pread(fd, p->of_entries, n, HEAD_SIZE) != ERR_OK ||
	    crc32c(head_crc(h), p->of_entries, n) != h->crc ||
	    !parts_are_in_order(p))
		parts_free(&p);
	return p;
}

/* What cannot be mapped is read, and checked at once. */
static bool get_table(struct index *x, int fd, const struct snapshot_head *h)
{
	struct table *t = &x->t;
	bool mapped;

	if (!entries_reserve(t, h->n))
		return false;
	mapped = h->n >= MAPPED_MIN && map_table(t, fd, h);
	if (!mapped) {
		entries_free(t);
		if (!entries_reserve(t, h->n) || !read_table(t, fd, h))
			return false;
	}
	t->nnames = h->nnames;
	t->parts = get_parts(x, fd, h);
	if (!t->parts || (!mapped && !parts_are_right(t)))
		return false;
	if (!mapped)
		parts_free(&t->parts);
	t->n = h->n;
	t->nlazy = mapped ? h->n : 0;
	return true;
}

static bool load(struct index *x, int fd)
{
	struct snapshot_head h;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    file_pread(fd, &h, sizeof(h), 0) || !good_head(&h, x, st.st_size))
		return false;
	if (fstat(x->f.journal, &st) < 0 || h.end > st.st_size ||
	    !get_table(x, fd, &h))
		return false;
	x->t.nkeywords = h.nkeywords;
	memcpy(x->t.keyword, h.keyword, sizeof(x->t.keyword));
	x->read = x->snapshot = h.end;
	x->f.last = h.t;
	return true;
}

bool index_snapshot_load(struct index *x)
{
	int fd = openat(x->f.dir, DISK_SNAPSHOT,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool good;

	if (fd < 0)
		return false;
	good = load(x, fd);
	close(fd);
	if (!good)
		entries_free(&x->t);
	return good;
}

/* Entries that are not gone, with new places for their names. */
static void gather(const struct index *x, struct buf *entries,
		   struct buf *names, struct snapshot_head *h)
{
	uint32_t i;

	for (i = 0; i < x->t.n; i++) {
		struct entry e = *entries_at(&x->t, i);
		const char *name = entries_name(&x->t, &e);

		if (!name || e.state & ENTRY_GONE)
			continue;
		e.state = 0;
		e.name = (uint32_t)names->len;
		buf_put(names, name, e.nname);
		buf_put(entries, &e, sizeof(e));
		h->n++;
	}
	h->nnames = names->len;
}

/* Checksums, and what else is known of each part, into PARTS and H. */
static void describe(struct snapshot_head *h, struct buf *parts,
		     const struct buf *entries, const struct buf *names)
{
	size_t n = parts_size(h->n, h->nnames);

	if (n > 0)
		parts_describe((const void *)entries->data, h->n, names->data,
			       names->len, buf_room(parts, n));
	buf_added(parts, n);
	h->crc = crc32c(head_crc(h), parts->data, n);
}

/* The N bytes at DATA, and zeros up to SIZE. */
static int write_padded(int fd, const void *data, size_t n, uint64_t size)
{
	static const char zeros[HEAD_SIZE];
	int code = file_write(fd, data, n);

	return code ? code : file_write(fd, zeros, (size_t)size - n);
}

static int write_parts(int fd, const struct snapshot_head *h,
		       const struct buf *parts, const struct buf *entries,
		       const struct buf *names)
{
	int code = write_padded(fd, h, sizeof(*h), HEAD_SIZE);

	if (!code)
		code = write_padded(fd, parts->data, parts->len,
				    in_pages(parts->len));
	if (!code)
		code = write_padded(fd, entries->data, entries->len,
				    in_pages(entries->len));
	return code ? code : file_write(fd, names->data, names->len);
}

static int write_file(const struct index *x, const struct snapshot_head *h,
		      const struct buf *parts, const struct buf *entries,
		      const struct buf *names)
{
	const char *fresh = DISK_SNAPSHOT DISK_NEW_SUFFIX;
	int fd, code;

	/* an unfinished one of before; if it stays, O_EXCL tells */
	err_ignore(unlinkat(x->f.dir, fresh, 0));
	fd = openat(x->f.dir, fresh,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys("make", fresh);
	code = write_parts(fd, h, parts, entries, names);
	close(fd);
	/* Not synced: a torn one is invalid, and only costs a reading. */
	if (!code && renameat(x->f.dir, fresh, x->f.dir, DISK_SNAPSHOT) < 0)
		code = err_sys("put in place", fresh);
	if (code)
		err_ignore(unlinkat(x->f.dir, fresh, 0)); /* or the next */
	return code;
}

static void write_now(struct index *x)
{
	struct snapshot_head h = {
		.magic = SNAPSHOT_MAGIC,
		.journal = x->f.head.id,
		.end = x->read,
		.t = x->f.last,
		.nkeywords = x->t.nkeywords,
	};
	struct buf parts, entries, names;

	memcpy(h.keyword, x->t.keyword, sizeof(h.keyword));
	buf_init(&parts, SIZE_MAX / 2);
	buf_init(&entries, SIZE_MAX / 2);
	buf_init(&names, UINT32_MAX);
	gather(x, &entries, &names, &h);
	describe(&h, &parts, &entries, &names);
	/* A session that loads it takes its content for synced. */
	if (!names.over && !entries_are_broken(&x->t) &&
	    folder_sync(&x->f) == ERR_OK &&
	    write_file(x, &h, &parts, &entries, &names) == ERR_OK)
		x->snapshot = x->read;
	buf_free(&parts);
	buf_free(&entries);
	buf_free(&names);
}

bool index_snapshot_is_due(const struct index *x)
{
	bool good = x->snapshot && !(x->t.parts && x->t.parts->mended);
	off_t from = good ? x->snapshot : (off_t)sizeof(struct journal_head);
	off_t tail = x->read - from;

	/* The work is in proportion to the change: a session reads the tail, but
	 * not the whole snapshot. */
	return tail >= TAIL_MIN &&
	       tail >= (off_t)(x->t.n / 32 * sizeof(struct entry));
}

void index_snapshot(struct index *x)
{
	if (index_lock(x) != ERR_OK)
		return;
	/* In the table nothing says which records were not sure. */
	if (x->unsure.len == 0)
		write_now(x);
	index_unlock(x);
}
