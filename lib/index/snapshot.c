/*
 * The table as a file: a head, the entries as they are in memory, the base
 * names. It holds what the journal says up to an offset. A checksum covers all
 * of it. We never change it once it is in place, but cp(1) restores a backup by
 * writing over it, and would truncate or change it under sessions that have it
 * mapped: a small one is read, a large one is watched while it is mapped.
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

#define HEAD_SIZE 8192 /* entries begin at a page */
#define SNAPSHOT_MAGIC UINT64_C(0x31504e534e524f48)

/* Entries from which a snapshot is mapped. Getting that much memory costs about
 * as much as having the file watched. */
#define MAPPED_MIN 256

/* Written anew when this much journal has followed it. */
#define TAIL_MIN (64 << 10)

struct snapshot_head {
	uint64_t magic;
	uint32_t crc;	  /* over the whole, this field taken as 0 */
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

static bool good_head(const struct snapshot_head *h, const struct index *x,
		      off_t size)
{
	uint64_t entries = (uint64_t)h->n * sizeof(struct entry);
	unsigned i;

	if (h->magic != SNAPSHOT_MAGIC || h->journal != x->f.head.id ||
	    h->end < (int64_t)sizeof(struct journal_head) || h->n > INT32_MAX ||
	    h->nnames > UINT32_MAX || h->nkeywords > MAILBOX_KEYWORDS_MAX)
		return false;
	for (i = 0; i < h->nkeywords; i++)
		if (!memchr(h->keyword[i], 0, sizeof(h->keyword[i])))
			return false;
	return (uint64_t)size == HEAD_SIZE + entries + h->nnames;
}

/* Maps the entries and the names after them. The mapping of names has to begin
 * at a page, and so begins within the entries. */
static bool map_table(struct table *t, int fd, const struct snapshot_head *h)
{
	size_t n = (size_t)h->n * sizeof(struct entry), at = HEAD_SIZE + n;
	size_t skip = at % (size_t)sysconf(_SC_PAGESIZE);

	t->mapped = mapped_begin(fd);
	if (!t->mapped || !mapped_part(t->mapped, t->map, n, HEAD_SIZE))
		return false;
	t->names = mapped_part(t->mapped, NULL, h->nnames + skip,
			       (int64_t)(at - skip));
	if (!t->names)
		return false;
	t->nmapped = h->nnames + skip;
	t->nskip = skip;
	return true;
}

/* The same, read. */
static bool read_table(struct table *t, int fd, const struct snapshot_head *h)
{
	size_t n = (size_t)h->n * sizeof(struct entry);

	t->names = mem_alloc(h->nnames);
	return file_pread(fd, t->entry, n, HEAD_SIZE) == ERR_OK &&
	       file_pread(fd, t->names, h->nnames, HEAD_SIZE + (off_t)n) ==
		       ERR_OK;
}

static bool get_table(struct table *t, int fd, const struct snapshot_head *h)
{
	if ((h->n > 0) != (h->nnames > 0) || !entries_reserve(t, h->n))
		return false;
	if (h->n < MAPPED_MIN || !map_table(t, fd, h)) {
		entries_free(t);
		if (!entries_reserve(t, h->n) || !read_table(t, fd, h))
			return false;
	}
	t->nnames = h->nnames;
	return true;
}

/* A checksum does not prove who wrote it: checks what we rely on. */
static bool good_entries(const struct entry *e, uint32_t n)
{
	uint32_t last = 0, i;

	for (i = 0; i < n; i++) {
		if (e[i].uid <= last || e[i].dir >= DIRS || e[i].state != 0)
			return false;
		last = e[i].uid;
	}
	return true;
}

static bool load(struct index *x, int fd)
{
	struct snapshot_head h;
	struct stat st;
	uint32_t crc;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    file_pread(fd, &h, sizeof(h), 0) || !good_head(&h, x, st.st_size))
		return false;
	if (fstat(x->f.journal, &st) < 0 || h.end > st.st_size ||
	    !get_table(&x->t, fd, &h))
		return false;
	crc = crc32c(head_crc(&h), x->t.entry,
		     (size_t)h.n * sizeof(struct entry));
	if (x->t.nnames > 0)
		crc = crc32c(crc, x->t.names + x->t.nskip, x->t.nnames);
	if (crc != h.crc || !good_entries(x->t.entry, h.n))
		return false;
	x->t.n = h.n;
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
		struct entry e = x->t.entry[i];
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

static int write_file(const struct index *x, const struct buf *entries,
		      const struct buf *names, const struct snapshot_head *h)
{
	static const char zeros[HEAD_SIZE - sizeof(struct snapshot_head)];
	const char *fresh = DISK_SNAPSHOT DISK_NEW_SUFFIX;
	int fd, code;

	/* an unfinished one of before; if it stays, O_EXCL tells */
	err_ignore(unlinkat(x->f.dir, fresh, 0));
	fd = openat(x->f.dir, fresh,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys("make", fresh);
	code = file_write(fd, h, sizeof(*h));
	if (!code)
		code = file_write(fd, zeros, sizeof(zeros));
	if (!code)
		code = file_write(fd, entries->data, entries->len);
	if (!code)
		code = file_write(fd, names->data, names->len);
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
	struct buf entries, names;

	memcpy(h.keyword, x->t.keyword, sizeof(h.keyword));
	buf_init(&entries, SIZE_MAX / 2);
	buf_init(&names, UINT32_MAX);
	gather(x, &entries, &names, &h);
	h.crc = crc32c(head_crc(&h), entries.data, entries.len);
	h.crc = crc32c(h.crc, names.data, names.len);
	/* A session that loads it takes its content for synced. */
	if (!names.over && folder_sync(&x->f) == ERR_OK &&
	    write_file(x, &entries, &names, &h) == ERR_OK)
		x->snapshot = x->read;
	buf_free(&entries);
	buf_free(&names);
}

bool index_snapshot_is_due(const struct index *x)
{
	off_t from =
		x->snapshot ? x->snapshot : (off_t)sizeof(struct journal_head);
	off_t tail = x->read - from;

	/* The work is in proportion to the change. */
	return tail >= TAIL_MIN &&
	       tail >= (off_t)(x->t.n / 8 * sizeof(struct entry));
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
