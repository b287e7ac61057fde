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

/* Is TEXT, N such that K is not in it? */
static bool lacks(const struct needle *k, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;

	if (!k->ascii)
		return str_span_is_ascii(text, n);
	return k->nword > 0 && !has_word(s, n, k->word, k->nword) &&
	       str_span_is_ascii(text, n);
}

static bool header_lacks(const char *data, const struct mime_part *part,
			 const struct needle *k)
{
	const char *header = data + part->header;

	return lacks(k, header, part->nheader) &&
	       !has_word((const unsigned char *)header, part->nheader, "=?", 2);
}

static bool body_lacks(const char *data, const struct mime_part *part,
		       const struct needle *k, struct buf *work)
{
	const char *text;
	size_t n;

	buf_reset(work);
	return !mime_part_text(work, data, part, &text, &n) ||
	       lacks(k, text, n);
}

bool searched_lacks(const char *data, const struct mime_part *root, bool header,
		    const struct needle *k, struct buf *work)
{
	const struct mime_part *child;

	if (header && !header_lacks(data, root, k))
		return false;
	for (child = root->child; child; child = child->next)
		if (!searched_lacks(data, child, true, k, work))
			return false;
	return body_lacks(data, root, k, work);
}

static void add_header(struct buf *out, const char *data,
		       const struct mime_part *part, struct buf *value)
{
	const char *pos = data + part->header;
	const char *end = pos + part->nheader;
	struct mime_field f;

	while (mime_field_next(&pos, end, &f)) {
		mime_fold_case(out, f.name, f.nname);
		buf_puts(out, ": ");
		buf_reset(value);
		mime_decode_words(value, f.value, f.nvalue);
		mime_fold_case(out, value->data, value->len);
		buf_putc(out, '\n');
	}
}

static void add_part(struct buf *header, struct buf *body, const char *data,
		     const struct mime_part *part, struct buf *work)
{
	const struct mime_part *child;
	const char *text;
	size_t n;

	add_header(header, data, part, work);
	for (child = part->child; child; child = child->next)
		add_part(body, body, data, child, work);
	buf_reset(work);
	if (mime_part_text(work, data, part, &text, &n))
		mime_fold_case(body, text, n);
	buf_putc(body, '\n');
}

void searched_text(struct buf *header, struct buf *body, const char *data,
		   const struct mime_part *root)
{
	struct buf work;

	buf_init(&work, body->max);
	add_part(header, body, data, root, &work);
	buf_free(&work);
}
