/*
 * The text of signatures (RFC 6376 section 3.5): which of them may count, and
 * what they say that they cover.
 */
#include <string.h>

#include "address/address.h"
#include "authcheck/dkim-key.h"
#include "authcheck/dkim.h"
#include "authcheck/tags.h"
#include "base/clock.h"
#include "base/str.h"
#include "mime/field.h"

#define SIGNATURE_MAX 16384 /* bytes; none that is meant well has a tenth */
#define DRIFT_S 300	    /* by which others' clocks may be wrong */

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

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* A domain name in A-labels, from A; or NULL. */
static const char *canonical(struct arena *a, const char *text)
{
	char domain[ADDRESS_DOMAIN_SIZE];

	if (address_domain(text, strlen(text), domain) || domain[0] == '[')
		return NULL;
	return arena_strdup(a, domain);
}

/* d= and s=, which make the name of the key. */
static const char *read_names(struct arena *a, const struct tags *t,
			      struct dkim_signature *s)
{
	const char *domain = canonical(a, tag_or_empty(a, t, "d"));
	const char *selector = tag_or_empty(a, t, "s");

	/* all digits are no domain, and a selector */
	if (!is_ascii(selector))
		selector = canonical(a, selector);
	if (!domain || !selector || !*selector ||
	    !canonical(a, dkim_key_name(a, selector, domain)))
		return "signature with a name that is none";
	s->domain = domain;
	s->selector = selector;
	return NULL;
}

static const char *read_algorithm(struct arena *a, const struct tags *t,
				  struct dkim_signature *s)
{
	const char *algorithm = tag_or_empty(a, t, "a");

	s->algorithm = is_ascii(algorithm) ? algorithm : "";
	if (str_equal(algorithm, "rsa-sha256") ||
	    str_equal(algorithm, "ed25519-sha256") ||
	    str_equal(algorithm, "rsa-sha1"))
		return NULL;
	return "unknown algorithm";
}

/* Whoever signed, i=, must be at the domain or below it. A local part may
 * hold an @ in quotes. */
static const char *read_identity(struct arena *a, const struct tags *t,
				 struct dkim_signature *s)
{
	const char *text = tag_or_empty(a, t, "i"), *domain;
	size_t below;

	if (!*text)
		return NULL;
	text = strrchr(text, '@');
	domain = text ? canonical(a, text + 1) : NULL;
	if (!domain || !str_ends_ci(domain, s->domain))
		return "signed by another domain";
	below = strlen(domain) - strlen(s->domain);
	if (below > 0 && domain[below - 1] != '.')
		return "signed by another domain";
	s->terms.sub_domain = below > 0;
	return NULL;
}

/* c=: "header/body", "header" or nothing. */
static const char *read_forms(struct arena *a, const struct tags *t,
			      struct dkim_signature *s)
{
	static const struct {
		const char *word;
		bool header, body;
	} forms[] = {
		{ "", false, false },
		{ "simple", false, false },
		{ "relaxed", true, false },
		{ "simple/simple", false, false },
		{ "simple/relaxed", false, true },
		{ "relaxed/simple", true, false },
		{ "relaxed/relaxed", true, true },
	};
	const char *c = tag_or_empty(a, t, "c");

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (str_equal_ci(forms[i].word, c)) {
			s->terms.relaxed_header = forms[i].header;
			s->terms.relaxed_body = forms[i].body;
			return NULL;
		}
	return "unknown canonicalization";
}

static const char *read_coverage(struct arena *a, const struct tags *t,
				 struct dkim_signature *s)
{
	const char *limit = tags_get(t, "l"), *query = tags_get(t, "q");

	s->terms.limit = -1;
	s->terms.fields = tag_or_empty(a, t, "h");
	s->terms.bh = tag_or_empty(a, t, "bh");
	s->b = tag_or_empty(a, t, "b");
	if (!is_ascii(s->b))
		s->b = "";
	if (limit && !str_to_int(limit, 0, INT64_MAX, &s->terms.limit))
		return "signature with a fault";
	if (!tags_list_has(s->terms.fields, ':', "from"))
		return "From is not signed";
	if (!*s->terms.bh || !*s->b)
		return "signature with a fault";
	if (query && !tags_list_has(query, ':', "dns/txt"))
		return "no known way to its key";
	return NULL;
}

/* Reads t= and x=, and looks at the clock. */
static void read_times(const struct tags *t, struct dkim_signature *s)
{
	const char *made = tags_get(t, "t"), *ends = tags_get(t, "x");
	int64_t from = 0, to = INT64_MAX, now = clock_wall();

	if ((made && !str_to_int(made, 0, INT64_MAX, &from)) ||
	    (ends && !str_to_int(ends, 0, INT64_MAX, &to)) || to <= from)
		dkim_judge(s, DKIM_PERMERROR, "signature with a fault");
	else if (from > now + DRIFT_S)
		dkim_judge(s, DKIM_FAIL, "signed in the future");
	else if (to < now - DRIFT_S)
		dkim_judge(s, DKIM_FAIL, "signature expired");
}

/* In this order: what is known of a faulty one is told. */
static const char *(*const readers[])(struct arena *a, const struct tags *t,
				      struct dkim_signature *s) = {
	read_names, read_algorithm, read_coverage, read_identity, read_forms,
};

/* DKIM_NONE: so far there is nothing against it. */
static void read_signature(struct arena *a, const struct mime_field *f,
			   struct dkim_signature *s)
{
	const char *fault = NULL, *version;
	struct tags t;

	*s = (struct dkim_signature){ DKIM_NONE,      "", "", "", "", "",
				      { .field = *f } };
	if (f->nraw > SIGNATURE_MAX) {
		dkim_judge(s, DKIM_PERMERROR, "signature too long");
		return;
	}
	if (!tags_parse(a, f->value, f->nvalue, &t)) {
		dkim_judge(s, DKIM_PERMERROR, "signature with a fault");
		return;
	}
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		const char *why = readers[i](a, &t, s);

		fault = fault ? fault : why;
	}
	version = tags_get(&t, "v");
	if (!fault && (!version || !str_equal(version, "1")))
		fault = "signature of another version";
	if (fault)
		dkim_judge(s, DKIM_PERMERROR, fault);
	else if (str_equal(s->algorithm, "rsa-sha1"))
		dkim_judge(s, DKIM_POLICY, "rsa-sha1 counts no more");
	else
		read_times(&t, s);
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
