/* Who may be written to, and from where: what the policies of smtpd and
 * submit have in common. */
#include <stdio.h>
#include <string.h>

#include "client/account.h"
#include "client/dns.h"
#include "smtp/session.h"

#define DNS_MS 30000

/* user@[our address] is user at this host (RFC 5321 section 4.5.1 wants it
 * for postmaster). */
static void resolve_literal(struct smtp_session *s, struct address *a)
{
	char ours[ADDRESS_DOMAIN_SIZE];
	const char *ip;

	if (a->domain[0] != '[')
		return;
	ip = smtp_local_address(s);
	snprintf(ours, sizeof(ours), "[%s%s]", strchr(ip, ':') ? "IPv6:" : "",
		 ip);
	if (*ip && strcmp(a->domain, ours) == 0)
		str_copy(a->domain, ADDRESS_DOMAIN_SIZE, s->server->origin);
}

/* May the postmaster of A's domain be the one of this system? */
static bool lacks_postmaster(const struct smtp_server *s,
			     const struct address *a)
{
	return str_equal_ci(a->local, "postmaster") &&
	       !str_equal_ci(a->domain, s->origin) &&
	       address_class(s->domains, s->origin) != ADDRESS_REMOTE;
}

/* Mail to postmaster must be taken in every domain (RFC 5321 section 4.5.1):
 * where there is none it is for the one of myorigin. */
static enum account_status find_account(const struct smtp_server *s,
					struct address *a, char *text)
{
	enum account_status status = account_recipient(address_text(a, text));

	if (status != ACCOUNT_NONE || !lacks_postmaster(s, a))
		return status;
	str_copy(a->domain, ADDRESS_DOMAIN_SIZE, s->origin);
	return account_recipient(address_text(a, text));
}

static bool check_account(const struct smtp_server *s, struct address *a,
			  struct smtp_reply *r)
{
	char text[ADDRESS_TEXT_SIZE];

	switch (find_account(s, a, text)) {
	case ACCOUNT_FOUND:
		return true;
	case ACCOUNT_NONE:
		return smtp_refuse(
			r,
			"550 5.1.1 <%s>: Recipient address rejected: "
			"no such user here",
			text);
	case ACCOUNT_TEMP:
		break;
	}
	return smtp_refuse(r, "451 4.3.0 <%s>: Temporary lookup failure", text);
}

bool smtp_check_recipient(struct smtp_session *s, struct address *a, bool relay,
			  struct smtp_reply *r)
{
	char text[ADDRESS_TEXT_SIZE];

	resolve_literal(s, a);
	address_text(a, text);
	if (address_class(s->server->domains, a->domain) != ADDRESS_REMOTE) {
		/* a second @ would be a route to somebody behind us */
		if (strchr(a->local, '@'))
			return smtp_refuse(r,
					   "550 5.1.1 <%s>: Recipient address "
					   "rejected: no such user here",
					   text);
		return check_account(s->server, a, r);
	}
	if (relay)
		return true;
	return smtp_refuse(r, "554 5.7.1 <%s>: Relay access denied", text);
}

/* Does NAME have an address? */
static enum dns_status has_address(struct arena *a, const char *name)
{
	enum dns_status four = dns_query(a, name, "A", DNS_MS)->status, six;

	if (four == DNS_FOUND)
		return four;
	six = dns_query(a, name, "AAAA", DNS_MS)->status;
	if (six == DNS_FOUND || six == DNS_TEMP)
		return six;
	return four;
}

bool smtp_check_sender_domain(struct smtp_session *s, const struct address *a,
			      struct smtp_reply *r)
{
	enum dns_status status;
	struct dns_answer *mx;

	if (address_is_null(a) || a->domain[0] == '[' ||
	    address_class(s->server->domains, a->domain) != ADDRESS_REMOTE)
		return true;
	mx = dns_query(s->memory, a->domain, "MX", DNS_MS);
	status = mx->status;
	if (status == DNS_FOUND && mx->n == 1 &&
	    (strcmp(mx->record[0].text, ".") == 0 || !*mx->record[0].text))
		return smtp_refuse(r,
				   "550 5.7.27 <%s>: Sender address rejected: "
				   "the domain takes no mail",
				   a->domain);
	if (status == DNS_NO_DATA)
		status = has_address(s->memory, a->domain);
	if (status == DNS_FOUND)
		return true;
	if (status == DNS_TEMP)
		return smtp_refuse(r,
				   "450 4.1.8 <%s>: Sender address rejected: "
				   "the domain cannot be looked up now",
				   a->domain);
	return smtp_refuse(r,
			   "550 5.1.8 <%s>: Sender address rejected: "
			   "domain not found",
			   a->domain);
}
