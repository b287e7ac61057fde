#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

struct entry {
	struct entry *next;
	uint64_t hash;
	void *value;
	char key[];
};

struct map {
	struct entry **slot;
	size_t nslots; /* a power of two */
	size_t count;
};

static struct {
	uint64_t key[2];
	int ready;
} self;

static void draw_key(void)
{
	if (getrandom(self.key, sizeof(self.key), 0) != sizeof(self.key))
		abort();
	self.ready = 1;
}

static uint64_t rotate(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

uint64_t map_hash(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t v[4], word, last = (uint64_t)n << 56;

	if (!self.ready)
		draw_key();
	v[0] = self.key[0] ^ 0x736f6d6570736575;
	v[1] = self.key[1] ^ 0x646f72616e646f6d;
	v[2] = self.key[0] ^ 0x6c7967656e657261;
	v[3] = self.key[1] ^ 0x7465646279746573;
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		sip_word(v, word);
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(void)
{
	struct map *m = mem_alloc(sizeof(*m));

	m->nslots = 16;
	m->slot = mem_array(m->nslots, sizeof(*m->slot));
	return m;
}

void map_free(struct map **m)
{
	if (!*m)
		return;
	for (size_t i = 0; i < (*m)->nslots; i++)
		for (struct entry *e = (*m)->slot[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	free((*m)->slot);
	free(*m);
	*m = NULL;
}

/* The link that leads to KEY's entry, or the end of its chain. */
static struct entry **find(const struct map *m, const char *key, uint64_t hash)
{
	struct entry **at = &m->slot[hash & (m->nslots - 1)];

	while (*at && ((*at)->hash != hash || strcmp((*at)->key, key) != 0))
		at = &(*at)->next;
	return at;
}

void *map_get(const struct map *m, const char *key)
{
	struct entry *e = *find(m, key, map_hash(key, strlen(key)));

	return e ? e->value : NULL;
}

static void grow(struct map *m)
{
	size_t n = m->nslots * 2;
	struct entry **slot = mem_array(n, sizeof(*slot));

	for (size_t i = 0; i < m->nslots; i++)
		for (struct entry *e = m->slot[i], *next; e; e = next) {
			next = e->next;
			e->next = slot[e->hash & (n - 1)];
			slot[e->hash & (n - 1)] = e;
		}
	free(m->slot);
	m->slot = slot;
	m->nslots = n;
}

void *map_put(struct map *m, const char *key, void *value)
{
	size_t n = strlen(key);
	uint64_t hash = map_hash(key, n);
	struct entry **at = find(m, key, hash), *e;
	void *former;

	if (*at) {
		former = (*at)->value;
		(*at)->value = value;
		return former;
	}
	e = mem_alloc(sizeof(*e) + n + 1);
	memcpy(e->key, key, n + 1);
	e->hash = hash;
	e->value = value;
	*at = e;
	if (++m->count > m->nslots)
		grow(m);
	return NULL;
}

void *map_remove(struct map *m, const char *key)
{
	struct entry **at = find(m, key, map_hash(key, strlen(key)));
	struct entry *e = *at;
	void *value;

	if (!e)
		return NULL;
	value = e->value;
	*at = e->next;
	free(e);
	m->count--;
	return value;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

/* *POS is the slot in its upper part and the place in the chain, counted
 * from its end, in its lower 16 bits: so the entry given last may go. */
const char *map_next(const struct map *m, size_t *pos, void **value)
{
	for (;;) {
		size_t slot = *pos >> 16, left = *pos & 0xffff, n = 0;
		struct entry *e;

		if (slot >= m->nslots)
			return NULL;
		for (e = m->slot[slot]; e; e = e->next)
			n++;
		if (left == 0)
			left = n + 1;
		if (left == 1) {
			*pos = (slot + 1) << 16;
			continue;
		}
		left--;
		e = m->slot[slot];
		for (size_t skip = n - left; skip > 0; skip--)
			e = e->next;
		*pos = slot << 16 | left;
		*value = e->value;
		return e->key;
	}
}
