/*
 * The text of signatures, judged before the library sees it, which accepts
 * some that must not count.
 */
#include <string.h>

#include "authcheck/dkim.h"
#include "authcheck/tags.h"
#include "base/str.h"
#include "mime/field.h"

/* The library gives up a whole message for one signature of 64 KB; no honest
 * one has a tenth of that. */
#define SIGNATURE_MAX 16384

static const char *const words[] = { "none",	 "pass",    "fail",
				     "policy",	 "neutral", "temperror",
				     "permerror" };

const char *dkim_word(enum dkim_verdict d)
{
	return words[d];
}

void dkim_judge(struct dkim_signature *s, enum dkim_verdict result,
		const char *why)
{
	s->result = result;
	s->why = why;
}

static const char *tag_or_empty(struct arena *a, const struct tags *t,
				const char *name)
{
	const char *value = tags_get_compact(a, t, name);

	return value ? value : "";
}

/* What is before the "=" of the tag from TEXT up to END: the name with white
 * space after it. The library hashes a signature without the values of tags for
 * which that ends in b, whereas it is to leave out that of b, whatever white space
 * follows the name (RFC 6376 section 3.7). */
static bool is_hashed_as_signed(const char *text, const char *end)
{
	const char *equal = memchr(text, '=', (size_t)(end - text));
	const char *name = text;
	size_t n;

	if (!equal)
		return true;
	while (name < equal && str_isspace((unsigned char)*name))
		name++;
	for (n = 0; name + n < equal && !str_isspace((unsigned char)name[n]);)
		n++;
	return (n == 1 && *name == 'b') == (equal > text && equal[-1] == 'b');
}

static bool all_hashed_as_signed(const char *text, size_t n)
{
	const char *end = text + n, *next;

	for (; text < end; text = next < end ? next + 1 : end) {
		next = memchr(text, ';', (size_t)(end - text));
		if (!next)
			next = end;
		if (!is_hashed_as_signed(text, next))
			return false;
	}
	return true;
}

/* Forms that are allowed and that the library takes for faults, or hashes
 * wrongly. What it would be given instead is not what was signed, so they cannot
 * be rewritten: they are not judged, which proves nothing and accuses nobody. */
static const char *why_not_judged(const struct mime_field *f,
				  const struct tags *t)
{
	const char *identity = tags_get(t, "i");

	if (!all_hashed_as_signed(f->value, f->nvalue))
		return "not judged: white space before = or a name ending in b";
	if (identity && strchr(identity, '@') != strrchr(identity, '@'))
		return "not judged: quoted @ in i=";
	return NULL;
}

/* RFC 8616: d=, s= and i= of a message with UTF-8 in its header. */
static bool is_international(const struct mime_field *f)
{
	for (size_t i = 0; i < f->nvalue; i++)
		if ((unsigned char)f->value[i] >= 0x80)
			return true;
	return false;
}

/* Judges the text of a signature (RFC 6376 section 3.5) before the library
 * sees it; DKIM_NONE: nothing against it so far. */
static void read_signature(struct arena *a, const struct mime_field *f,
			   struct dkim_signature *s)
{
	const char *query, *why;
	struct tags t;

	*s = (struct dkim_signature){ DKIM_NONE, "", "", "", "", "" };
	if (f->nraw > SIGNATURE_MAX) {
		dkim_judge(s, DKIM_PERMERROR, "signature too long");
		return;
	}
	if (is_international(f)) {
		dkim_judge(s, DKIM_NEUTRAL, "not judged: not ASCII");
		return;
	}
	if (!tags_parse(a, f->value, f->nvalue, &t)) {
		dkim_judge(s, DKIM_PERMERROR, "signature with a fault");
		return;
	}
	s->domain = str_lower(arena_strdup(a, tag_or_empty(a, &t, "d")));
	s->selector = tag_or_empty(a, &t, "s");
	s->algorithm = tag_or_empty(a, &t, "a");
	s->b = tag_or_empty(a, &t, "b");
	query = tags_get(&t, "q");
	if (query && !tags_list_has(query, ':', "dns/txt"))
		dkim_judge(s, DKIM_PERMERROR, "no known way to its key");
	else if (str_equal(s->algorithm, "rsa-sha1"))
		dkim_judge(s, DKIM_POLICY, "rsa-sha1 counts no more");
	else if (!str_equal(s->algorithm, "rsa-sha256") &&
		 !str_equal(s->algorithm, "ed25519-sha256"))
		dkim_judge(s, DKIM_PERMERROR, "unknown algorithm");
	else if ((why = why_not_judged(f, &t)) != NULL)
		dkim_judge(s, DKIM_NEUTRAL, why);
}

void dkim_read_signatures(struct arena *a, const struct message *m,
			  struct dkim_result *r)
{
	const char *pos = m->data, *end = m->data + m->header;
	struct mime_field f;

	r->n = 0;
	while (r->n < DKIM_SIGNATURES_MAX && mime_field_next(&pos, end, &f))
		if (mime_field_is(&f, "DKIM-Signature"))
			read_signature(a, &f, &r->signature[r->n++]);
}
