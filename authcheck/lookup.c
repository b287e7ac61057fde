#include "authcheck/lookup.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define NAME_MAX_DNS 253
#define LABEL_MAX 63
#define QUESTION_MS 20000 /* for one question, however much time is left */
#define PATIENCE_MS 1000  /* a longer wait may make room for others */

struct lookup_kept {
	struct lookup_kept *next;
	struct dns_question question; /* without answer: planned */
};

bool lookup_good_name(const char *name)
{
	size_t label = 0, n = strlen(name);

	if (n == 0 || n > NAME_MAX_DNS)
		return false;
	for (const char *p = name; *p; p++) {
		if (*p < ' ' || *p > '~' || strchr("\\\"();@$[]", *p))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > LABEL_MAX || (*p == '.' && p[1] == '.'))
			return false;
	}
	return name[0] != '.' && name[n - 1] != '.';
}

void lookup_begin(struct lookup *l, int64_t ms, bool (*crowded)(void))
{
	*l = (struct lookup){ .arena = arena_new(),
			      .crowded = crowded,
			      .begun_ms = clock_ms() };
	l->until_ms = l->begun_ms + ms;
}

/* NAME as we ask for it, or NULL if it is not a name. */
static const char *clean_name(struct lookup *l, const char *name)
{
	char *asked = arena_strdup(l->arena, name);
	size_t n = strlen(asked);

	if (n > 0 && asked[n - 1] == '.')
		asked[n - 1] = '\0';
	return lookup_good_name(asked) ? str_lower(asked) : NULL;
}

static struct lookup_kept *find(struct lookup *l, const char *name,
				const char *type)
{
	struct lookup_kept *k = l->kept;

	while (k && (strcmp(k->question.name, name) != 0 ||
		     strcmp(k->question.type, type) != 0))
		k = k->next;
	return k;
}

static struct lookup_kept *keep(struct lookup *l, const char *name,
				const char *type, int64_t ms)
{
	struct lookup_kept *k = arena_alloc(l->arena, sizeof(*k));

	k->question =
		(struct dns_question){ .name = name, .type = type, .ms = ms };
	k->next = l->kept;
	return l->kept = k;
}

static bool give_way(void *context)
{
	struct lookup *l = context;

	return l->crowded && clock_ms() - l->begun_ms > PATIENCE_MS &&
	       l->crowded();
}

static bool is_open(const struct lookup_kept *k)
{
	return !k->question.answer;
}

void lookup_plan(struct lookup *l, const char *name, const char *type,
		 int64_t ms)
{
	const char *asked = clean_name(l, name);
	size_t n = 0;

	for (struct lookup_kept *k = l->kept; k; k = k->next)
		n += is_open(k);
	if (asked && n < LOOKUP_AHEAD_MAX && !find(l, asked, type))
		keep(l, asked, type, ms);
}

void lookup_ahead(struct lookup *l)
{
	struct dns_question q[LOOKUP_AHEAD_MAX];
	int64_t left = l->until_ms - clock_ms();
	size_t n = 0;

	for (struct lookup_kept *k = l->kept; k; k = k->next)
		if (is_open(k)) {
			q[n] = k->question;
			q[n].ms = left < q[n].ms ? left : q[n].ms;
			n++;
		}
	dns_query_all(l->arena, q, n, give_way, l);
	n = 0;
	for (struct lookup_kept *k = l->kept; k; k = k->next)
		if (is_open(k))
			k->question.answer = q[n++].answer;
}

static const struct dns_answer *no_answer(struct lookup *l, const char *name,
					  enum dns_status status,
					  const char *why)
{
	struct dns_answer *none = arena_alloc(l->arena, sizeof(*none));

	none->status = status;
	none->canonical = arena_strdup(l->arena, name);
	none->why = why;
	return none;
}

const struct dns_answer *lookup_dns(struct lookup *l, const char *name,
				    const char *type)
{
	int64_t left = l->until_ms - clock_ms();
	const char *asked = clean_name(l, name);
	struct lookup_kept *k = asked ? find(l, asked, type) : NULL;

	if (!asked)
		return no_answer(l, name, DNS_NO_NAME, "");
	if (k && k->question.answer)
		return k->question.answer;
	if (left <= 0 || give_way(l))
		return no_answer(l, name, DNS_TEMP, "no time left");
	if (!k)
		k = keep(l, asked, type, 0);
	k->question.ms = left < QUESTION_MS ? left : QUESTION_MS;
	dns_query_all(l->arena, &k->question, 1, give_way, l);
	return k->question.answer;
}
