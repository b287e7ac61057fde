#include "authcheck/spf.h"

#include <string.h>

#include "authcheck/spf-match.h"
#include "authcheck/spf-record.h"
#include "base/str.h"

/* RFC 7208 section 4.6.4 */
#define LOOKUPS_MAX 10
#define VOIDS_MAX 2
#define DOMAIN_BYTES 256

struct check {
	struct lookup *lookup;
	struct spf_matcher *matcher;
	int lookups;
	int voids;
	const char *why;
};

static const char *const words[] = { "none",	 "neutral",  "pass",
				     "fail",	 "softfail", "temperror",
				     "permerror" };

const char *spf_word(enum spf s)
{
	return words[s];
}

static enum spf check_host(struct check *c, const char *domain);

static enum spf give_up(struct check *c, enum spf result, const char *why)
{
	c->why = why;
	return result;
}

/* The one SPF record of DOMAIN, or NULL and *RESULT. */
static const char *find_record(struct check *c, const char *domain,
			       enum spf *result)
{
	const struct dns_answer *d = lookup_dns(c->lookup, domain, "TXT");
	const char *found = NULL;

	*result = SPF_NONE;
	if (d->status == DNS_TEMP)
		*result = give_up(c, SPF_TEMPERROR,
				  arena_printf(c->lookup->arena,
					       "no answer for %s", domain));
	for (size_t i = 0; d->status == DNS_FOUND && i < d->n; i++) {
		if (!spf_record_is(d->record[i].text))
			continue;
		if (found) {
			*result = give_up(c, SPF_PERMERROR,
					  "more than one record");
			return NULL;
		}
		found = d->record[i].text;
	}
	return found;
}

/* The record of the domain that SPEC expands to, for include and redirect,
 * where it must exist. */
static enum spf check_target(struct check *c, const char *domain,
			     const char *spec)
{
	const char *target = spf_expand(c->matcher, domain, spec);
	enum spf result = check_host(c, target);

	if (result == SPF_NONE)
		return give_up(c, SPF_PERMERROR,
			       arena_printf(c->lookup->arena,
					    "%s has no record", target));
	return result;
}

static enum spf_matched match_include(struct check *c, const char *domain,
				      const struct spf_term *t)
{
	switch (check_target(c, domain, t->domain)) {
	case SPF_PASS:
		return SPF_MATCHED;
	case SPF_TEMPERROR:
		return SPF_MATCH_TEMP;
	case SPF_PERMERROR:
		return SPF_MATCH_PERM;
	default:
		return SPF_NOT_MATCHED;
	}
}

static bool asks_dns(enum spf_mechanism m)
{
	return m != SPF_ALL && m != SPF_IP4 && m != SPF_IP6;
}

static enum spf_matched match_term(struct check *c, const char *domain,
				   const struct spf_term *t)
{
	enum spf_matched result;
	bool nothing;

	if (t->mechanism == SPF_ALL)
		return SPF_MATCHED;
	if (asks_dns(t->mechanism) && ++c->lookups > LOOKUPS_MAX) {
		c->why = "too many lookups";
		return SPF_MATCH_PERM;
	}
	if (t->mechanism == SPF_INCLUDE)
		return match_include(c, domain, t);
	result = spf_match(c->matcher, domain, t, &nothing);
	if (nothing && ++c->voids > VOIDS_MAX) {
		c->why = "too many lookups that lead to nothing";
		return SPF_MATCH_PERM;
	}
	if (result == SPF_MATCH_PERM)
		c->why = "a mechanism is over a limit";
	if (result == SPF_MATCH_TEMP)
		c->why = "no answer for a mechanism";
	return result;
}

static enum spf qualified(char qualifier)
{
	switch (qualifier) {
	case '-':
		return SPF_FAIL;
	case '~':
		return SPF_SOFTFAIL;
	case '?':
		return SPF_NEUTRAL;
	default:
		return SPF_PASS;
	}
}

static enum spf evaluate(struct check *c, const char *domain,
			 const struct spf_record *r)
{
	for (size_t i = 0; i < r->n; i++)
		switch (match_term(c, domain, &r->term[i])) {
		case SPF_MATCHED:
			return qualified(r->term[i].qualifier);
		case SPF_MATCH_TEMP:
			return SPF_TEMPERROR;
		case SPF_MATCH_PERM:
			return SPF_PERMERROR;
		case SPF_NOT_MATCHED:
			break;
		}
	if (!r->redirect)
		return SPF_NEUTRAL;
	if (++c->lookups > LOOKUPS_MAX)
		return give_up(c, SPF_PERMERROR, "too many lookups");
	return check_target(c, domain, r->redirect);
}

/* check_host() of RFC 7208 section 4. It calls itself for include and
 * redirect, which are lookups, so LOOKUPS_MAX bounds the depth. */
static enum spf check_host(struct check *c, const char *domain)
{
	struct spf_record r;
	enum spf result;
	const char *text;

	if (!lookup_good_name(domain) || !strchr(domain, '.'))
		return SPF_NONE;
	text = find_record(c, domain, &result);
	if (!text)
		return result;
	if (!spf_record_parse(c->lookup->arena, text, &r))
		return give_up(c, SPF_PERMERROR,
			       arena_printf(c->lookup->arena,
					    "the record of %s has a fault",
					    domain));
	return evaluate(c, domain, &r);
}

/* The domain to check (sections 2.3 and 2.4), without final dot. */
static bool identity(const struct spf_question *q, char *domain)
{
	const char *at = strrchr(q->sender, '@');
	const char *from = *q->sender ? (at ? at + 1 : q->sender) : q->helo;
	size_t n;

	if (!str_copy(domain, DOMAIN_BYTES, from))
		return false;
	n = strlen(domain);
	if (n > 0 && domain[n - 1] == '.')
		domain[n - 1] = '\0';
	return true;
}

void spf_plan(struct lookup *l, const struct spf_question *q, int64_t ms)
{
	char domain[DOMAIN_BYTES];

	if (identity(q, domain) && strchr(domain, '.'))
		lookup_plan(l, domain, "TXT", ms);
}

enum spf spf_check(struct lookup *l, const struct spf_question *q, char *domain,
		   const char **why)
{
	struct check c = { .lookup = l, .why = "" };
	enum spf result = SPF_NONE;

	*why = "";
	if (!identity(q, domain))
		return SPF_NONE;
	c.matcher = spf_matcher_new(l, q);
	if (!c.matcher)
		return SPF_NONE;
	result = check_host(&c, domain);
	spf_matcher_free(&c.matcher);
	if (result == SPF_TEMPERROR || result == SPF_PERMERROR)
		*why = c.why;
	return result;
}
