/*
 * Three bytes in a row make a key of KEY_BITS bits, by a hash. The keys of a
 * text, each once, set one bit each among as many as BITS_PER_KEY makes of
 * their number, rounded up to words. A needle asks for the bits of its own
 * keys. The text is folded, so a needle never has a line end, and keys with one
 * are left out.
 */
#include "index/signature.h"

#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unistring/version.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"

#define SIGNATURE_MAGIC 0x31475350u /* "PSG1" */
#define GRAM 3
#define KEY_BITS 20
#define KEYS (1u << KEY_BITS)
#define KEYS_MAX (KEYS / 8) /* more exclude too little */
#define BITS_PER_KEY 6
#define PIECE (1u << 20)

struct signer {
	uint64_t seen[KEYS / 64]; /* keys of the current text: */
	uint32_t key[KEYS_MAX];
	unsigned n;
	bool full;
	uint32_t maker;
};

struct signer *signer_new(uint32_t maker)
{
	struct signer *s = mem_alloc(sizeof(*s));

	s->maker = maker;
	return s;
}

void signer_free(struct signer **s)
{
	free(*s);
	*s = NULL;
}

static uint32_t key_of(const unsigned char *p)
{
	uint32_t v = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
		     (uint32_t)p[2] << 16;

	v *= 0x9e3779b1u;
	v ^= v >> 15;
	v *= 0x85ebca77u;
	return v >> (32 - KEY_BITS);
}

uint32_t signature_maker(uint32_t more)
{
	/* counts what changes the text, or the bits, within a version */
	static const char format[] = "2";
	uint32_t crc = crc32c(more, format, sizeof(format));
	const char *libc = gnu_get_libc_version();

	crc = crc32c(crc, POSTHORN_VERSION, sizeof(POSTHORN_VERSION));
	crc = crc32c(crc, libc, strlen(libc));
	return crc32c(crc, &_libunistring_version,
		      sizeof(_libunistring_version));
}

static void take_key(struct signer *s, uint32_t key)
{
	uint64_t bit = UINT64_C(1) << key % 64;

	if (s->seen[key / 64] & bit)
		return;
	if (s->n == KEYS_MAX) {
		s->full = true;
		return;
	}
	s->seen[key / 64] |= bit;
	s->key[s->n++] = key;
}

static void take_text(struct signer *s, const struct buf *text)
{
	const unsigned char *p = (const unsigned char *)text->data;
	const unsigned char *end = p + text->len;

	for (; end - p >= GRAM && !s->full; p++)
		if (p[0] != '\n' && p[1] != '\n' && p[2] != '\n')
			take_key(s, key_of(p));
}

/* The bit of KEY among WORDS words. */
static uint32_t place(uint32_t key, uint32_t words)
{
	return (uint32_t)((uint64_t)key * words * 64 >> KEY_BITS);
}

static void put_bits(struct signer *s, uint64_t *word, uint32_t words)
{
	unsigned i;

	for (i = 0; i < s->n; i++) {
		uint32_t bit = place(s->key[i], words);

		word[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

/* Forgets the current text. */
static void forget(struct signer *s)
{
	while (s->n > 0)
		s->seen[s->key[--s->n] / 64] = 0;
	s->full = false;
}

static uint32_t checksum(const struct signature *s)
{
	struct signature head = *s;
	uint32_t crc;

	head.crc = 0;
	crc = crc32c(0, &head, sizeof(head));
	return crc32c(crc, s + 1, s->words * sizeof(uint64_t));
}

void signer_put(struct signer *s, struct buf *out,
		const struct signature_of *of, const struct buf *header,
		const struct buf *body, bool whole)
{
	struct signature *made;
	uint32_t words = 0;
	size_t size;

	if (whole) {
		take_text(s, header);
		take_text(s, body);
		if (!s->full)
			words = s->n * BITS_PER_KEY / 64 + 1;
	}
	size = sizeof(*made) + words * sizeof(uint64_t);
	made = (struct signature *)(void *)buf_room(out, size);
	if (made) {
		memset(made, 0, size);
		made->magic = SIGNATURE_MAGIC;
		made->made_by = s->maker;
		made->words = words;
		made->of = *of;
		if (words > 0)
			put_bits(s, (uint64_t *)(void *)(made + 1), words);
		made->crc = checksum(made);
		buf_added(out, size);
	}
	forget(s);
}

void probe_init(struct probe *p, const char *needle, size_t n)
{
	size_t grams = n < GRAM ? 0 : n - GRAM + 1, i;

	p->n = grams < PROBE_MAX ? (unsigned)grams : PROBE_MAX;
	for (i = 0; i < p->n; i++)
		p->gram[i] = key_of((const unsigned char *)needle +
				    i * grams / p->n);
}

bool signature_lacks(const struct signature *s, const struct probe *p)
{
	const uint64_t *word = (const uint64_t *)(const void *)(s + 1);
	unsigned i;

	for (i = 0; s->words > 0 && i < p->n; i++) {
		uint32_t bit = place(p->gram[i], s->words);

		if (!(word[bit / 64] >> bit % 64 & 1))
			return true;
	}
	return false;
}

void signature_walk(struct signature_walk *w, int fd)
{
	w->fd = fd;
	w->at = 0;
	w->next = 0;
	buf_init(&w->read, PIECE + SIGNATURE_MAX);
}

void signature_walk_end(struct signature_walk *w)
{
	buf_free(&w->read);
}

/* Are there N bytes from w->next on? Reads more if there are not. */
static bool has(struct signature_walk *w, size_t n)
{
	ssize_t got = 1;
	char *room;

	if (w->read.len - w->next >= n)
		return true;
	buf_consume(&w->read, w->next);
	w->next = 0;
	while (w->read.len < n && got > 0) {
		room = buf_room(&w->read, PIECE);
		if (!room)
			return false;
		got = pread(w->fd, room, PIECE, w->at + (off_t)w->read.len);
		if (got > 0)
			buf_added(&w->read, (size_t)got);
	}
	return w->read.len >= n;
}

const struct signature *signature_next(struct signature_walk *w)
{
	const struct signature *s;
	size_t size = sizeof(*s);

	if (!has(w, size))
		return NULL;
	s = (const void *)(w->read.data + w->next);
	if (s->magic != SIGNATURE_MAGIC || s->words > SIGNATURE_WORDS_MAX)
		return NULL;
	size += s->words * sizeof(uint64_t);
	if (!has(w, size))
		return NULL;
	s = (const void *)(w->read.data + w->next);
	if (s->crc != checksum(s))
		return NULL;
	w->next += size;
	w->at += (off_t)size;
	return s;
}
