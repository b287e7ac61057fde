#include "messages/content.h"

#include <string.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "log/log.h"

#define PIECE (64u << 10)
#define BLOCK 512u /* no file system or disk loses less */

static bool is_zero(const char *p, size_t n)
{
	return n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Counts the blocks of P, N that are all zeros; P is the start of a block. */
static size_t zero_blocks(const char *p, size_t n)
{
	size_t at, zeros = 0;

	for (at = 0; at < n; at += BLOCK)
		zeros += is_zero(p + at, n - at < BLOCK ? n - at : BLOCK);
	return zeros;
}

struct reading {
	uint32_t crc;
	uint64_t blocks;
	uint64_t zeros; /* blocks of them */
};

static int read_all(int fd, uint64_t size, struct reading *r)
{
	char piece[PIECE];
	uint64_t at = 0;
	int code = ERR_OK;

	while (!code && at < size) {
		size_t n = size - at > PIECE ? PIECE : (size_t)(size - at);

		code = file_pread(fd, piece, n, (off_t)at);
		if (code)
			break;
		r->crc = crc32c(r->crc, piece, n);
		r->zeros += zero_blocks(piece, n);
		r->blocks += (n + BLOCK - 1) / BLOCK;
		at += n;
	}
	return code;
}

static int64_t written_us(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000 +
	       st->st_mtim.tv_nsec / 1000;
}

int content_judge(int fd, uint32_t size, const uint32_t *crc, int64_t ours,
		  enum content *what)
{
	struct reading r = { 0 };
	struct stat st;
	int code;

	if (fstat(fd, &st) < 0)
		return err_sys("look at", "a message file");
	code = read_all(fd, (uint64_t)st.st_size, &r);
	if (code)
		return code == ERR_EOF ? ERR_TEMP : code;
	if (st.st_size == size &&
	    (crc ? r.crc == *crc : size == 0 || r.zeros == 0))
		*what = CONTENT_RIGHT;
	else if (written_us(&st) > ours)
		*what = CONTENT_CHANGED;
	else if (r.zeros == r.blocks)
		*what = CONTENT_EMPTY;
	else if (st.st_size < size || r.zeros > 0)
		*what = CONTENT_TORN;
	else
		*what = CONTENT_CHANGED;
	return ERR_OK;
}

int content_put_aside(struct messages *ms, const struct message_ref *r,
		      enum content what)
{
	bool empty = what == CONTENT_EMPTY;
	int code;

	log_warn("mailbox: a message whose delivery ended before it was "
		 "promised is %s: %.*s",
		 empty ? "empty, removed" : "torn, put into tmp", (int)r->nbase,
		 r->base);
	code = empty ? messages_remove(ms, r) : messages_put_aside(ms, r);
	if (code == ERR_NOT_FOUND) /* another was quicker */
		code = ERR_OK;
	return code ? code : messages_sync(ms, 1u << r->dir);
}
