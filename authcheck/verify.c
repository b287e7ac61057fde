#include "authcheck/verify.h"

#include <string.h>

#include "address/address.h"
#include "authcheck/results.h"
#include "base/err.h"
#include "base/str.h"

/* ADDRESS with its domain in ASCII, which is what the DNS has. */
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

static enum spf check_spf(const struct lookup *l,
			  const struct verify_question *q, struct results *r,
			  char *domain)
{
	struct spf_question s = {
		.client = q->client,
		.helo = with_ascii_domain(l->arena, q->helo),
		.sender = q->sender,
	};

	if (*q->sender)
		s.sender = with_ascii_domain(l->arena, q->sender);
	r->sender = s.sender;
	r->helo = s.helo;
	r->spf = spf_check(l, &s, domain, &r->spf_why);
	str_lower(domain);
	return r->spf;
}

int verify_message(const struct lookup *l, const struct message *m,
		   const struct verify_question *q, struct verify_answer *a,
		   struct buf *fields)
{
	struct dkim_result *dkim = arena_alloc(l->arena, sizeof(*dkim));
	struct from *from = arena_alloc(l->arena, sizeof(*from));
	struct results r = { .dkim = dkim, .dmarc = &a->dmarc };
	char spf_domain[256];
	struct dmarc_proofs proofs = { .dkim = dkim, .spf_domain = spf_domain };
	int err = dkim_verify_message(l, m, dkim);

	if (err)
		return err;
	proofs.spf = a->spf = check_spf(l, q, &r, spf_domain);
	a->dkim = dkim->summary;
	from_find(m, from);
	dmarc_check(l, from, &proofs, &a->dmarc);
	results_write(fields, q->authserv, &r);
	return ERR_OK;
}
