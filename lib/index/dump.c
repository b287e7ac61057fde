/* The journal's records as text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/encode.h"
#include "index/check.h"
#include "index/journal.h"

#define LINE_MAX_BYTES 4096

static const char *const names[RECORD_TYPES] = {
	[RECORD_BEGIN] = "begin",     [RECORD_ADD] = "add",
	[RECORD_FLAGS] = "flags",     [RECORD_EXPUNGE] = "expunge",
	[RECORD_KEYWORD] = "keyword", [RECORD_NAMED] = "named",
	[RECORD_CLAIM] = "claim",     [RECORD_MARK] = "mark",
	[RECORD_SIZE] = "size",	      [RECORD_CACHED] = "cached",
	[RECORD_KEY] = "key",	      [RECORD_PAST] = "past",
	[RECORD_UNDO] = "undo",	      [RECORD_MISSING] = "missing",
};

static void put_range(struct buf *b, const void *item)
{
	const struct record_range *r = item;

	buf_printf(b, "uid=%" PRIu32 ":%" PRIu32, r->first, r->last);
}

static void put_flags(struct buf *b, const void *item)
{
	const struct record_flags *r = item;

	buf_printf(b, "uid=%" PRIu32 " flags=%" PRIx32 " keywords=%" PRIx64,
		   r->uid, r->flags, r->keywords);
}

static void put_named(struct buf *b, const void *item)
{
	const struct record_named *r = item;

	buf_printf(b, "uid=%" PRIu32 " letters=%" PRIx32 " in=%s", r->uid,
		   r->letters, r->dir == DIR_NEW ? "new" : "cur");
}

static void put_size(struct buf *b, const void *item)
{
	const struct record_size *r = item;

	buf_printf(b, "uid=%" PRIu32 " wire=%" PRIu32, r->uid, r->wire);
}

static void put_cached(struct buf *b, const void *item)
{
	const struct record_cached *r = item;

	buf_printf(b, "uid=%" PRIu32 " cache=%" PRIu64 "+%" PRIu32, r->uid,
		   r->cache, r->ncache);
}

static void put_key(struct buf *b, const void *item)
{
	const struct record_key *r = item;

	buf_printf(b, "uid=%" PRIu64 " key=%016" PRIx64 " time=%" PRId64,
		   r->uid, r->key, r->time);
}

static void put_past(struct buf *b, const void *item)
{
	const struct record_past *r = item;

	buf_printf(b,
		   "uid=%" PRIu32 ":%" PRIu32 " modseq=%" PRIu64
		   " time=%" PRId64,
		   r->first, r->last, r->modseq, r->time);
}

/* Records with items of one size. */
static const struct {
	size_t size;
	void (*put)(struct buf *b, const void *item);
} items[RECORD_TYPES] = {
	[RECORD_FLAGS] = { sizeof(struct record_flags), put_flags },
	[RECORD_EXPUNGE] = { sizeof(struct record_range), put_range },
	[RECORD_NAMED] = { sizeof(struct record_named), put_named },
	[RECORD_SIZE] = { sizeof(struct record_size), put_size },
	[RECORD_CACHED] = { sizeof(struct record_cached), put_cached },
	[RECORD_KEY] = { sizeof(struct record_key), put_key },
	[RECORD_PAST] = { sizeof(struct record_past), put_past },
	[RECORD_UNDO] = { sizeof(struct record_range), put_range },
	[RECORD_MISSING] = { sizeof(struct record_range), put_range },
};

struct dump {
	dump_line *line;
	void *context;
	int64_t at;
	struct buf b;
};

static void end_line(struct dump *d)
{
	d->line(d->context, d->at, d->b.data);
	buf_reset(&d->b);
}

static void dump_adds(struct dump *d, const struct record *r)
{
	struct record_add a;
	size_t n;
	const char *p = record_payload(r, &n), *item = p;

	for (uint32_t i = 0; i < r->count && record_add_next(&p, &n, &a); i++) {
		buf_printf(&d->b,
			   "  uid=%" PRIu32 " flags=%x keywords=%" PRIx64
			   " modseq=%" PRIu64 " size=%" PRIu32 " wire=%" PRIu32
			   " received=%" PRId64 " saved=%" PRIu32,
			   a.uid, a.flags, a.keywords, a.modseq, a.size,
			   a.wire, a.received, a.saved);
		if (a.known)
			buf_printf(&d->b, " crc=%08" PRIx32, a.content);
		buf_printf(&d->b,
			   " cache=%" PRIu64 "+%" PRIu32 " key=%016" PRIx64
			   " in=%s name=",
			   a.cache, a.ncache, a.key,
			   a.dir == DIR_NEW ? "new" : "cur");
		encode_visible(&d->b, item + sizeof(a), a.nname);
		end_line(d);
		item = p;
	}
}

static void dump_items(struct dump *d, const struct record *r)
{
	size_t n, size = items[r->type].size;
	const char *p = record_payload(r, &n);
	union {
		struct record_flags flags;
		struct record_past past;
		char bytes[64];
	} item;

	for (uint32_t i = 0; i < r->count && n >= size; i++, n -= size) {
		memcpy(item.bytes, p, size);
		buf_puts(&d->b, "  ");
		items[r->type].put(&d->b, &item);
		end_line(d);
		p += size;
	}
}

static void dump_record(struct dump *d, const struct record *r)
{
	const struct totals *t = &r->t;
	size_t n;
	const char *p = record_payload(r, &n);

	buf_printf(&d->b,
		   "%s count=%" PRIu32 " sure=%u synced=%u uidnext=%" PRIu32
		   " claimed=%" PRIu32 " modseq=%" PRIu64 " time=%" PRId64
		   " new=%" PRId64 " cur=%" PRId64 " messages=%" PRIu32
		   " unseen=%" PRIu32 " deleted=%" PRIu32 " recent=%" PRIu32
		   " bytes=%" PRIu64,
		   names[r->type], r->count, r->sure, r->synced, t->uidnext,
		   t->claimed, t->modseq, t->time, t->mark[DIR_NEW],
		   t->mark[DIR_CUR], t->messages, t->unseen, t->deleted,
		   t->recent, t->bytes);
	if (r->type == RECORD_KEYWORD) {
		buf_puts(&d->b, " name=");
		encode_visible(&d->b, p, strnlen(p, n));
	}
	end_line(d);
	if (r->type == RECORD_ADD)
		dump_adds(d, r);
	else if (items[r->type].size > 0)
		dump_items(d, r);
}

static int dump_records(struct dump *d, int fd)
{
	struct journal_walk w;
	const struct record *r;
	struct stat st;
	int code;

	d->at = sizeof(struct journal_head);
	journal_walk(&w, fd, d->at);
	while ((r = journal_next(&w))) {
		dump_record(d, r);
		d->at = w.at;
	}
	code = journal_walk_end(&w);
	if (!code && fstat(fd, &st) < 0)
		code = err_sys("look at", DISK_JOURNAL);
	if (!code && st.st_size > d->at)
		code = err_set(ERR_CORRUPT,
			       DISK_JOURNAL ":%lld: no whole record",
			       (long long)d->at);
	return code;
}

static void dump_head(struct dump *d, const struct journal_head *h)
{
	buf_printf(&d->b,
		   "head id=%016" PRIx64 " uidvalidity=%" PRIu32
		   " born=%" PRIu64,
		   h->id, h->uidvalidity, h->born);
	end_line(d);
}

int dump_journal(struct folder *f, dump_line *line, void *context)
{
	struct dump d = { .line = line, .context = context };
	int code = folder_open_journal(f);

	if (code)
		return code;
	buf_init(&d.b, LINE_MAX_BYTES);
	dump_head(&d, &f->head);
	code = dump_records(&d, f->journal);
	buf_free(&d.b);
	return code;
}
