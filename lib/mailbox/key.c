#include "mailbox/key.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "mailbox/journal.h"
#include "mailbox/listing.h"
#include "mailbox/name.h"

#define WINDOW (64 << 10)
#define BACK_MAX (64 << 20) /* bytes of journal looked through at most */

uint64_t key_make(const char *queue_id, const char *recipient)
{
	const char *part[2] = { queue_id, recipient };
	uint64_t key = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	int i;

	if (!queue_id[0])
		return 0;
	for (i = 0; i < 2; i++) {
		const unsigned char *p = (const unsigned char *)part[i];

		do
			key = (key ^ *p) * UINT64_C(0x100000001b3);
		while (*p++);
	}
	return key ? key : 1;
}

/* Reading backwards: a window of the file that ends where we are. */
struct back {
	struct folder *f;
	struct buf b;
	off_t start; /* of the window in the file */
	off_t at;    /* end of the next record */
};

/* Makes the N bytes before w->at available. */
static const char *before(struct back *w, size_t n)
{
	if (w->at - (off_t)n < (off_t)sizeof(struct journal_head))
		return NULL;
	if (w->at - (off_t)n < w->start) {
		size_t want = n > WINDOW ? n : WINDOW;
		char *p;

		if ((off_t)want > w->at - (off_t)sizeof(struct journal_head))
			want = (size_t)w->at - sizeof(struct journal_head);
		buf_reset(&w->b);
		p = buf_room(&w->b, want);
		w->start = w->at - (off_t)want;
		if (!p || file_pread(w->f->journal, p, want, w->start))
			return NULL;
		buf_added(&w->b, want);
	}
	return w->b.data + (w->at - w->start) - n;
}

static const struct record *back_next(struct back *w)
{
	const struct record *r;
	struct record_end end;
	const char *p = before(w, RECORD_MIN);

	if (!p)
		return NULL;
	memcpy(&end, p + RECORD_MIN - sizeof(end), sizeof(end));
	if (end.magic != RECORD_END_MAGIC || end.length < RECORD_MIN ||
	    end.length > RECORD_MAX || end.length % 8)
		return NULL;
	p = before(w, end.length);
	r = (const struct record *)(const void *)p;
	if (!r || r->length != end.length)
		return NULL;
	w->at -= (off_t)end.length;
	return r;
}

/* The entry with KEY in R. */
static bool in_record(const struct record *r, uint64_t key,
		      struct record_add *a, char *name)
{
	size_t n;
	const char *p = record_payload(r, &n);
	uint32_t i;

	for (i = 0; i < r->count && n >= sizeof(*a); i++) {
		size_t step;

		memcpy(a, p, sizeof(*a));
		step = sizeof(*a) + ((size_t)a->nname + 7) / 8 * 8;
		if (step > n || a->nname > NAME_BASE_MAX)
			return false;
		if (a->key == key) {
			memcpy(name, p + sizeof(*a), a->nname);
			name[a->nname] = '\0';
			return true;
		}
		p += step;
		n -= step;
	}
	return false;
}

static bool range_has(const struct record *r, uint32_t uid)
{
	size_t n;
	const char *p = record_payload(r, &n);
	uint32_t i;

	for (i = 0; i < r->count && n >= sizeof(struct record_range); i++) {
		struct record_range range;

		memcpy(&range, p, sizeof(range));
		if (uid >= range.first && uid <= range.last)
			return true;
		p += sizeof(range);
		n -= sizeof(range);
	}
	return false;
}

/* What became of UID after AT: RECORD_EXPUNGE, RECORD_UNDO, RECORD_MISSING,
 * or 0. Only the first says that somebody had the message: a file that is
 * missing may never have been linked, and its delivery is done again. */
static int fate(struct folder *f, off_t at, uint32_t uid)
{
	struct journal_walk w;
	const struct record *r;
	int code, found = 0;

	journal_walk(&w, f->journal, at);
	while (!found && (r = journal_next(&w, &code)))
		if ((r->type == RECORD_EXPUNGE || r->type == RECORD_UNDO ||
		     r->type == RECORD_MISSING) &&
		    range_has(r, uid))
			found = r->type;
	journal_walk_end(&w);
	return found;
}

/* Is the file there in full, and durable? Its flags may have changed its
 * name: then it is found by its base. */
static bool is_whole(struct folder *f, const struct record_add *a,
		     const char *base)
{
	struct listing l;
	struct stat st;
	bool found = false;
	size_t i;

	if (folder_sub(f, DIR_NEW) < 0 || folder_sub(f, DIR_CUR) < 0)
		return false;
	if (listing_read(&l, f, BOTH_DIRS) == ERR_OK)
		for (i = 0; !found && i < l.n; i++) {
			const char *text = listing_name(&l, i);
			int fd;

			if (l.file[i].name.nbase != a->nname ||
			    memcmp(text, base, a->nname) != 0)
				continue;
			fd = openat(f->sub[l.file[i].dir], text,
				    O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
					    O_NONBLOCK);
			if (fd < 0)
				continue;
			found = fstat(fd, &st) == 0 && st.st_size == a->size &&
				fsync(fd) == 0;
			close(fd);
		}
	listing_free(&l);
	return found;
}

static bool counts(struct folder *f, off_t behind, const struct record_add *a,
		   const char *name)
{
	int end = fate(f, behind, a->uid);

	if (end)
		return end == RECORD_EXPUNGE;
	return is_whole(f, a, name);
}

/* KEY among deliveries from before the journal began; those count. */
static bool in_past(const struct record *r, uint64_t key, uint32_t *uid)
{
	size_t n;
	const char *p = record_payload(r, &n);
	uint32_t i;

	for (i = 0; i < r->count && n >= sizeof(struct record_key); i++) {
		struct record_key k;

		memcpy(&k, p, sizeof(k));
		if (k.key == key) {
			*uid = (uint32_t)k.uid;
			return true;
		}
		p += sizeof(k);
		n -= sizeof(k);
	}
	return false;
}

bool key_find(struct folder *f, uint64_t key, int64_t since_us, uint32_t *uid)
{
	struct back w = { .f = f, .at = f->end, .start = f->end };
	const struct record *r;
	bool found = false;

	if (f->last.time < since_us)
		return false;
	buf_init(&w.b, RECORD_MAX);
	while (!found && f->end - w.at < BACK_MAX && (r = back_next(&w)) &&
	       r->t.time >= since_us) {
		struct record_add a;
		char name[NAME_BASE_MAX + 1];

		if (r->type == RECORD_KEY && in_past(r, key, uid))
			found = true;
		if (r->type != RECORD_ADD || !in_record(r, key, &a, name))
			continue;
		if (!counts(f, w.at + r->length, &a, name))
			break;
		*uid = a.uid;
		found = true;
	}
	buf_free(&w.b);
	return found;
}
