/*
 * The table as a file: a head, the entries as they are in memory, the base
 * names. It holds what the journal says up to an offset. Immutable once
 * renamed into place, so mapping it is safe; a checksum covers all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "mailbox/session.h"

#define HEAD_SIZE 8192 /* entries begin at a page */
#define SNAPSHOT_MAGIC UINT64_C(0x31504e534e524f48)

/* Written anew when so much journal came behind it. */
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

static bool good_head(const struct snapshot_head *h, const struct mailbox *m,
		      off_t size)
{
	uint64_t entries = (uint64_t)h->n * sizeof(struct entry);
	unsigned i;

	if (h->magic != SNAPSHOT_MAGIC || h->journal != m->f.head.id ||
	    h->end < (int64_t)sizeof(struct journal_head) || h->n > INT32_MAX ||
	    h->nnames > UINT32_MAX || h->nkeywords > MAILBOX_KEYWORDS_MAX)
		return false;
	for (i = 0; i < h->nkeywords; i++)
		if (!memchr(h->keyword[i], 0, sizeof(h->keyword[i])))
			return false;
	return (uint64_t)size == HEAD_SIZE + entries + h->nnames;
}

/* Names need a mapping that begins at a page: it begins within entries. */
static bool map_names(struct mailbox *m, int fd, const struct snapshot_head *h)
{
	size_t at = HEAD_SIZE + (size_t)h->n * sizeof(struct entry);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), skip = at % page;
	char *p;

	if (h->nnames == 0)
		return h->n == 0;
	p = mmap(NULL, h->nnames + skip, PROT_READ, MAP_PRIVATE, fd,
		 (off_t)(at - skip));
	if (p == MAP_FAILED)
		return false;
	m->t.names = p;
	m->t.nskip = skip;
	m->t.nnames = h->nnames;
	return true;
}

/* A checksum is no proof of who wrote it: what we rely on is looked at. */
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

static bool load(struct mailbox *m, int fd)
{
	struct snapshot_head h;
	struct stat st;
	uint32_t crc;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    file_pread(fd, &h, sizeof(h), 0) || !good_head(&h, m, st.st_size))
		return false;
	if (fstat(m->f.journal, &st) < 0 || h.end > st.st_size ||
	    !entries_reserve(&m->t, h.n, fd, HEAD_SIZE) ||
	    !map_names(m, fd, &h))
		return false;
	crc = crc32c(head_crc(&h), m->t.entry,
		     (size_t)h.n * sizeof(struct entry));
	if (m->t.nnames > 0)
		crc = crc32c(crc, m->t.names + m->t.nskip, m->t.nnames);
	if (crc != h.crc || !good_entries(m->t.entry, h.n))
		return false;
	m->t.n = h.n;
	m->t.nkeywords = h.nkeywords;
	memcpy(m->t.keyword, h.keyword, sizeof(m->t.keyword));
	m->read = m->snapshot = h.end;
	m->f.last = h.t;
	return true;
}

bool snapshot_load(struct mailbox *m)
{
	int fd = openat(m->f.dir, DISK_SNAPSHOT,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool good;

	if (fd < 0)
		return false;
	good = load(m, fd);
	close(fd);
	if (!good)
		entries_free(&m->t);
	return good;
}

/* Entries that are there, with places of their own for their names. */
static void gather(const struct mailbox *m, struct buf *entries,
		   struct buf *names, struct snapshot_head *h)
{
	uint32_t i;

	for (i = 0; i < m->t.n; i++) {
		struct entry e = m->t.entry[i];
		const char *name = entries_name(&m->t, &e);

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

static int write_file(const struct mailbox *m, const struct buf *entries,
		      const struct buf *names, const struct snapshot_head *h)
{
	static const char zeros[HEAD_SIZE - sizeof(struct snapshot_head)];
	const char *fresh = DISK_SNAPSHOT DISK_NEW_SUFFIX;
	int fd, code;

	unlinkat(m->f.dir, fresh, 0);
	fd = openat(m->f.dir, fresh,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_from_errno(errno);
	code = file_write(fd, h, sizeof(*h));
	if (!code)
		code = file_write(fd, zeros, sizeof(zeros));
	if (!code)
		code = file_write(fd, entries->data, entries->len);
	if (!code)
		code = file_write(fd, names->data, names->len);
	close(fd);
	/* Not synced: a torn one does not check, and costs a reading. */
	if (!code && renameat(m->f.dir, fresh, m->f.dir, DISK_SNAPSHOT) < 0)
		code = err_from_errno(errno);
	if (code)
		unlinkat(m->f.dir, fresh, 0);
	return code;
}

static void write_now(struct mailbox *m)
{
	struct snapshot_head h = {
		.magic = SNAPSHOT_MAGIC,
		.journal = m->f.head.id,
		.end = m->read,
		.t = m->f.last,
		.nkeywords = m->t.nkeywords,
	};
	struct buf entries, names;

	memcpy(h.keyword, m->t.keyword, sizeof(h.keyword));
	buf_init(&entries, SIZE_MAX / 2);
	buf_init(&names, UINT32_MAX);
	gather(m, &entries, &names, &h);
	h.crc = crc32c(head_crc(&h), entries.data, entries.len);
	h.crc = crc32c(h.crc, names.data, names.len);
	/* Who loads it takes what it holds for synced. */
	if (!names.over && folder_sync(&m->f) == ERR_OK &&
	    write_file(m, &entries, &names, &h) == ERR_OK)
		m->snapshot = m->read;
	buf_free(&entries);
	buf_free(&names);
}

void snapshot_write(struct mailbox *m)
{
	off_t from =
		m->snapshot ? m->snapshot : (off_t)sizeof(struct journal_head);
	off_t tail = m->read - from;
	int code;

	/* The work is spread over as much change. */
	if (tail < TAIL_MIN ||
	    tail < (off_t)(m->t.n / 8 * sizeof(struct entry)))
		return;
	code = session_lock(m);
	if (code)
		return;
	write_now(m);
	session_unlock(m);
}
