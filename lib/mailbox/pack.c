/*
 * The cache only grows. When most of it belongs to messages that are gone, the
 * rest is written to a new file, in UID order.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "mailbox/opened.h"

#define WASTE_MIN (4 << 20) /* bytes not worth the work */
#define PIECE (1u << 20)

static bool is_due(const struct mailbox *m)
{
	struct stat st;

	if (fstatat(m->x.f.dir, DISK_CACHE, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_size < WASTE_MIN)
		return false;
	return (uint64_t)st.st_size >
	       WASTE_MIN + 2 * entries_cached(&m->x.t);
}

/* Copies all entries to FD; their new places go into B. */
static int copy_entries(struct mailbox *m, int fd, struct batch *b)
{
	struct buf piece;
	uint64_t written = 0;
	uint32_t i;
	int code = ERR_OK;

	buf_init(&piece, 8 * (size_t)PIECE);
	for (i = 0; !code && i < m->x.t.n; i++) {
		const struct entry *e = entries_at(&m->x.t, i);
		struct record_cached c = { .uid = e->uid };
		size_t before = piece.len;

		if (e->state & ENTRY_GONE)
			continue;
		mailbox_cached(m, e, &piece);
		c.ncache = (uint32_t)(piece.len - before);
		c.cache = written + before;
		batch_item(b, RECORD_CACHED, &c, sizeof(c));
		if (piece.len < PIECE)
			continue;
		code = file_write(fd, piece.data, piece.len);
		written += piece.len;
		buf_reset(&piece);
	}
	if (!code)
		code = file_write(fd, piece.data, piece.len);
	buf_free(&piece);
	return code;
}

static void pack(struct mailbox *m)
{
	const char *fresh = DISK_CACHE DISK_NEW_SUFFIX;
	struct batch b;
	int fd, code;

	/* an unfinished one of before; if it stays, O_EXCL tells */
	err_ignore(unlinkat(m->x.f.dir, fresh, 0));
	fd = openat(m->x.f.dir, fresh,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	batch_begin(&b, NULL, false);
	b.t = folder_next(&m->x.f);
	code = copy_entries(m, fd, &b);
	close(fd);
	if (!code && renameat(m->x.f.dir, fresh, m->x.f.dir, DISK_CACHE) == 0) {
		/* Until this is written, entries do not match their messages,
		 * and are made again. */
		b.f = &m->x.f;
		err_ignore(index_commit(&m->x, &b, true));
		mailbox_drop_cache(m);
		return;
	}
	err_ignore(unlinkat(m->x.f.dir, fresh, 0)); /* or the next */
	batch_drop(&b);
}

void mailbox_pack_cache(struct mailbox *m)
{
	if (!is_due(m) || index_lock(&m->x) != ERR_OK)
		return;
	if (is_due(m))
		pack(m);
	index_unlock(&m->x);
}
