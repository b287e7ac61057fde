#include "authcheck/dmarc.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <libpsl.h>

#include "authcheck/dmarc-words.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "log/log.h"

#define LIST_MAX (16 << 20) /* bytes; the public one has 0.3 million */

static struct {
	const psl_ctx_t *suffixes;
	bool cross_check;
} self;

static const char *const words[] = { "none", "pass", "fail", "temperror",
				     "permerror" };

const char *dmarc_word(enum dmarc d)
{
	return words[d];
}

/* libpsl takes any file for a list: one that does not even have "com" is not a
 * list, and with it each domain would be its own organization. */
static int use_list(psl_ctx_t *list, const char *path)
{
	const int type = PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE;

	if (!list || !psl_is_public_suffix2(list, "com", type)) {
		psl_free(list);
		return err_set(ERR_SYNTAX, "%s is no list of public suffixes",
			       path);
	}
	self.suffixes = list;
	return ERR_OK;
}

/* We read the file: libpsl would wait at a FIFO, and has no bound. */
static int load_suffixes(const char *path)
{
	struct buf text;
	FILE *in;
	int err;

	buf_init(&text, LIST_MAX);
	err = file_read(path, &text);
	if (!err && text.len == 0)
		err = err_set(ERR_SYNTAX, "%s is empty", path);
	if (!err) {
		in = fmemopen(text.data, text.len, "r");
		err = in ? use_list(psl_load_fp(in), path)
			 : err_sys("read", path);
		if (in)
			fclose(in);
	}
	buf_free(&text);
	return err;
}

int dmarc_prepare(const char *path, bool cross_check)
{
	self.cross_check = cross_check;
	if (*path)
		return load_suffixes(path);
	self.suffixes = psl_builtin();
	return self.suffixes ? ERR_OK
			     : err_set(ERR_NOT_FOUND, "libpsl has no list");
}

/* The organizational domain of DOMAIN (lower case): its public suffix and one
 * label. A public suffix is its own. Points into DOMAIN. */
static const char *organizational_domain(const char *domain)
{
	const char *found = psl_registrable_domain(self.suffixes, domain);

	return found ? found : domain;
}

bool dmarc_aligned(const char *a, const char *b, bool strict)
{
	if (strict)
		return str_equal_ci(a, b);
	return str_equal_ci(organizational_domain(a), organizational_domain(b));
}

/* Which record the domain itself or its organizational domain has. */
struct discovery {
	enum dmarc status; /* DMARC_PASS: there is one */
	struct dmarc_record record;
	bool organizational;
};

static const char *record_name(struct arena *a, const char *domain)
{
	return arena_printf(a, "_dmarc.%s", domain);
}

void dmarc_plan(struct lookup *l, const struct from *from, int64_t ms)
{
	for (size_t i = 0; i < from->n; i++) {
		const char *domain = from->domain[i];
		const char *above = organizational_domain(domain);

		lookup_plan(l, record_name(l->arena, domain), "TXT", ms);
		lookup_plan(l, record_name(l->arena, above), "TXT", ms);
	}
}

static void find_at(struct lookup *l, const char *domain, struct discovery *d)
{
	const struct dns_answer *answer =
		lookup_dns(l, record_name(l->arena, domain), "TXT");
	const char *found = NULL;
	size_t n = 0;

	d->status = answer->status == DNS_TEMP ? DMARC_TEMPERROR : DMARC_NONE;
	for (size_t i = 0; answer->status == DNS_FOUND && i < answer->n; i++)
		if (dmarc_record_is(answer->record[i].text)) {
			found = answer->record[i].text;
			n++;
		}
	if (n != 1 || !dmarc_record_parse(l->arena, found, &d->record))
		return;
	d->status = DMARC_PASS;
	if (self.cross_check && !dmarc_record_agrees(found, domain, &d->record))
		log_debug("libopendmarc reads the record of %s differently: %s",
			  domain, found);
}

/* RFC 7489 section 6.6.3 */
static void discover(struct lookup *l, const char *domain, struct discovery *d)
{
	const char *above = organizational_domain(domain);

	d->organizational = false;
	find_at(l, domain, d);
	if (d->status != DMARC_NONE || str_equal_ci(above, domain))
		return;
	d->organizational = true;
	find_at(l, above, d);
}

/* Is there an aligned proof with the results SPF and DKIM? */
static bool has_proof(const struct dmarc_proofs *p, const char *domain,
		      const struct dmarc_record *r, enum spf spf,
		      enum dkim_verdict dkim)
{
	if (p->spf == spf && *p->spf_domain &&
	    dmarc_aligned(p->spf_domain, domain, r->strict_spf))
		return true;
	for (size_t i = 0; i < p->dkim->n; i++) {
		const struct dkim_signature *s = &p->dkim->signature[i];

		if (s->result == dkim && *s->domain &&
		    dmarc_aligned(s->domain, domain, r->strict_dkim))
			return true;
	}
	return false;
}

/* Of the messages that fail, pct= says how many get the policy; the others
 * get the next milder one (section 6.6.4). */
static enum dmarc_policy sample(enum dmarc_policy policy, int pct)
{
	unsigned short dice;

	if (policy == DMARC_P_NONE || pct >= 100)
		return policy;
	if (getrandom(&dice, sizeof(dice), 0) != sizeof(dice))
		return policy;
	return dice % 100 < pct ? policy : (enum dmarc_policy)(policy - 1);
}

static void check_domain(struct lookup *l, const char *domain,
			 const struct dmarc_proofs *p, struct dmarc_result *r)
{
	struct discovery d;

	*r = (struct dmarc_result){ .domain = domain };
	discover(l, domain, &d);
	r->result = d.status;
	r->pending = d.status == DMARC_TEMPERROR;
	if (d.status != DMARC_PASS)
		return;
	r->published = d.organizational ? d.record.sp : d.record.p;
	if (has_proof(p, domain, &d.record, SPF_PASS, DKIM_PASS))
		return;
	/* only a temporary failure of an aligned proof excuses: others are
	 * easily provoked */
	if (has_proof(p, domain, &d.record, SPF_TEMPERROR, DKIM_TEMPERROR)) {
		r->result = DMARC_TEMPERROR;
		r->pending = r->published != DMARC_P_NONE;
		return;
	}
	r->result = DMARC_FAIL;
	r->disposition = sample(r->published, d.record.pct);
}

void dmarc_check(struct lookup *l, const struct from *from,
		 const struct dmarc_proofs *p, struct dmarc_result *r)
{
	bool pending = false;

	*r = (struct dmarc_result){ .domain = "" };
	for (size_t i = 0; i < from->n; i++) {
		struct dmarc_result one;

		check_domain(l, from->domain[i], p, &one);
		pending |= one.pending;
		if (i == 0 || one.disposition > r->disposition)
			*r = one;
	}
	r->pending = pending;
	if (from->fault || from->n > 1)
		r->result = DMARC_PERMERROR;
}
