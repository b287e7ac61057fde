/*
 * Does one mechanism match? libspf2 only answers this: it gets a record of one
 * term, "v=spf1 +a:target.invalid/24", and our own resolver. The placeholder
 * stands for the name that was expanded here, so that no name made by a
 * stranger gets into its parser; limits on answers (ten MX, ten PTR), prefix
 * lengths of 0 and void lookups are handled here, since it gets them wrong or
 * does not know them.
 */
#include "authcheck/spf-match.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <spf2/spf.h>
#include <spf2/spf_dns.h>

#include "authcheck/spf-macro.h"
#include "base/mem.h"
#include "log/log.h"

#define MX_MAX 10  /* more is permerror (RFC 7208 section 4.6.4) */
#define PTR_MAX 10 /* further names are ignored */

/* The name for which the library asks: names made by strangers do not get into
 * its parser. */
#define PLACEHOLDER "target.invalid"

struct spf_matcher {
	struct lookup *lookup;
	struct spf_values values;
	SPF_dns_server_t dns;
	SPF_server_t *server;
	SPF_request_t *request;

	/* the current mechanism */
	const char *target; /* the name that PLACEHOLDER stands for */
	bool any_address;   /* prefix length 0: whatever address matches */
	bool is_ptr;	    /* faults of the DNS mean no match */
	int questions;
	bool first_was_void;
	bool too_many;
};

static const struct type_row {
	ns_type type;
	const char *name;
} types[] = {
	{ ns_t_a, "A" },     { ns_t_aaaa, "AAAA" }, { ns_t_mx, "MX" },
	{ ns_t_ptr, "PTR" }, { ns_t_txt, "TXT" },
};

static const char *type_name(ns_type type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return types[i].name;
	return NULL;
}

static bool put_record(const struct spf_matcher *m, SPF_dns_rr_t *rr, int i,
		       const char *text)
{
	size_t n = strlen(text) + 1;

	if (SPF_dns_rr_buf_realloc(rr, i, n) != SPF_E_SUCCESS)
		return false;
	if (rr->rr_type == ns_t_a) {
		if (m->any_address)
			rr->rr[i]->a = m->request->ipv4;
		else if (inet_pton(AF_INET, text, &rr->rr[i]->a) != 1)
			return false;
	} else if (rr->rr_type == ns_t_aaaa) {
		if (m->any_address)
			rr->rr[i]->aaaa = m->request->ipv6;
		else if (inet_pton(AF_INET6, text, &rr->rr[i]->aaaa) != 1)
			return false;
	} else {
		memcpy(rr->rr[i]->txt, text, n);
	}
	return true;
}

static SPF_dns_stat_t library_status(const struct spf_matcher *m,
				     const struct dns_answer *d)
{
	switch (d->status) {
	case DNS_FOUND:
		return NETDB_SUCCESS;
	case DNS_NO_DATA:
		return NO_DATA;
	case DNS_NO_NAME:
		return HOST_NOT_FOUND;
	case DNS_TEMP:
		break;
	}
	return m->is_ptr ? HOST_NOT_FOUND : TRY_AGAIN;
}

/* How many of D's records the library may see. */
static size_t record_limit(struct spf_matcher *m, ns_type type,
			   const struct dns_answer *d)
{
	if (type == ns_t_mx && d->n > MX_MAX) {
		m->too_many = true;
		return 0;
	}
	return type == ns_t_ptr && d->n > PTR_MAX ? PTR_MAX : d->n;
}

static SPF_dns_rr_t *new_answer(SPF_dns_server_t *dns, const char *name,
				ns_type type, SPF_dns_stat_t status)
{
	SPF_dns_rr_t *rr = SPF_dns_rr_new_init(dns, name, type, 0, status);

	if (!rr)
		log_die(EX_OSERR, "out of memory");
	return rr;
}

static SPF_dns_rr_t *answer(struct spf_matcher *m, const char *name,
			    ns_type type)
{
	const char *word = type_name(type);
	const struct dns_answer *d;
	SPF_dns_rr_t *rr;
	size_t limit;
	int n = 0;

	if (!word)
		return new_answer(&m->dns, name, type, NO_DATA);
	d = lookup_dns(m->lookup, name, word);
	if (m->questions++ == 0)
		m->first_was_void =
			d->status == DNS_NO_DATA || d->status == DNS_NO_NAME;
	rr = new_answer(&m->dns, name, type, library_status(m, d));
	limit = d->status == DNS_FOUND ? record_limit(m, type, d) : 0;
	for (size_t i = 0; i < limit; i++)
		if (put_record(m, rr, n, d->record[i].text))
			n++;
	rr->num_rr = n;
	return rr;
}

/* What libspf2 calls for its DNS. */
static SPF_dns_rr_t *on_lookup(SPF_dns_server_t *dns, const char *name,
			       ns_type type, int cache)
{
	struct spf_matcher *m = dns->hook;

	(void)cache;
	if (strcmp(name, PLACEHOLDER) == 0)
		name = m->target;
	return answer(m, name, type);
}

static bool set_client(SPF_request_t *r, const char *client)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, client, &v4) == 1)
		return SPF_request_set_ipv4(r, v4) == SPF_E_SUCCESS;
	if (inet_pton(AF_INET6, client, &v6) != 1)
		return false;
	if (!IN6_IS_ADDR_V4MAPPED(&v6))
		return SPF_request_set_ipv6(r, v6) == SPF_E_SUCCESS;
	memcpy(&v4, v6.s6_addr + 12, sizeof(v4));
	return SPF_request_set_ipv4(r, v4) == SPF_E_SUCCESS;
}

/* The client's address in the form of the i macro (section 7.3). */
static const char *dotted(struct arena *a, const SPF_request_t *r)
{
	static const char digits[] = "0123456789abcdef";
	char text[64], *p = text;

	if (r->client_ver == AF_INET)
		return arena_strdup(
			a, inet_ntop(AF_INET, &r->ipv4, text, sizeof(text)));
	for (int i = 0; i < 16; i++) {
		*p++ = digits[r->ipv6.s6_addr[i] >> 4];
		*p++ = '.';
		*p++ = digits[r->ipv6.s6_addr[i] & 15];
		*p++ = i < 15 ? '.' : '\0';
	}
	return arena_strdup(a, text);
}

static void set_values(struct spf_matcher *m, const struct spf_question *q)
{
	const SPF_request_t *r = m->request;

	m->values.s = r->env_from;
	m->values.l = r->env_from_lp;
	m->values.o = r->env_from_dp;
	m->values.i = dotted(m->lookup->arena, r);
	m->values.v = r->client_ver == AF_INET ? "in-addr" : "ip6";
	m->values.h = q->helo;
}

static bool set_request(struct spf_matcher *m, const struct spf_question *q)
{
	m->request = SPF_request_new(m->server);
	return m->request && set_client(m->request, q->client) &&
	       SPF_request_set_helo_dom(m->request, q->helo) == 0 &&
	       SPF_request_set_env_from(m->request, q->sender) == 0;
}

struct spf_matcher *spf_matcher_new(struct lookup *l,
				    const struct spf_question *q)
{
	struct spf_matcher *m = mem_alloc(sizeof(*m));

	m->lookup = l;
	m->dns.lookup = on_lookup;
	m->dns.name = "posthorn";
	m->dns.hook = m;
	m->server = SPF_server_new_dns(&m->dns, 0);
	if (m->server && set_request(m, q))
		set_values(m, q);
	else
		spf_matcher_free(&m);
	return m;
}

void spf_matcher_free(struct spf_matcher **m)
{
	if (!*m)
		return;
	if ((*m)->request)
		SPF_request_free((*m)->request);
	if ((*m)->server)
		SPF_server_free((*m)->server);
	free(*m);
	*m = NULL;
}

static enum spf_matched library_result(const SPF_response_t *r)
{
	switch (r->result) {
	case SPF_RESULT_PASS:
		return SPF_MATCHED;
	case SPF_RESULT_NEUTRAL:
		return SPF_NOT_MATCHED;
	case SPF_RESULT_TEMPERROR:
		return SPF_MATCH_TEMP;
	default:
		return SPF_MATCH_PERM;
	}
}

/* Asks the library about the one mechanism TEXT, but not through its entry
 * point for mail, which lets every loopback client pass. */
static enum spf_matched ask(struct spf_matcher *m, const char *text)
{
	char *record = mem_printf("v=spf1 +%s", text);
	SPF_response_t *response = SPF_response_new(m->request);
	enum spf_matched result = SPF_MATCH_PERM;
	SPF_record_t *compiled = NULL;

	m->request->cur_dom = PLACEHOLDER;
	m->questions = 0;
	m->first_was_void = m->too_many = false;
	if (response && SPF_record_compile(m->server, response, &compiled,
					   record) == SPF_E_SUCCESS) {
		response->spf_record_exp = compiled;
		SPF_record_interpret(compiled, m->request, response, 0);
		result = library_result(response);
	}
	m->request->cur_dom = NULL;
	if (compiled)
		SPF_record_free(compiled);
	if (response)
		SPF_response_free(response);
	free(record);
	return m->too_many ? SPF_MATCH_PERM : result;
}

/* Would the library read NAME as that name alone? */
static bool is_plain(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-_.")] == '\0';
}

/* The mechanism as text for the library, which has no prefix length 0. */
static const char *mechanism_text(const struct spf_matcher *m,
				  const struct spf_term *t)
{
	static const char *const names[] = {
		"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"
	};
	struct arena *a = m->lookup->arena;
	bool six_only = t->mechanism == SPF_IP6;
	const char *four = "", *six = "", *argument = PLACEHOLDER;

	if (t->mechanism == SPF_IP4 || t->mechanism == SPF_IP6)
		argument = t->domain;
	if (t->mechanism == SPF_PTR)
		argument = m->target; /* it is compared, not looked up */
	if (t->cidr4 > 0)
		four = arena_printf(a, "/%d", t->cidr4);
	if (t->cidr6 > 0)
		six = arena_printf(a, "%s/%d", six_only ? "" : "/", t->cidr6);
	return arena_printf(a, "%s:%s%s%s", names[t->mechanism], argument, four,
			    six);
}

enum spf_matched spf_match(struct spf_matcher *m, const char *domain,
			   const struct spf_term *t, bool *nothing)
{
	bool v4 = m->request->client_ver == AF_INET;
	enum spf_matched result;

	*nothing = false;
	if ((t->mechanism == SPF_IP4 && !v4) || (t->mechanism == SPF_IP6 && v4))
		return SPF_NOT_MATCHED;
	m->any_address = (v4 ? t->cidr4 : t->cidr6) == 0;
	if (m->any_address &&
	    (t->mechanism == SPF_IP4 || t->mechanism == SPF_IP6))
		return SPF_MATCHED;
	m->is_ptr = t->mechanism == SPF_PTR;
	m->target = domain;
	if (t->domain && t->mechanism != SPF_IP4 && t->mechanism != SPF_IP6)
		m->target = spf_expand(m, domain, t->domain);
	if (m->is_ptr && !is_plain(m->target))
		return SPF_NOT_MATCHED;
	result = ask(m, mechanism_text(m, t));
	*nothing = m->first_was_void;
	return result;
}

/* The validated name of the client (section 5.5), which the library finds
 * and keeps. */
static const char *client_name(struct spf_matcher *m)
{
	bool is_ptr = m->is_ptr;
	const char *name;

	m->is_ptr = true;
	name = SPF_request_get_client_dom(m->request);
	m->is_ptr = is_ptr;
	return name ? name : "unknown";
}

const char *spf_expand(struct spf_matcher *m, const char *domain,
		       const char *spec)
{
	if (spf_macro_uses_p(spec) && !m->values.p)
		m->values.p = client_name(m);
	m->values.d = domain;
	return spf_macro_expand(m->lookup->arena, spec, &m->values);
}
