#include "client/quota.h"

#include <string.h>

#include "base/str.h"

/* One limit, and what counts for it. */
struct bound {
	int64_t limit;
	uint64_t used;
};

void quota_rules(const struct quota *q, struct quota_rules *r)
{
	const char *at = q->rules;

	r->n = 0;
	while (*(at += strspn(at, " ")) && r->n < QUOTA_TREES_MAX) {
		if (quota_rule_read(at, &r->rule[r->n]))
			r->n++;
		at += strcspn(at, " ");
	}
}

bool quota_rules_fit(const char *rules)
{
	size_t n = 0;

	if (strlen(rules) >= QUOTA_RULES_SIZE)
		return false;
	for (const char *at = rules; *(at += strspn(at, " ")); n++)
		at += strcspn(at, " ");
	return n <= QUOTA_TREES_MAX;
}

bool quota_exists(const struct quota *q)
{
	struct quota_rules r;

	if (q->bytes > 0 || q->messages > 0)
		return true;
	quota_rules(q, &r);
	for (size_t i = 0; i < r.n; i++)
		if (quota_rule_limits(&r.rule[i]))
			return true;
	return false;
}

static bool counts(const struct quota_rules *r, const char *folder)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->rule[i].ignore && quota_rule_covers(&r->rule[i], folder))
			return false;
	return true;
}

bool quota_counts(const struct quota *q, const char *folder)
{
	struct quota_rules r;

	quota_rules(q, &r);
	return counts(&r, folder);
}

void quota_add(const struct quota *q, struct usage *u, const char *folder,
	       uint64_t bytes, uint64_t messages)
{
	struct quota_rules r;

	quota_rules(q, &r);
	for (size_t i = 0; i < r.n; i++) {
		if (!quota_rule_covers(&r.rule[i], folder))
			continue;
		u->tree[i].bytes += bytes;
		u->tree[i].messages += messages;
	}
	if (counts(&r, folder)) {
		u->bytes += bytes;
		u->messages += messages;
	}
}

/* N and P percent of it. */
static uint64_t part_more(uint64_t n, uint64_t p)
{
	return n + n / 100 * p + n % 100 * p / 100;
}

/* No limit is the greatest. */
static uint64_t most(int64_t limit, int percent)
{
	return limit > 0 ? part_more((uint64_t)limit, (uint64_t)percent)
			 : INT64_MAX;
}

/* LIMIT of the user, for what comes where the rule A holds. */
static int64_t extend(int64_t limit, const struct quota_amount *a)
{
	uint64_t more;

	if (limit <= 0 || !a->more || a->value <= 0)
		return limit;
	more = a->percent ? part_more((uint64_t)limit, (uint64_t)a->value)
			  : (uint64_t)limit + (uint64_t)a->value;
	return more < INT64_MAX / 4 ? (int64_t)more : INT64_MAX / 4;
}

/* Calls HOLDS for each pair of limits that TO is under and FROM is not, until
 * it gives false. */
static bool each(const struct quota *q, const struct usage *u,
		 const struct quota_change *c,
		 bool (*holds)(void *context, const struct bound *bytes,
			       const struct bound *messages),
		 void *context)
{
	struct bound bytes = { q->bytes, u->bytes };
	struct bound messages = { q->messages, u->messages };
	struct quota_rules r;
	bool good = true;

	quota_rules(q, &r);
	for (size_t i = 0; good && i < r.n; i++) {
		const struct quota_rule *t = &r.rule[i];
		const struct bound b = { t->bytes.value, u->tree[i].bytes },
				   m = { t->messages.value,
					 u->tree[i].messages };

		if (!quota_rule_covers(t, c->to))
			continue;
		bytes.limit = extend(bytes.limit, &t->bytes);
		messages.limit = extend(messages.limit, &t->messages);
		if (quota_rule_limits(t) &&
		    !(c->from && quota_rule_covers(t, c->from)))
			good = holds(context, t->bytes.more ? NULL : &b,
				     t->messages.more ? NULL : &m);
	}
	if (good && counts(&r, c->to) && !(c->from && counts(&r, c->from)))
		good = holds(context, &bytes, &messages);
	return good;
}

struct wish {
	const struct quota_change *change;
	int percent;
};

static bool fits(const struct bound *b, uint64_t more, int percent)
{
	return !b || b->used + more <= most(b->limit, percent);
}

static bool has_room(void *context, const struct bound *bytes,
		     const struct bound *messages)
{
	const struct wish *w = context;

	return fits(bytes, w->change->bytes, w->percent) &&
	       fits(messages, w->change->messages, w->percent);
}

bool quota_allows(const struct quota *q, const struct usage *u,
		  const struct quota_change *c, int percent)
{
	struct wish w = { c, percent };

	return each(q, u, c, has_room, &w);
}

struct measure {
	int percent;
	int64_t room;
};

static bool take_least(void *context, const struct bound *bytes,
		       const struct bound *messages)
{
	struct measure *m = context;
	uint64_t limit;

	if (!fits(messages, 1, m->percent))
		m->room = 0;
	if (!bytes || bytes->limit <= 0)
		return true;
	limit = most(bytes->limit, m->percent);
	if (bytes->used >= limit)
		m->room = 0;
	else if (limit - bytes->used < (uint64_t)m->room)
		m->room = (int64_t)(limit - bytes->used);
	return true;
}

int64_t quota_room(const struct quota *q, const struct usage *u,
		   const char *folder, int percent)
{
	const struct quota_change c = { .to = folder };
	struct measure m = { percent, INT64_MAX };

	each(q, u, &c, take_least, &m);
	return m.room;
}

void quota_put(struct ipc_out *m, const struct quota *q)
{
	if (q->bytes > 0)
		ipc_put_int(m, "quota", q->bytes);
	if (q->messages > 0)
		ipc_put_int(m, "quota-messages", q->messages);
	if (*q->rules)
		ipc_put(m, "quota-rules", q->rules);
}

static bool get(const struct ipc_in *m, const char *name, int64_t *value)
{
	*value = 0;
	return !ipc_get(m, name) || ipc_int(m, name, 0, INT64_MAX / 4, value);
}

bool quota_get(const struct ipc_in *m, struct quota *q)
{
	const char *rules = ipc_text(m, "quota-rules");

	return get(m, "quota", &q->bytes) &&
	       get(m, "quota-messages", &q->messages) &&
	       quota_rules_fit(rules) &&
	       str_copy(q->rules, sizeof(q->rules), rules);
}
