#include "authcheck/verify.h"

#include <string.h>

#include "address/address.h"
#include "authcheck/results.h"
#include "base/err.h"
#include "base/clock.h"
#include "base/str.h"

/* How long the questions asked at once may wait, above all the one for the
 * policy of the author's domain, without which there is no verdict. */
#define POLICY_MS 12000
#define KEY_MS 8000
#define SPF_RECORD_MS 8000
/* For all that follows from the SPF record: together with the above less than
 * the receivers wait. RFC 7208 section 4.6.4 wants 20 s for both. */
#define SPF_MS 12000

/* ADDRESS with its domain in ASCII, as in the DNS. */
static const char *with_ascii_domain(struct arena *a, const char *address)
{
	const char *at = strrchr(address, '@');
	const char *domain = at ? at + 1 : address;
	char canonical[ADDRESS_DOMAIN_SIZE];

	if (address_domain(domain, strlen(domain), canonical) != ERR_OK)
		return address;
	return arena_printf(a, "%.*s%s", (int)(domain - address), address,
			    canonical);
}

static struct spf_question spf_question(struct lookup *l,
					const struct verify_question *q)
{
	struct spf_question s = {
		.client = q->client,
		.helo = with_ascii_domain(l->arena, q->helo),
		.sender = q->sender,
	};

	if (*q->sender)
		s.sender = with_ascii_domain(l->arena, q->sender);
	return s;
}

static enum spf check_spf(struct lookup *l, const struct spf_question *q,
			  struct results *r, char *domain)
{
	int64_t until = l->until_ms, own = clock_ms() + SPF_MS;

	if (own < until)
		l->until_ms = own;
	r->sender = q->sender;
	r->helo = q->helo;
	r->spf = spf_check(l, q, domain, &r->spf_why);
	str_lower(domain);
	l->until_ms = until;
	return r->spf;
}

int verify_message(struct lookup *l, const struct message *m,
		   const struct verify_question *q, struct verify_answer *a,
		   struct buf *fields)
{
	struct dkim_result *dkim = arena_alloc(l->arena, sizeof(*dkim));
	struct from *from = arena_alloc(l->arena, sizeof(*from));
	const struct spf_question spf = spf_question(l, q);
	struct results r = { .dkim = dkim, .dmarc = &a->dmarc };
	char spf_domain[256];
	struct dmarc_proofs proofs = { .dkim = dkim, .spf_domain = spf_domain };
	int err;

	from_find(m, from);
	dkim_read_signatures(l->arena, m, dkim);
	dmarc_plan(l, from, POLICY_MS);
	spf_plan(l, &spf, SPF_RECORD_MS);
	dkim_plan(l, dkim, KEY_MS);
	lookup_ahead(l);
	err = dkim_verify_message(l, m, dkim);
	if (err)
		return err;
	proofs.spf = a->spf = check_spf(l, &spf, &r, spf_domain);
	a->dkim = dkim->summary;
	a->from_fault = from->fault;
	dmarc_check(l, from, &proofs, &a->dmarc);
	results_write(fields, q->authserv, &r);
	return ERR_OK;
}
