#include "index/batch.h"

#include <string.h>

#include "base/err.h"
#include "index/journal.h"

#define RECORD_FULL (256u << 10)
#define WRITE_AT (1u << 20)

void batch_begin(struct batch *b, struct folder *f, bool change)
{
	memset(b, 0, sizeof(*b));
	buf_init(&b->buf, (size_t)1 << 31);
	b->f = f;
	if (f)
		b->t = folder_next(f);
	b->change = change;
	if (change)
		b->t.modseq++;
}

/* What a session tells its client about. */
static bool is_change(enum record_type type)
{
	return type == RECORD_ADD || type == RECORD_FLAGS ||
	       type == RECORD_EXPUNGE || type == RECORD_MISSING;
}

/* Each record of a change has a mod-sequence of its own: a session may read
 * the first before the second is there, and say how far it has read. */
static void next_modseq(struct batch *b, enum record_type type)
{
	if (b->change && b->any && is_change(type))
		b->t.modseq++;
}

static void flush(struct batch *b)
{
	if (!b->f || b->buf.len == 0)
		return;
	if (!b->code)
		b->code = folder_write(b->f, &b->buf, &b->t, b->needed);
	buf_reset(&b->buf);
}

void batch_close(struct batch *b)
{
	struct record *r;

	if (b->count == 0)
		return;
	r = (struct record *)(void *)(b->buf.data + b->at);
	r->count = b->count;
	r->sure = b->sure;
	record_end(&b->buf, b->at, &b->t);
	b->count = 0;
	if (b->buf.len >= WRITE_AT)
		flush(b);
}

static void open_record(struct batch *b, enum record_type type)
{
	if (b->count > 0 &&
	    (b->type != type || b->buf.len - b->at > RECORD_FULL))
		batch_close(b);
	if (b->count++ > 0)
		return;
	next_modseq(b, type);
	b->type = type;
	b->any = true;
	b->at = b->buf.len;
	record_begin(&b->buf, type, 0);
}

void batch_item(struct batch *b, enum record_type type, const void *item,
		size_t size)
{
	open_record(b, type);
	buf_put(&b->buf, item, size);
}

void batch_items(struct batch *b, enum record_type type, const void *items,
		 size_t size, uint32_t count)
{
	batch_item(b, type, items, size * count);
	b->count += count - 1;
}

void batch_range(struct batch *b, enum record_type type, uint32_t uid,
		 bool joins)
{
	struct record_range range = { uid, uid };
	char *last;

	if (!joins || b->count == 0 || b->type != type || b->buf.over) {
		batch_item(b, type, &range, sizeof(range));
		return;
	}
	last = b->buf.data + b->buf.len - sizeof(range);
	memcpy(&range, last, sizeof(range));
	range.last = uid;
	memcpy(last, &range, sizeof(range));
}

void batch_add(struct batch *b, const struct entry *e, const char *name,
	       uint64_t key, const uint32_t *content)
{
	struct entry new = *e;

	open_record(b, RECORD_ADD);
	if (b->change)
		new.modseq = b->t.modseq;
	entries_put(&b->buf, &new, name, key, content);
}

static void whole_record(struct batch *b, enum record_type type, uint32_t count,
			 const char *text)
{
	size_t at;

	batch_close(b);
	at = b->buf.len;
	b->any = true;
	record_begin(&b->buf, type, count);
	buf_puts(&b->buf, text);
	record_end(&b->buf, at, &b->t);
}

void batch_keyword(struct batch *b, uint32_t bit, const char *name)
{
	whole_record(b, RECORD_KEYWORD, bit, name);
}

void batch_mark(struct batch *b, enum record_type type)
{
	whole_record(b, type, 0, "");
}

int batch_end(struct batch *b)
{
	int code;

	batch_close(b);
	flush(b);
	code = b->code;
	batch_drop(b);
	return code;
}

void batch_drop(struct batch *b)
{
	b->any = false;
	buf_free(&b->buf);
}
