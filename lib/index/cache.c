#include "index/cache.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "imaptext/imaptext.h"
#include "index/disk.h"
#include "index/folder.h"
#include "mime/crlf.h"
#include "mime/field.h"
#include "mime/part.h"

struct cache_entry {
	uint32_t magic;
	uint32_t crc; /* over the entry, this field taken as 0 */
	uint32_t uidvalidity;
	uint32_t uid;
	uint32_t envelope; /* bytes of each, one after the other */
	uint32_t body;
	uint32_t bodystructure;
	uint32_t header;
};
/* "PHC3": entries of "PHC2" have unjoined parameters, and are made anew. */
#define CACHE_MAGIC 0x33434850u
#define CACHE_MAGIC_ID 0x33494850u /* "PHI3": the same, and an id at its end */

static void put_header(struct buf *b, const char *header, size_t n)
{
	const char *pos = header, *end = header + n;
	struct mime_field f;

	while (mime_field_next(&pos, end, &f))
		if (f.nname > 0 && imap_is_cached_field(f.name, f.nname))
			mime_put_crlf(b, 0, f.raw, f.nraw);
}

static void seal(struct buf *b)
{
	struct cache_entry *e = (struct cache_entry *)(void *)b->data;

	e->crc = 0;
	e->crc = crc32c(0, b->data, b->len);
}

static void put_structure(struct buf *b, const char *text, size_t n,
			  struct cache_entry *e)
{
	struct arena *a = arena_new();
	struct mime_part *root = mime_parse(a, text, n);
	size_t at = b->len;

	imap_structure(b, text, root, false);
	e->body = (uint32_t)(b->len - at);
	at = b->len;
	imap_structure(b, text, root, true);
	e->bodystructure = (uint32_t)(b->len - at);
	arena_free(&a);
}

void cache_make(struct buf *b, uint32_t validity, uint32_t uid,
		const char *text, size_t n, bool whole)
{
	struct cache_entry e = { .magic = CACHE_MAGIC,
				 .uidvalidity = validity,
				 .uid = uid };
	size_t nheader = whole ? mime_header_size(text, n) : n;
	size_t at;

	buf_put(b, &e, sizeof(e));
	at = b->len;
	imap_envelope(b, text, nheader);
	e.envelope = (uint32_t)(b->len - at);
	if (whole)
		put_structure(b, text, n, &e);
	at = b->len;
	put_header(b, text, nheader);
	e.header = (uint32_t)(b->len - at);
	if (b->over) {
		buf_reset(b);
		return;
	}
	memcpy(b->data, &e, sizeof(e));
	seal(b);
}

void cache_rename(struct buf *b, uint32_t validity, uint32_t uid)
{
	struct cache_entry *e = (struct cache_entry *)(void *)b->data;

	e->uidvalidity = validity;
	e->uid = uid;
	seal(b);
}

void cache_add_id(struct buf *b, const char *id)
{
	struct cache_entry *e;

	buf_put(b, id, CACHE_ID_SIZE);
	e = (struct cache_entry *)(void *)b->data;
	e->magic = CACHE_MAGIC_ID;
	seal(b);
}

bool cache_append(const struct folder *f, const struct buf *b, uint64_t *at)
{
	int fd = openat(f->dir, DISK_CACHE,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
				O_NONBLOCK,
			0600);
	off_t end = -1;

	if (fd < 0)
		return false;
	if (file_write(fd, b->data, b->len) == ERR_OK)
		end = lseek(fd, 0, SEEK_CUR);
	close(fd);
	if (end < (off_t)b->len)
		return false;
	*at = (uint64_t)end - b->len;
	return true;
}

bool cache_read(const char *data, size_t n, uint32_t validity, uint32_t uid,
		struct mailbox_facts *f)
{
	struct cache_entry e, plain;
	const char *p = data + sizeof(e);
	size_t nid;
	uint32_t crc;

	if (n < sizeof(e))
		return false;
	memcpy(&e, data, sizeof(e));
	nid = e.magic == CACHE_MAGIC_ID ? CACHE_ID_SIZE : 0;
	if ((e.magic != CACHE_MAGIC && !nid) || e.uidvalidity != validity ||
	    e.uid != uid ||
	    (uint64_t)e.envelope + e.body + e.bodystructure + e.header + nid !=
		    n - sizeof(e))
		return false;
	plain = e;
	plain.crc = 0;
	crc = crc32c(0, &plain, sizeof(plain));
	if (crc32c(crc, p, n - sizeof(e)) != e.crc)
		return false;
	f->envelope = p;
	f->envelope_len = e.envelope;
	f->body = p += e.envelope;
	f->body_len = e.body;
	f->bodystructure = p += e.body;
	f->bodystructure_len = e.bodystructure;
	f->header = p + e.bodystructure;
	f->header_len = e.header;
	f->id = nid ? f->header + e.header : NULL;
	return true;
}
