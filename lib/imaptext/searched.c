/*
 * Most messages do not hold what is looked for, and most text is ASCII, where
 * a match is one of bytes but for case and white space. So before anything is
 * folded, the longest word of the needle, which white space cannot divide, is
 * looked for where the text lies. Sixteen bytes are compared at once: the
 * first, the middle and the last byte of the word, and then, where these are
 * right, the others.
 */
#include "imaptext/searched.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "mime/decode.h"
#include "mime/field.h"

#define LANES 16
#define BLOCK (4 * LANES) /* places that are tried at once */
#define CASE 0x20	  /* the bit in which a letter's cases differ */

typedef unsigned char lanes __attribute__((vector_size(LANES)));

static lanes load(const unsigned char *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool any(lanes v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof(half));
	return (half[0] | half[1]) != 0;
}

static int capital(unsigned char c)
{
	return c >= 'a' && c <= 'z' ? c - CASE : c;
}

static bool begins(const unsigned char *s, const char *word, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (capital(s[i]) != (unsigned char)word[i])
			return false;
	return true;
}

static bool begins_within(const unsigned char *s, size_t places,
			  const char *word, size_t n)
{
	for (; places > 0; places--, s++)
		if (begins(s, word, n))
			return true;
	return false;
}

/* Can WORD, N, begin at one of the BLOCK places from S on? */
static bool may_begin(const unsigned char *s, const char *word, size_t n)
{
	unsigned char first = (unsigned char)(word[0] | CASE);
	unsigned char middle = (unsigned char)(word[n / 2] | CASE);
	unsigned char last = (unsigned char)(word[n - 1] | CASE);
	lanes found = { 0 };
	int i;

	for (i = 0; i < BLOCK; i += LANES)
		found |= (lanes)(((load(s + i) | CASE) == first) &
				 ((load(s + i + n / 2) | CASE) == middle) &
				 ((load(s + i + n - 1) | CASE) == last));
	return any(found);
}

/* Does WORD, N (at least 1; in capitals), occur in S, SIZE, in any case? */
static bool has_word(const unsigned char *s, size_t size, const char *word,
		     size_t n)
{
	for (; size >= BLOCK + n - 1; s += BLOCK, size -= BLOCK)
		if (may_begin(s, word, n) && begins_within(s, BLOCK, word, n))
			return true;
	return size >= n && begins_within(s, size - n + 1, word, n);
}

static bool divides(char c)
{
	return c == ' ' || c == ':'; /* a field's name may stand apart of it */
}

void needle_init(struct needle *k, const char *text, size_t n)
{
	size_t i, from = 0;

	*k = (struct needle){ .text = text, .n = n, .word = text };
	k->ascii = str_span_is_ascii(text, n);
	for (i = 0; i <= n; i++) {
		if (i < n && !divides(text[i]))
			continue;
		if (i - from > k->nword) {
			k->word = text + from;
			k->nword = i - from;
		}
		from = i + 1;
	}
}

bool needle_is_in(const struct needle *k, const struct buf *text)
{
	return memmem(text->data, text->len, k->text, k->n) != NULL;
}

/* Does TEXT, N, which is UTF-8, hold K when it is folded? */
static enum held held_in(const struct needle *k, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;

	if (!k->ascii)
		return str_span_is_ascii(text, n) ? HELD_NOT : HELD_UNSURE;
	if (k->nword == 0)
		return HELD_UNSURE;
	if (has_word(s, n, k->word, k->nword))
		return k->nword == k->n ? HELD : HELD_UNSURE;
	return str_span_is_ascii(text, n) ? HELD_NOT : HELD_UNSURE;
}

static enum held held_in_header(const char *data, const struct mime_part *part,
				const struct needle *k)
{
	const char *header = data + part->header;

	return has_word((const unsigned char *)header, part->nheader, "=?", 2)
		       ? HELD_UNSURE
		       : held_in(k, header, part->nheader);
}

/* The text of PART, which is in the message, in WORK, or elsewhere. */
static bool part_text(const struct searched *s, const struct mime_part *part,
		      struct buf *work, const char **text, size_t *n,
		      bool *known)
{
	buf_reset(work);
	if (mime_part_text(work, s->data, part, text, n, known))
		return true;
	return s->more && part->kind == MIME_LEAF &&
	       s->more->text(s->more->context, s->data, part, text, n, known);
}

static enum held held_in_body(const struct searched *s,
			      const struct mime_part *part,
			      const struct needle *k, struct buf *work)
{
	const char *text;
	bool known = true; /* which is asked of what is signed alone */
	size_t n;

	return part_text(s, part, work, &text, &n, &known)
		       ? held_in(k, text, n)
		       : HELD_NOT;
}

static enum held held_in_part(const struct searched *s,
			      const struct mime_part *part, bool header,
			      const struct needle *k, struct buf *work)
{
	enum held all = header ? held_in_header(s->data, part, k) : HELD_NOT, h;
	const struct mime_part *child;

	for (child = part->child; child && all != HELD; child = child->next) {
		h = held_in_part(s, child, true, k, work);
		all = h > all ? h : all;
	}
	h = all == HELD ? HELD : held_in_body(s, part, k, work);
	return h > all ? h : all;
}

enum held searched_held(const struct searched *s, bool header,
			const struct needle *k, struct buf *work)
{
	return k->n == 0 ? HELD : held_in_part(s, s->root, header, k, work);
}

static bool add_header(struct buf *out, const char *data,
		       const struct mime_part *part, struct buf *value)
{
	const char *pos = data + part->header;
	const char *end = pos + part->nheader;
	struct mime_field f;
	bool known = true;

	while (mime_field_next(&pos, end, &f)) {
		mime_fold_case(out, f.name, f.nname);
		buf_puts(out, ": ");
		buf_reset(value);
		mime_decode_words_known(value, f.value, f.nvalue, &known);
		mime_fold_case(out, value->data, value->len);
		buf_putc(out, '\n');
		known &= !value->over;
	}
	return known;
}

static bool add_part(struct buf *header, struct buf *body,
		     const struct searched *s, const struct mime_part *part,
		     struct buf *work)
{
	bool known = add_header(header, s->data, part, work);
	const struct mime_part *child;
	const char *text;
	size_t n;

	for (child = part->child; child; child = child->next)
		known &= add_part(body, body, s, child, work);
	if (part_text(s, part, work, &text, &n, &known))
		mime_fold_case(body, text, n);
	buf_putc(body, '\n');
	return known && !work->over;
}

bool searched_text(struct buf *header, struct buf *body,
		   const struct searched *s)
{
	struct buf work;
	bool known;

	buf_init(&work, body->max);
	known = add_part(header, body, s, s->root, &work);
	buf_free(&work);
	return known && !header->over && !body->over;
}
