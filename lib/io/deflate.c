#include "io/deflate.h"

#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define LEVEL 1 /* a fifth larger than by the usual 6, in a third of the time */
#define WINDOW_BITS (-15) /* negative: no header */
#define MEMORY 8
#define PIECE 16384

struct deflate {
	z_stream out;
	z_stream in;
	struct buf came; /* compressed input … */
	size_t taken;	 /* … of which so much was used */
	bool held;	 /* output may be left in `out` */
	bool full;	 /* `in` may have more without bytes in `came` */
};

static void *allocate(void *context, uInt n, uInt size)
{
	(void)context;
	return mem_array(n, size);
}

static void release(void *context, void *p)
{
	(void)context;
	free(p);
}

static bool begin(struct deflate *d)
{
	d->out.zalloc = d->in.zalloc = allocate;
	d->out.zfree = d->in.zfree = release;
	return deflateInit2(&d->out, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY,
			    Z_DEFAULT_STRATEGY) == Z_OK &&
	       inflateInit2(&d->in, WINDOW_BITS) == Z_OK;
}

struct deflate *deflate_new(const void *data, size_t n)
{
	struct deflate *d = mem_alloc(sizeof(*d));

	buf_init(&d->came, n + PIECE);
	buf_put(&d->came, data, n);
	if (!begin(d))
		deflate_free(&d);
	return d;
}

/* What zlib says of the input: after a block that was not the last, with no bit
 * left over. */
#define BETWEEN_BLOCKS 128

bool deflate_leave(struct deflate *d, struct buf *window)
{
	uInt n = DEFLATE_WINDOW;
	char *to;

	if (d->held || d->full || d->taken < d->came.len ||
	    (d->in.total_in > 0 && d->in.data_type != BETWEEN_BLOCKS))
		return false;
	to = buf_room(window, n);
	if (!to)
		return false;
	/* one that went on and has read nothing has a window, too */
	if (inflateGetDictionary(&d->in, (Bytef *)to, &n) != Z_OK)
		return false;
	buf_added(window, n);
	return true;
}

struct deflate *deflate_go_on(const void *window, size_t n)
{
	struct deflate *d = n <= DEFLATE_WINDOW ? deflate_new("", 0) : NULL;

	if (d && n > 0 && inflateSetDictionary(&d->in, window, (uInt)n) != Z_OK)
		deflate_free(&d);
	return d;
}

/* RFC 1951 section 3.2.4: 00, the length twice, the second time inverted. */
void deflate_put_stored(struct buf *out, const char *text, size_t n)
{
	buf_putc(out, 0);
	buf_putc(out, (char)(n & 255));
	buf_putc(out, (char)(n >> 8));
	buf_putc(out, (char)(~n & 255));
	buf_putc(out, (char)(~n >> 8 & 255));
	buf_put(out, text, n);
}

void deflate_free(struct deflate **dp)
{
	struct deflate *d = *dp;

	if (!d)
		return;
	deflateEnd(&d->out);
	inflateEnd(&d->in);
	buf_free(&d->came);
	free(d);
	*dp = NULL;
}

int deflate_put(struct deflate *d, const char *data, size_t n, bool all,
		deflate_send *send, void *context)
{
	unsigned char piece[PIECE];
	int code = ERR_OK;

	if (n == 0 && !d->held)
		return ERR_OK;
	d->held = !all;
	d->out.next_in = (const Bytef *)data;
	d->out.avail_in = (uInt)n;
	do {
		d->out.next_out = piece;
		d->out.avail_out = sizeof(piece);
		deflate(&d->out, all ? Z_SYNC_FLUSH : Z_NO_FLUSH);
		n = sizeof(piece) - d->out.avail_out;
		if (n > 0)
			code = send(context, (const char *)piece, n);
	} while (code == ERR_OK && d->out.avail_out == 0);
	return code;
}

char *deflate_room(struct deflate *d, size_t *n)
{
	buf_consume(&d->came, d->taken);
	d->taken = 0;
	*n = d->came.len < PIECE ? PIECE - d->came.len : 0;
	return buf_room(&d->came, *n);
}

void deflate_added(struct deflate *d, size_t n)
{
	buf_added(&d->came, n);
}

int deflate_take(struct deflate *d, char *to, size_t size, size_t *n)
{
	size_t left = d->came.len - d->taken;
	int result;

	*n = 0;
	if (size == 0 || (left == 0 && !d->full))
		return ERR_OK;
	d->in.next_in = (const Bytef *)d->came.data + d->taken;
	d->in.avail_in = (uInt)left;
	d->in.next_out = (Bytef *)to;
	d->in.avail_out = (uInt)size;
	result = inflate(&d->in, Z_SYNC_FLUSH);
	*n = size - d->in.avail_out;
	d->taken += left - d->in.avail_in;
	d->full = d->in.avail_out == 0;
	if (result == Z_OK || result == Z_BUF_ERROR)
		return ERR_OK;
	return err_set(ERR_SYNTAX, result == Z_STREAM_END
					   ? "the other side has ended "
					     "compression"
					   : "invalid compressed input");
}
