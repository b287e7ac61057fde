/*
 * Units, and the choice among their versions (state.h).
 *
 * Few combinations are counted through, as numbers whose digits have each a
 * base of their own. Of many, first come one torn, one short and one drawn
 * state, then the newest units alone, then moments, and what is left of MOST is
 * drawn. A hash of each choice keeps it from coming twice. All that looks like
 * chance is `draw`, so a seed gives the same states again.
 */
#include "t/crash/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NEAR 24 /* units that are kept or lost alone: the newest */

const char *const state_kind_name[STATE_KINDS] = {
	[STATE_KEPT] = "all kept",
	[STATE_LOST] = "all lost that was not synced",
	[STATE_MOMENT] = "all lost after an earlier moment",
	[STATE_ONE_LOST] = "one write or name lost",
	[STATE_ONE_KEPT] = "one write or name kept",
	[STATE_TORN] = "torn between sectors",
	[STATE_SHORT] = "size short",
	[STATE_COMBINATION] = "every combination",
	[STATE_SAMPLE] = "combination drawn by seed",
	[STATE_AGAIN] = "cut off again in recovery",
};

uint64_t draw(uint64_t seed, uint64_t n)
{
	uint64_t x = seed + n * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static struct unit *add_unit(struct units *u, enum unit_type type,
			     struct object *o, size_t which, uint64_t when)
{
	u->unit = mem_resize(u->unit, u->n + 1, sizeof(*u->unit));
	u->unit[u->n] = (struct unit){ type, o, which, when, NULL, 0 };
	return &u->unit[u->n++];
}

static void add_version(struct unit *u, int64_t value)
{
	for (size_t i = 0; i < u->nversions; i++)
		if (u->version[i] == value)
			return;
	u->version =
		mem_resize(u->version, u->nversions + 1, sizeof(*u->version));
	u->version[u->nversions++] = value;
}

static void find_size(struct units *u, struct object *o)
{
	uint64_t when = o->change[o->nchanges - 1].when;
	struct unit *unit = add_unit(u, UNIT_SIZE, o, 0, when);
	int64_t newest = object_size(o, o->nchanges);

	for (size_t k = 0; k < o->nchanges; k++)
		if (object_size(o, k) != newest)
			add_version(unit, object_size(o, k));
	add_version(unit, newest);
	if (unit->nversions == 1) {
		free(unit->version);
		u->n--;
	}
}

static bool overlaps(const struct change *a, const struct change *b)
{
	return a->type != OP_TRUNCATE && b->type != OP_TRUNCATE &&
	       a->from / SECTOR <= (b->to - 1) / SECTOR &&
	       b->from / SECTOR <= (a->to - 1) / SECTOR;
}

/* The sectors whose newest change is J. */
static void find_content(struct units *u, struct object *o, size_t j)
{
	const struct change *c = &o->change[j];
	struct unit *unit;

	if (c->type == OP_TRUNCATE || c->to <= c->from)
		return;
	unit = add_unit(u, UNIT_CONTENT, o, j, c->when);
	add_version(unit, 0);
	for (size_t k = 0; k <= j; k++)
		if (overlaps(&o->change[k], c))
			add_version(unit, (int64_t)k + 1);
}

static int by_age(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;

	return x->when < y->when ? 1 : x->when > y->when ? -1 : 0;
}

/* Does a name lead to O, or could one? */
static bool is_named(const struct disk *d, const struct object *o)
{
	for (size_t i = 0; i < d->stable.n; i++)
		if (d->stable.name[i].to == o)
			return true;
	for (size_t i = 0; i < d->npending; i++)
		if (d->pending[i].come.to == o)
			return true;
	return false;
}

void units_find(struct units *u, const struct disk *d)
{
	*u = (struct units){ NULL, 0 };
	for (size_t i = 0; i < d->npending; i++) {
		struct unit *unit =
			add_unit(u, UNIT_NAME, NULL, i, d->pending[i].when);

		add_version(unit, 0);
		add_version(unit, 1);
	}
	for (size_t i = 0; i < d->nobjects; i++) {
		struct object *o = d->object[i];

		if (!o->nchanges || !is_named(d, o))
			continue;
		find_size(u, o);
		for (size_t j = 0; j < o->nchanges; j++)
			find_content(u, o, j);
	}
	if (u->n)
		qsort(u->unit, u->n, sizeof(*u->unit), by_age);
}

void units_free(struct units *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->unit[i].version);
	free(u->unit);
}

/* What states_each is doing. */
struct maker {
	const struct units *u;
	struct state s;
	uint64_t seed, drawn;
	uint64_t *seen; /* hashes of what was made */
	size_t nseen, most;
	bool stop;
	bool (*each)(void *context, const struct state *s);
	void *context;
};

static uint64_t hash_state(const struct state *s)
{
	uint64_t h = s->torn == SIZE_MAX ? 1 : draw(s->seed, s->torn);

	if (s->cut >= 0)
		h = draw(h, (uint64_t)s->cut + s->short_unit);
	for (size_t i = 0; i < s->n; i++)
		h = draw(h, s->version[i]);
	return h;
}

static void give(struct maker *m, enum state_kind kind)
{
	uint64_t h = hash_state(&m->s);

	for (size_t i = 0; i < m->nseen; i++)
		if (m->seen[i] == h)
			return;
	if (m->stop || m->nseen == m->most)
		return;
	m->seen[m->nseen++] = h;
	m->s.kind = kind;
	m->stop = !m->each(m->context, &m->s);
}

static uint64_t next(struct maker *m)
{
	return draw(m->seed, m->drawn++);
}

static size_t newest(const struct unit *u)
{
	return u->nversions - 1;
}

static void set_all(struct maker *m, bool kept)
{
	m->s.torn = SIZE_MAX;
	m->s.cut = -1;
	for (size_t i = 0; i < m->s.n; i++)
		m->s.version[i] = kept ? newest(&m->u->unit[i]) : 0;
}

/* The product of all numbers of versions, up to MOST + 1. */
static size_t combinations(const struct units *u, size_t most)
{
	size_t product = 1;

	for (size_t i = 0; i < u->n && product <= most; i++)
		product *= u->unit[i].nversions;
	return product;
}

static void make_combinations(struct maker *m, size_t count)
{
	for (size_t c = 0; c < count; c++) {
		size_t rest = c;

		set_all(m, false);
		for (size_t i = 0; i < m->s.n; i++) {
			m->s.version[i] = rest % m->u->unit[i].nversions;
			rest /= m->u->unit[i].nversions;
		}
		give(m, STATE_COMBINATION);
	}
}

static void make_ones(struct maker *m)
{
	for (size_t i = 0; i < m->s.n && i < NEAR; i++) {
		set_all(m, true);
		m->s.version[i] = 0;
		give(m, STATE_ONE_LOST);
		set_all(m, false);
		m->s.version[i] = newest(&m->u->unit[i]);
		give(m, STATE_ONE_KEPT);
	}
}

static void make_moments(struct maker *m)
{
	/* units are sorted: what is before place K is newer */
	for (size_t k = 1; k < m->s.n && k < NEAR; k++) {
		set_all(m, true);
		for (size_t i = 0; i < k; i++)
			m->s.version[i] = 0;
		give(m, STATE_MOMENT);
	}
}

/* One of the units of TYPE, mostly a new one; SIZE_MAX if there is none. */
static size_t pick_unit(struct maker *m, enum unit_type type)
{
	size_t found = SIZE_MAX, seen = 0;

	for (size_t i = 0; i < m->s.n && seen < NEAR; i++)
		if (m->u->unit[i].type == type) {
			seen++;
			if (next(m) % seen == 0)
				found = i;
		}
	return found;
}

static void make_torn(struct maker *m)
{
	size_t i = pick_unit(m, UNIT_CONTENT);

	if (i == SIZE_MAX)
		return;
	set_all(m, next(m) & 1);
	m->s.torn = i;
	m->s.seed = next(m);
	/* what is torn is of some length */
	for (size_t k = 0; k < m->s.n; k++)
		if (m->u->unit[k].type == UNIT_SIZE &&
		    m->u->unit[k].object == m->u->unit[i].object)
			m->s.version[k] = newest(&m->u->unit[k]);
	give(m, STATE_TORN);
}

static void make_short(struct maker *m)
{
	size_t i = pick_unit(m, UNIT_SIZE);
	int64_t low, high;

	if (i == SIZE_MAX)
		return;
	low = m->u->unit[i].version[0];
	high = m->u->unit[i].version[newest(&m->u->unit[i])];
	if (high <= low)
		return;
	set_all(m, true);
	m->s.short_unit = i;
	m->s.cut = low + (int64_t)(next(m) % (uint64_t)(high - low));
	if (next(m) & 1 && m->s.cut / SECTOR * SECTOR >= low)
		m->s.cut = m->s.cut / SECTOR * SECTOR;
	give(m, STATE_SHORT);
}

/* All units in one go: each is kept with the same chance. */
static void make_sample(struct maker *m)
{
	uint64_t chance = 1 + next(m) % 15;

	set_all(m, true);
	for (size_t i = 0; i < m->s.n; i++)
		if (next(m) % 16 >= chance)
			m->s.version[i] = next(m) % m->u->unit[i].nversions;
	give(m, STATE_SAMPLE);
}

static void make_some(struct maker *m)
{
	size_t tries = m->most;

	make_torn(m);
	make_short(m);
	make_sample(m);
	make_torn(m);
	make_ones(m);
	make_moments(m);
	while (tries-- > 0 && m->nseen < m->most && !m->stop) {
		make_sample(m);
		make_torn(m);
		make_short(m);
	}
}

bool states_each(const struct units *u, size_t most, uint64_t seed,
		 bool (*each)(void *context, const struct state *s),
		 void *context)
{
	struct maker m = { .u = u,
			   .seed = seed,
			   .most = most,
			   .each = each,
			   .context = context };
	size_t count = combinations(u, most);

	m.s.n = u->n;
	m.s.version = mem_array(u->n + 1, sizeof(*m.s.version));
	m.seen = mem_array(most + 1, sizeof(*m.seen));
	set_all(&m, true);
	give(&m, STATE_KEPT);
	set_all(&m, false);
	give(&m, STATE_LOST);
	if (count <= most)
		make_combinations(&m, count);
	if (u->n)
		make_some(&m);
	free(m.seen);
	free(m.s.version);
	return !m.stop;
}

static const char *describe_unit(const struct units *u, const struct state *s,
				 size_t i, char *out, size_t size)
{
	const struct unit *unit = &u->unit[i];
	uint64_t ino = unit->object ? unit->object->ino : 0;

	if (unit->type == UNIT_NAME)
		snprintf(out, size, " name-entry-%" PRIu64, unit->when);
	else if (unit->type == UNIT_SIZE)
		snprintf(out, size, " size-of-%" PRIu64 "=%" PRId64, ino,
			 s->cut >= 0 && s->short_unit == i
				 ? s->cut
				 : unit->version[s->version[i]]);
	else
		snprintf(out, size, " write-%" PRIu64 "-of-%" PRIu64 "%s",
			 unit->when, ino, s->torn == i ? "(torn)" : "");
	return out;
}

void state_describe(const struct units *u, const struct state *s, char *out,
		    size_t size)
{
	size_t used = (size_t)snprintf(out, size,
				       "%s; old:", state_kind_name[s->kind]);

	for (size_t i = 0; i < s->n && used < size; i++) {
		char text[128];

		if (s->version[i] == newest(&u->unit[i]) && s->torn != i &&
		    (s->cut < 0 || s->short_unit != i))
			continue;
		used += (size_t)snprintf(
			out + used, size - used, "%s",
			describe_unit(u, s, i, text, sizeof(text)));
	}
}
