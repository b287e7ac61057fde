/* What the cache knows about messages; the rest is read from them. */
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "mailbox/opened.h"
#include "mime/field.h"

#define TEXT_KEEP (1u << 20)

static bool same_bytes(const char *a, size_t na, const char *b, size_t nb)
{
	return na == nb && memcmp(a, b, na) == 0;
}

static bool same_facts(const struct mailbox_facts *a,
		       const struct mailbox_facts *b)
{
	return same_bytes(a->envelope, a->envelope_len, b->envelope,
			  b->envelope_len) &&
	       same_bytes(a->body, a->body_len, b->body, b->body_len) &&
	       same_bytes(a->bodystructure, a->bodystructure_len,
			  b->bodystructure, b->bodystructure_len) &&
	       same_bytes(a->header, a->header_len, b->header, b->header_len);
}

bool mailbox_is_as_cached(struct mailbox *m, const struct entry *e, int fd)
{
	uint32_t validity = index_uidvalidity(&m->x);
	struct mailbox_facts was, is;
	struct buf text, made;
	bool same = true;
	char *p;

	if (!cached_facts(&m->x, e, &was))
		return true;
	buf_init(&text, UINT32_MAX);
	buf_init(&made, CACHE_ENTRY_MAX);
	p = buf_room(&text, e->size);
	if (p && file_pread(fd, p, e->size, 0) == ERR_OK) {
		bool whole = was.body_len > 0;

		cache_make(&made, validity, e->uid, p,
			   whole ? e->size : mime_header_size(p, e->size),
			   whole);
		same = cache_read(made.data, made.len, validity, e->uid, &is) &&
		       same_facts(&was, &is);
	}
	buf_free(&made);
	buf_free(&text);
	return same;
}

void mailbox_write_cache(struct mailbox *m)
{
	m->dirty |= cached_write(&m->x);
}

void mailbox_keep_cached(struct mailbox *m, struct entry *e,
			 const struct buf *entry)
{
	m->dirty |= cached_put(&m->x, e, entry);
}

/* Reads the necessary part of the message. */
static int find_out(struct mailbox *m, uint32_t seq, bool structure)
{
	struct entry *e = mailbox_entry(m, seq);
	struct buf *text = &m->text;
	int code;

	buf_reset(text);
	code = mailbox_raw(m, e, structure, text);
	e = mailbox_entry(m, seq);
	buf_reset(&m->facts);
	if (!code) {
		cache_make(&m->facts, index_uidvalidity(&m->x), e->uid,
			   text->data, text->len, structure);
		if (m->facts.len == 0)
			code = ERR_TOO_LONG;
	}
	if (text->cap > TEXT_KEEP)
		buf_free(text);
	if (code)
		return code;
	mailbox_keep_cached(m, e, &m->facts);
	return ERR_OK;
}

static bool good_enough(const struct mailbox_facts *f, bool structure)
{
	return f->body_len > 0 || !structure;
}

int mailbox_facts(struct mailbox *m, uint32_t seq, bool structure,
		  struct mailbox_facts *f)
{
	const struct entry *e = mailbox_entry(m, seq);
	uint32_t validity = index_uidvalidity(&m->x);
	int code;

	if (!e)
		return ERR_NOT_FOUND;
	if (cached_facts(&m->x, e, f) && good_enough(f, structure))
		return ERR_OK;
	code = find_out(m, seq, structure);
	if (code)
		return code;
	e = mailbox_entry(m, seq);
	return cache_read(m->facts.data, m->facts.len, validity, e->uid, f)
		       ? ERR_OK
		       : ERR_CORRUPT;
}
