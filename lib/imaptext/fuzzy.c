/*
 * A word of the needle is compared with each word of the text by an automaton
 * whose states are bits: bit i of state d says that the first i bytes of the
 * needle's word match what was read, with d errors at most.
 */
#include "imaptext/fuzzy.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define ERRORS_MAX 2
#define BYTES_MAX 62 /* longer words are not compared, but looked for */

static const unsigned scores[ERRORS_MAX + 1] = { 80, 50, 25 };

struct word {
	const char *text;
	size_t n;
	unsigned errors; /* that it may have */
	uint64_t *mask;	 /* by byte: bit i + 1 if it is the word's byte i;
			  * NULL: none may differ */
};

struct fuzzy {
	struct word *word;
	size_t n;
};

static bool in_word(char c)
{
	return (unsigned char)c >= 0x80 || str_isalnum((unsigned char)c);
}

/* TEXT without combining marks (U+0300 to U+036F): folding takes letters and
 * accents apart. */
static void put_plain(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		unsigned char next = i + 1 < n ? (unsigned char)text[i + 1] : 0;

		if ((c == 0xcc && next >= 0x80) ||
		    (c == 0xcd && next >= 0x80 && next <= 0xaf))
			i++;
		else
			buf_putc(out, text[i]);
	}
}

static size_t letters(const char *text, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

static void add_word(struct arena *a, struct fuzzy *f, const char *text,
		     size_t n)
{
	struct word *w = &f->word[f->n++];
	size_t all = letters(text, n);

	*w = (struct word){ .text = text, .n = n };
	w->errors = all < 4 ? 0 : all < 8 ? 1 : ERRORS_MAX;
	if (w->errors == 0 || n > BYTES_MAX || f->n > FUZZY_WORDS_MAX)
		return;
	w->mask = arena_alloc(a, 256 * sizeof(*w->mask));
	memset(w->mask, 0, 256 * sizeof(*w->mask));
	for (size_t i = 0; i < n; i++)
		w->mask[(unsigned char)text[i]] |= UINT64_C(2) << i;
}

struct fuzzy *fuzzy_new(struct arena *a, const char *needle, size_t n)
{
	struct fuzzy *f = arena_alloc(a, sizeof(*f));
	const char *text, *end;
	struct buf plain;

	buf_init(&plain, n + 1);
	put_plain(&plain, needle, n);
	text = arena_strndup(a, plain.data, plain.len);
	end = text + plain.len;
	f->n = 0;
	f->word = arena_alloc(a, (plain.len / 2 + 1) * sizeof(*f->word));
	buf_free(&plain);
	while (text < end) {
		const char *from = text;

		while (text < end && in_word(*text))
			text++;
		if (text > from)
			add_word(a, f, from, (size_t)(text - from));
		else
			text++;
	}
	return f;
}

/* The errors with which the word S, N of the text is W; more than ERRORS_MAX if
 * there are too many. */
static unsigned differs(const struct word *w, const unsigned char *s, size_t n)
{
	uint64_t at[ERRORS_MAX + 1] = { 1, 3, 7 };
	unsigned d;

	for (; n > 0; n--, s++) {
		uint64_t mask = w->mask[*s], before = at[0];

		at[0] = at[0] << 1 & mask;
		for (d = 1; d <= w->errors; d++) {
			uint64_t was = at[d];

			at[d] = (was << 1 & mask) | before | before << 1 |
				at[d - 1] << 1;
			before = was;
		}
	}
	for (d = 0; d <= w->errors; d++)
		if (at[d] >> w->n & 1)
			return d;
	return ERRORS_MAX + 1;
}

/* The least errors of W among the words of TEXT. */
static unsigned nearest(const struct word *w, const struct buf *text)
{
	const char *s = text->data, *end = s + text->len;
	unsigned best = ERRORS_MAX + 1;

	while (s < end && best > 1) {
		const char *from = s;
		size_t n;

		while (s < end && in_word(*s))
			s++;
		n = (size_t)(s - from);
		if (n == 0)
			s++;
		/* an error is as many as four bytes */
		else if (n + 4 * w->errors >= w->n && n <= w->n + 4 * w->errors) {
			unsigned d = differs(w, (const void *)from, n);

			best = d < best ? d : best;
		}
	}
	return best;
}

static unsigned score_of(const struct word *w, const struct buf *text)
{
	unsigned d;

	if (memmem(text->data, text->len, w->text, w->n))
		return scores[0];
	if (!w->mask)
		return 0;
	d = nearest(w, text);
	return d <= ERRORS_MAX ? scores[d] : 0;
}

unsigned fuzzy_score(const struct fuzzy *f, const struct buf *text,
		     struct buf *work)
{
	unsigned sum = 0, one;

	buf_reset(work);
	put_plain(work, text->data, text->len);
	for (size_t i = 0; i < f->n; i++) {
		one = score_of(&f->word[i], work);
		if (one == 0)
			return 0;
		sum += one;
	}
	return f->n > 0 ? sum / (unsigned)f->n : 0;
}
