#include "index/texts.h"

#include <string.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "base/file.h"

#define TEXT_MAGIC 0x31545350u /* "PST1" */

_Static_assert(sizeof(struct texts_head) == 48, "text head");

static uint32_t head_crc(const struct texts_head *h)
{
	struct texts_head head = *h;

	head.crc = 0;
	return crc32c(0, &head, sizeof(head));
}

off_t texts_size(uint32_t n)
{
	return (off_t)sizeof(struct texts_head) + ((off_t)n + 7) / 8 * 8;
}

void texts_put(struct buf *out, struct texts_head *h, const char *text, size_t n)
{
	static const char zeros[8];

	h->magic = TEXT_MAGIC;
	h->n = (uint32_t)n;
	h->text_crc = crc32c(0, text, n);
	h->crc = head_crc(h);
	buf_put(out, h, sizeof(*h));
	buf_put(out, text, n);
	buf_put(out, zeros, -n % 8);
}

void texts_walk(struct texts_walk *w, int fd, off_t at)
{
	struct stat st;

	*w = (struct texts_walk){ .fd = fd, .at = at };
	if (fstat(fd, &st) == 0)
		w->end = st.st_size;
}

bool texts_next(struct texts_walk *w)
{
	const struct texts_head *h = &w->head;

	if (w->end - w->at < (off_t)sizeof(*h) ||
	    file_pread(w->fd, &w->head, sizeof(*h), w->at) ||
	    h->magic != TEXT_MAGIC || h->crc != head_crc(h) ||
	    texts_size(h->n) > w->end - w->at)
		return false;
	w->place = w->at + (off_t)sizeof(*h);
	w->at += texts_size(h->n);
	return true;
}

bool texts_read(int fd, const struct texts_head *h, off_t place, struct buf *b)
{
	char *room = buf_room(b, h->n);

	if (!room || file_pread(fd, room, h->n, place) ||
	    crc32c(0, room, h->n) != h->text_crc)
		return false;
	buf_added(b, h->n);
	return true;
}
