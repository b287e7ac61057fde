/*
 * The file is read from its beginning for each search that uses it: that takes
 * a quarter of a microsecond a message, and whatever is wrong in it is seen.
 * There is one maker of signatures a folder (index/beside.h), who takes in what
 * others wrote before.
 */
#include "mailbox/signing.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "imaptext/searched.h"
#include "index/beside.h"
#include "mailbox/attached.h"
#include "mailbox/opened.h"
#include "mime/part.h"

#define WASTE_MIN (1 << 20)		/* bytes not worth the work */
#define MESSAGE_MAX (4 * SIGNATURE_TEXT_MAX) /* larger ones are not signed */
#define WRITE_AT (256u << 10)

static bool has_bit(const uint64_t *bit, uint32_t i)
{
	return bit[i / 64] >> i % 64 & 1;
}

static void set_bit(uint64_t *bit, uint32_t i)
{
	bit[i / 64] |= UINT64_C(1) << i % 64;
}

bool excluded_has(const struct excluded *x, uint32_t seq)
{
	return has_bit(x->bit, seq - 1);
}

/* The index of the message that S is of, if it is of any use here; *NEXT is where
 * it probably is. */
static bool find(const struct mailbox *m, const struct signature *s,
		 uint32_t *next, uint32_t *index)
{
	return s->made_by == m->signing.maker &&
	       beside_find(&m->x, m->shown, &s->of, next, index);
}

/* The signatures in FD, which has SIZE: HAVE gets which messages have one, X[N]
 * what they say. Is the file worth its bytes, to its end? */
static bool read_all(const struct mailbox *m, int fd, off_t size,
		     uint64_t *have, struct excluded *x, size_t n)
{
	const struct signature *s;
	struct signature_walk w;
	uint32_t next = 0, i;
	off_t before = 0, used = 0;

	signature_walk(&w, fd);
	for (; (s = signature_next(&w)); before = w.at) {
		if (!find(m, s, &next, &i) || has_bit(have, i))
			continue;
		set_bit(have, i);
		used += w.at - before;
		for (size_t k = 0; k < n; k++)
			if (signature_lacks(s, &x[k].probe))
				set_bit(x[k].bit, i);
	}
	signature_walk_end(&w);
	return before >= size && size <= 2 * used + WASTE_MIN;
}

/* Reads the file FD, if it is not -1, and notes what is missing. */
static void look(struct mailbox *m, int fd, struct excluded *x, size_t n)
{
	uint64_t *have = mem_array(m->shown / 64 + 1, sizeof(*have));
	struct signing *g = &m->signing;
	struct beside_state st;
	uint32_t i;

	g->poor = beside_look(fd, &st) &&
		  !read_all(m, fd, st.end, have, x, n);
	g->ino = st.ino;
	g->end = st.end;
	buf_free(&g->lacking);
	buf_init(&g->lacking, UINT32_MAX);
	for (i = 0; i < m->shown; i++)
		if (!has_bit(have, i))
			buf_put(&g->lacking, &index_at(&m->x, i)->uid,
				sizeof(uint32_t));
	g->next = 0;
	g->upto = mailbox_uid(m, m->shown);
	free(have);
}

void mailbox_exclude(struct mailbox *m, struct excluded *x, size_t n)
{
	int fd = beside_open(&m->x, BESIDE_SIGNATURES);

	m->signing.wanted = true;
	look(m, fd, x, n);
	beside_close(&fd);
}

/* Has the file another content than was seen? */
static bool is_news(const struct signing *g, int fd)
{
	struct beside_state st;

	return !beside_look(fd, &st) || st.ino != g->ino || st.end != g->end;
}

static int copy_useful(void *context, int from, int to)
{
	struct mailbox *m = context;
	const struct signature *s;
	struct signature_walk w;
	uint64_t *have = mem_array(m->shown / 64 + 1, sizeof(*have));
	uint32_t next = 0, i;
	struct buf out;
	off_t end = 0;
	int code = ERR_OK;

	buf_init(&out, WRITE_AT + SIGNATURE_MAX);
	signature_walk(&w, from);
	while (!code && (s = signature_next(&w))) {
		if (!find(m, s, &next, &i) || has_bit(have, i))
			continue;
		set_bit(have, i);
		buf_put(&out, s, sizeof(*s) + s->words * sizeof(uint64_t));
		if (out.len >= WRITE_AT)
			code = beside_append(to, &end, &out);
	}
	if (!code)
		code = beside_append(to, &end, &out);
	signature_walk_end(&w);
	buf_free(&out);
	free(have);
	return code;
}

/* The next message without a signature, or NULL. */
static const struct entry *next_lacking(struct mailbox *m)
{
	struct signing *g = &m->signing;
	const struct entry *e;
	uint32_t uid, i;

	while (g->next < g->lacking.len) {
		uid = *(const uint32_t *)(const void *)(g->lacking.data +
							 g->next);
		g->next += sizeof(uid);
		e = index_get(&m->x, uid);
		if (e && !(e->state & ENTRY_GONE))
			return e;
	}
	for (i = index_find(&m->x, g->upto + 1); i < m->shown; i++) {
		e = index_at(&m->x, i);
		g->upto = e->uid;
		if (!(e->state & ENTRY_GONE))
			return e;
	}
	return NULL;
}

/* What signing needs for each message. */
struct desk {
	struct signer *signer;
	struct arena *arena;
	struct buf raw, header, body, out;
};

static void desk_begin(struct desk *d, uint32_t maker)
{
	d->signer = signer_new(maker);
	d->arena = arena_new();
	buf_init(&d->raw, MESSAGE_MAX);
	buf_init(&d->header, SIGNATURE_TEXT_MAX);
	buf_init(&d->body, SIGNATURE_TEXT_MAX);
	buf_init(&d->out, WRITE_AT + SIGNATURE_MAX);
}

static void desk_end(struct desk *d)
{
	signer_free(&d->signer);
	arena_free(&d->arena);
	buf_free(&d->raw);
	buf_free(&d->header);
	buf_free(&d->body);
	buf_free(&d->out);
}

/* The text of E's message, which is in D; false if another process may find
 * more. */
static bool text_of(struct mailbox *m, const struct entry *e, struct desk *d)
{
	const struct searched s = {
		.data = d->raw.data,
		.root = mime_parse(d->arena, d->raw.data, d->raw.len),
		.more = attached_to(m, e),
	};

	return searched_text(&d->header, &d->body, &s);
}

/* A message that cannot be read now, as a whole, gets none. */
static void sign(struct mailbox *m, const struct entry *e, struct desk *d)
{
	struct signature_of of;
	bool whole = e->size <= MESSAGE_MAX;

	if (!beside_describe(&m->x, e, &of))
		return;
	buf_reset(&d->raw);
	buf_reset(&d->header);
	buf_reset(&d->body);
	arena_reset(d->arena);
	if (whole && mailbox_raw(m, e, true, &d->raw) != ERR_OK)
		return;
	if (whole)
		whole = text_of(m, e, d);
	if (attached_missed(m))
		return;
	signer_put(d->signer, &d->out, &of, &d->header, &d->body, whole);
}

static int sign_some(struct mailbox *m, int fd, int64_t ms, bool *more)
{
	int64_t until = clock_ms() + ms;
	const struct entry *e = NULL;
	struct desk d;
	int code = ERR_OK;

	desk_begin(&d, m->signing.maker);
	mailbox_attached_allow(m, ms);
	do {
		e = next_lacking(m);
		if (e)
			sign(m, e, &d);
		if (!e || d.out.len >= WRITE_AT || clock_ms() >= until)
			code = beside_append(fd, &m->signing.end, &d.out);
	} while (!code && e && clock_ms() < until);
	if (!code && d.out.len > 0)
		code = beside_append(fd, &m->signing.end, &d.out);
	*more = e != NULL;
	desk_end(&d);
	return code;
}

bool mailbox_sign(struct mailbox *m, int64_t ms)
{
	struct signing *g = &m->signing;
	bool more = false;
	int fd, code;

	if (!g->wanted || g->failed || index_is_renumbered(&m->x))
		return false;
	code = beside_take(&m->x, BESIDE_SIGNATURES, &fd);
	if (code) {
		g->failed = code != ERR_BUSY;
		return false;
	}
	if (g->poor || is_news(g, fd)) /* others may have been writing */
		look(m, fd, NULL, 0);
	if (g->poor)
		code = beside_replace(&m->x, BESIDE_SIGNATURES, fd,
				      copy_useful, m);
	else
		code = sign_some(m, fd, ms, &more);
	more |= g->poor;
	beside_close(&fd);
	g->failed = code != ERR_OK;
	return more && !g->failed;
}
