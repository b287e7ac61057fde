/*
 * The heads in the file are read once, then what others have added, before
 * anybody is asked. Whoever has made a text appends it at once, if no other
 * session is just writing there: then it is made once more some day. Most of it
 * being of messages that are gone, or of commands that have changed, it is first
 * written anew.
 */
#include "mailbox/attached.h"

#include <string.h>

#include "base/clock.h"
#include "client/decoder.h"
#include "index/beside.h"
#include "log/log.h"
#include "mailbox/opened.h"
#include "mailbox/private.h"
#include "mime/decode.h"

#define BELIEVED_S 86400	/* that there is no text */
#define ASK_AGAIN_MS 10000	/* if the program cannot be reached */
#define WASTE_MIN (1 << 20)	/* bytes not worth the work */
#define KNOWN_MAX (64u << 20)	/* bytes of heads in memory */

struct known_text {
	struct texts_head head;
	off_t place;
};

void attached_begin(struct mailbox *m)
{
	struct attached *a = &m->attached;

	a->fd = -1;
	buf_init(&a->known, KNOWN_MAX);
	buf_init(&a->text, DECODER_TEXT_MAX);
}

void mailbox_attached_allow(struct mailbox *m, int64_t ms)
{
	m->attached.left_ms = ms;
}

static void forget(struct attached *a)
{
	beside_close(&a->fd);
	a->ino = 0;
	a->end = a->used = 0;
	a->torn = false;
	buf_reset(&a->known);
}

void attached_end(struct mailbox *m)
{
	struct attached *a = &m->attached;

	beside_close(&a->fd);
	buf_free(&a->known);
	buf_free(&a->text);
}

bool attached_missed(struct mailbox *m)
{
	bool missed = m->attached.missed;

	m->attached.missed = false;
	return missed;
}

bool mailbox_attached_missed(struct mailbox *m)
{
	return attached_missed(m);
}

static int compare(const struct texts_head *a, const struct texts_head *b)
{
	if (a->of.uid != b->of.uid)
		return a->of.uid < b->of.uid ? -1 : 1;
	return (a->part > b->part) - (a->part < b->part);
}

/* Where H is among what is known, or belongs: *THERE says which. */
static size_t find(const struct attached *a, const struct texts_head *h,
		   bool *there)
{
	const struct known_text *k = (const void *)a->known.data;
	size_t from = 0, to = a->known.len / sizeof(*k);

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare(&k[middle].head, h) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	*there = from < a->known.len / sizeof(*k) &&
		 compare(&k[from].head, h) == 0;
	return from;
}

/* Notes H, whose text is at PLACE; a later one counts. */
static void note(struct attached *a, const struct texts_head *h, off_t place)
{
	bool there;
	size_t i = find(a, h, &there), n = a->known.len / sizeof(struct known_text);
	struct known_text *k;

	if (!there && !buf_room(&a->known, sizeof(*k)))
		return;
	k = (struct known_text *)(void *)a->known.data;
	if (there) {
		a->used -= texts_size(k[i].head.n);
	} else {
		memmove(k + i + 1, k + i, (n - i) * sizeof(*k));
		buf_added(&a->known, sizeof(*k));
	}
	k[i] = (struct known_text){ *h, place };
	a->used += texts_size(h->n);
}

/* Is H of a command that there is? */
static bool is_ours(const struct mailbox *m, const struct texts_head *h)
{
	const struct decoders *d = m->store->decoders;

	for (size_t i = 0; i < d->n; i++)
		if (d->row[i].made_by == h->made_by)
			return true;
	return false;
}

/* Reads on from where the file was read up to. */
static void read_on(struct mailbox *m)
{
	struct attached *a = &m->attached;
	struct texts_walk w;
	uint32_t next = 0, i;

	texts_walk(&w, a->fd, a->end);
	while (texts_next(&w))
		if (is_ours(m, &w.head) &&
		    beside_find(&m->x, m->shown, &w.head.of, &next, &i))
			note(a, &w.head, w.place);
	a->torn = w.at < w.end;
	a->end = w.at;
}

/* Takes in what the file has that is not known. */
static void look(struct mailbox *m)
{
	struct attached *a = &m->attached;
	int fd = beside_open(&m->x, BESIDE_TEXTS);
	struct beside_state st;

	if (!beside_look(fd, &st) || st.ino != a->ino || st.end < a->end)
		forget(a);
	if (fd < 0)
		return;
	if (a->fd < 0) {
		a->fd = fd;
		a->ino = st.ino;
	} else {
		beside_close(&fd);
	}
	if (st.end > a->end)
		read_on(m);
}

/* A text of another part of the same message may have been noted since. */
static const struct known_text *get(const struct attached *a,
				    const struct texts_head *h)
{
	const struct known_text *k = (const void *)a->known.data;
	bool there;
	size_t i = find(a, h, &there);

	if (!there || k[i].head.made_by != h->made_by ||
	    memcmp(&k[i].head.of, &h->of, sizeof(h->of)) != 0)
		return NULL;
	return &k[i];
}

static int copy_useful(void *context, int from, int to)
{
	struct mailbox *m = context;
	struct attached *a = &m->attached;
	const struct known_text *k = (const void *)a->known.data;
	size_t n = a->known.len / sizeof(*k);
	int code = ERR_OK;
	off_t end = 0;
	struct buf out;

	buf_init(&out, 2 * DECODER_TEXT_MAX);
	for (size_t i = 0; i < n && !code; i++) {
		struct texts_head h = k[i].head;

		buf_reset(&a->text);
		if (!texts_read(from, &h, k[i].place, &a->text))
			continue;
		texts_put(&out, &h, a->text.data, a->text.len);
		code = beside_append(to, &end, &out);
	}
	buf_free(&out);
	return code;
}

static bool is_poor(const struct attached *a)
{
	return a->torn || a->end > 2 * a->used + WASTE_MIN;
}

/* Appends TEXT, N with H to the file FD, which is ours alone. */
static int append(struct mailbox *m, int fd, struct texts_head *h,
		  const char *text, size_t n)
{
	struct attached *a = &m->attached;
	struct buf out;
	int code;

	buf_init(&out, 2 * DECODER_TEXT_MAX);
	texts_put(&out, h, text, n);
	code = beside_append(fd, &a->end, &out);
	if (!code)
		note(a, h, a->end - texts_size(h->n) + (off_t)sizeof(*h));
	buf_free(&out);
	return code;
}

/* Keeps what was made, if that can be done now. */
static void keep(struct mailbox *m, struct texts_head *h, const struct buf *text)
{
	struct attached *a = &m->attached;
	int fd, code = a->failed || index_is_renumbered(&m->x)
			       ? ERR_DENIED
			       : beside_take(&m->x, BESIDE_TEXTS, &fd);

	if (code) {
		a->failed |= code != ERR_BUSY;
		return;
	}
	look(m);
	if (is_poor(a)) /* the next one is kept in what comes of it */
		code = beside_replace(&m->x, BESIDE_TEXTS, fd, copy_useful, m);
	else
		code = append(m, fd, h, text->data, text->len);
	beside_close(&fd);
	a->failed |= code != ERR_OK;
}

static bool is_believed(int64_t failed)
{
	int64_t now = clock_wall();

	return failed <= now && now - failed < BELIEVED_S;
}

/* Makes what is known of H the latest, if it is of use. */
static bool take(struct attached *a, const struct texts_head *h)
{
	const struct known_text *k = get(a, h);

	a->latest = (struct texts_head){ 0 };
	buf_reset(&a->text);
	if (!k || (k->head.failed
			   ? !is_believed(k->head.failed)
			   : !texts_read(a->fd, &k->head, k->place, &a->text)))
		return false;
	a->latest = k->head;
	return true;
}

/* Has the text of H been found before, or that there is none? Then it is the
 * latest. */
static bool recall(struct mailbox *m, const struct texts_head *h)
{
	if (take(&m->attached, h))
		return true;
	look(m); /* at what others have added */
	return take(&m->attached, h);
}

/* Asks for the text of PART; false if nobody can say now. */
static bool make(struct mailbox *m, const struct decoder *row, const char *data,
		 const struct mime_part *part, struct texts_head *h)
{
	struct attached *a = &m->attached;
	int64_t begun = clock_ms();
	const char *content;
	struct buf work, made;
	size_t n;
	int code;

	if (begun < a->ask_from || a->left_ms <= 0)
		return false;
	buf_init(&work, DECODER_INPUT_MAX + 4);
	buf_init(&made, DECODER_TEXT_MAX);
	mime_part_content(&work, data, part, &content, &n);
	code = work.over ? ERR_UNSUPPORTED
			 : decoder_ask(m->store->decoders, row,
				       m->store->asker, content, n, &made);
	buf_free(&work);
	a->left_ms -= clock_ms() - begun;
	if (code == ERR_UNSUPPORTED)
		h->failed = clock_wall();
	if ((!code && made.len <= part->nbody) || h->failed)
		keep(m, h, &made);
	buf_reset(&a->text);
	buf_put(&a->text, made.data, made.len);
	buf_free(&made);
	if (!code || h->failed) {
		a->latest = *h;
	} else {
		a->ask_from = clock_ms() + ASK_AGAIN_MS;
		log_error("an attachment is searched without its text: %s",
			  err_why(code));
	}
	return !code || h->failed;
}

/* Is the latest text that of H? */
static bool is_at_hand(const struct attached *a, const struct texts_head *h)
{
	return a->latest.made_by == h->made_by && a->latest.part == h->part &&
	       memcmp(&a->latest.of, &h->of, sizeof(h->of)) == 0;
}

static const struct decoder *find_row(const struct mailbox *m, const char *data,
				      const struct mime_part *part)
{
	struct arena *arena = arena_new();
	const struct decoder *row = NULL;
	const char *type, *name;

	if (mime_attached(arena, data, part, &type, &name))
		row = decoders_find(m->store->decoders, type, name);
	arena_free(&arena);
	return row;
}

static bool text_of(void *context, const char *data,
		    const struct mime_part *part, const char **text, size_t *n,
		    bool *known)
{
	struct mailbox *m = context;
	struct attached *a = &m->attached;
	const struct decoder *row = find_row(m, data, part);
	struct texts_head h = { .of = a->of, .part = (uint32_t)part->body };

	if (!row)
		return false;
	h.made_by = row->made_by;
	if (!is_at_hand(a, &h) && !recall(m, &h) &&
	    !make(m, row, data, part, &h)) {
		a->missed = true;
		*known = false;
		return false;
	}
	if (a->latest.failed) {
		*known = false;
		return false;
	}
	*text = a->text.data;
	*n = a->text.len;
	return true;
}

const struct searched_more *attached_to(struct mailbox *m,
					const struct entry *e)
{
	struct attached *a = &m->attached;

	if (!m->store->decoders || !beside_describe(&m->x, e, &a->of))
		return NULL;
	a->more = (struct searched_more){ text_of, m };
	return &a->more;
}

const struct searched_more *mailbox_attached(struct mailbox *m, uint32_t seq)
{
	const struct entry *e = mailbox_entry(m, seq);

	return e ? attached_to(m, e) : NULL;
}
