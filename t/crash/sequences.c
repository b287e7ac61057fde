#include "t/crash/sequences.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "t/crash/apart.h"
#include "t/crash/short.h"
#include "t/crash/state.h"

#define LONGEST 3

static size_t count(const struct short_word *list)
{
	size_t n = 0;

	while (list[n].word)
		n++;
	return n;
}

/* Of those of every day. */
static size_t count_common(void)
{
	size_t words = count(short_words), power = 1, sum = 0;

	for (int i = 0; i < LONGEST; i++) {
		power *= words;
		sum += power;
	}
	return sum;
}

static size_t count_all(void)
{
	size_t words = count(short_words), rare = count(short_rare);

	return count_common() + rare * (1 + words + rare + words);
}

static void put(struct buf *b, const char *word)
{
	buf_printf(b, "%s%s", b->len ? "," : "", word);
}

/* Sequence NUMBER of the common ones: first those of one word, then of two. */
static void spell_common(size_t number, struct buf *b)
{
	size_t words = count(short_words), size = words;

	while (number >= size) {
		number -= size;
		size *= words;
	}
	for (; size > 1; size /= words) {
		put(b, short_words[number % words].word);
		number /= words;
	}
}

/* A rare word: alone, after each other, and before each of every day. */
static void spell_rare(size_t number, struct buf *b)
{
	size_t words = count(short_words), rare = count(short_rare);
	const char *word = short_rare[number % rare].word;
	size_t beside = number / rare;

	if (beside > 0 && beside <= words)
		put(b, short_words[beside - 1].word);
	else if (beside > words && beside <= words + rare)
		put(b, short_rare[beside - words - 1].word);
	put(b, word);
	if (beside > words + rare)
		put(b, short_words[beside - words - rare - 1].word);
}

/* Sequence NUMBER, with commas. */
static void spell(size_t number, struct buf *b)
{
	size_t common = count_common();

	if (number < common)
		spell_common(number, b);
	else
		spell_rare(number - common, b);
	buf_putc(b, '\0');
}

/* All in an order that the seed draws, so that some are any. */
static size_t *shuffle(uint64_t seed, size_t n)
{
	size_t *order = mem_array(n, sizeof(*order));

	for (size_t i = 0; i < n; i++) {
		size_t k = draw(seed, i) % (i + 1);

		order[i] = order[k];
		order[k] = i;
	}
	return order;
}

static bool try_one(const struct options *o, const char *top, const char *words,
		    size_t states, struct counts *c)
{
	char *record = mem_printf("%s.short", top);
	struct story story;
	uint64_t moments;
	bool go_on = true;
	int code;

	apart_remove(top);
	short_prepare(top);
	code = apart_record(o->program, words, top, record);
	apart_remove(top);
	if (code != 0 && code != SHORT_IDLE)
		replay_stop("cannot do", words);
	c->sequences++;
	c->idle += code == SHORT_IDLE;
	if (code == 0) {
		story_map(&story, record);
		moments = story_moments(o, &story);
		go_on = replay_story(o, &story, top, words, 0, 1,
				     states / (moments + 1) + 1, c);
		story_unmap(&story);
	}
	unlink(record);
	free(record);
	return go_on;
}

void sequences_run(const struct options *o, const char *top, unsigned worker,
		   struct counts *c)
{
	size_t all = count_all();
	size_t n = o->sequences && o->sequences < all ? o->sequences : all;
	size_t *order = shuffle(o->seed, all);
	bool go_on = true;

	if (o->words) {
		if (worker == 0)
			try_one(o, top, o->words, o->states, c);
		return;
	}
	if (worker == 0)
		printf("# %zu of %zu sequences of up to %d operations\n", n,
		       all, LONGEST);
	for (size_t i = worker; i < n && go_on; i += o->jobs) {
		struct buf words;

		buf_init(&words, 1024);
		spell(order[i], &words);
		go_on = try_one(o, top, words.data, o->states / n + 1, c);
		buf_free(&words);
	}
	free(order);
}
