#include "authcheck/tags.h"

#include <string.h>

#include "base/str.h"

static void trim(const char **p, const char **end)
{
	while (*p < *end && str_isspace((unsigned char)**p))
		(*p)++;
	while (*p < *end && str_isspace((unsigned char)(*end)[-1]))
		(*end)--;
}

static bool good_name(const char *p, const char *end)
{
	if (p == end || !str_isalpha((unsigned char)*p))
		return false;
	while (++p < end)
		if (!str_isalnum((unsigned char)*p) && *p != '_')
			return false;
	return true;
}

/* Visible characters and white space. */
static bool good_value(const char *p, const char *end)
{
	for (; p < end; p++)
		if (!str_isprint((unsigned char)*p) &&
		    !str_isspace((unsigned char)*p))
			return false;
	return true;
}

/* The name for the N characters at NAME: the one of WANTED that differs in case
 * at most, or NULL; without WANTED the name as it is. */
static const char *choose_name(struct arena *a, const char *const *wanted,
			       const char *name, size_t n)
{
	if (!wanted)
		return arena_strndup(a, name, n);
	while (*wanted && !str_span_is(name, n, *wanted))
		wanted++;
	return *wanted;
}

static bool add_tag(struct arena *a, const char *p, const char *end,
		    const char *const *wanted, struct tags *t)
{
	const char *equal = memchr(p, '=', (size_t)(end - p));
	const char *value = equal ? equal + 1 : NULL;
	const char *name;

	if (!equal)
		return false;
	trim(&p, &equal);
	trim(&value, &end);
	if (!good_name(p, equal) || !good_value(value, end))
		return false;
	name = choose_name(a, wanted, p, (size_t)(equal - p));
	if (!name)
		return true;
	if (t->n == TAGS_MAX || tags_get(t, name))
		return false;
	t->tag[t->n].name = name;
	t->tag[t->n++].value = arena_strndup(a, value, (size_t)(end - value));
	return true;
}

/* Gives the number of items between semicolons that are not tags. */
static size_t parse(struct arena *a, const char *text, size_t n,
		    const char *const *wanted, struct tags *t)
{
	const char *end = text + n;
	size_t faults = 0;

	t->n = 0;
	trim(&text, &end);
	while (text < end) {
		const char *semicolon = memchr(text, ';', (size_t)(end - text));

		if (!semicolon)
			semicolon = end;
		faults += !add_tag(a, text, semicolon, wanted, t);
		text = semicolon < end ? semicolon + 1 : end;
	}
	return faults;
}

bool tags_parse(struct arena *a, const char *text, size_t n, struct tags *t)
{
	return parse(a, text, n, NULL, t) == 0 && t->n > 0;
}

void tags_parse_lenient(struct arena *a, const char *text, size_t n,
			const char *const *wanted, struct tags *t)
{
	parse(a, text, n, wanted, t);
}

const char *tags_get(const struct tags *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->tag[i].name, name) == 0)
			return t->tag[i].value;
	return NULL;
}

const char *tags_get_compact(struct arena *a, const struct tags *t,
			     const char *name)
{
	const char *value = tags_get(t, name);
	char *copy, *to;

	if (!value)
		return NULL;
	copy = to = arena_strdup(a, value);
	for (; *value; value++)
		if (!str_isspace((unsigned char)*value))
			*to++ = *value;
	*to = '\0';
	return copy;
}

bool tags_list_has(const char *list, char separator, const char *word)
{
	while (*list) {
		const char *end = strchr(list, separator);
		const char *next, *p = list;

		if (!end)
			end = list + strlen(list);
		next = *end ? end + 1 : end;
		trim(&p, &end);
		if (str_span_is(p, (size_t)(end - p), word))
			return true;
		list = next;
	}
	return false;
}
