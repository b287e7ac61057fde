/* Which recipients and sender domains are accepted: rows for the policies of
 * smtpd and submit. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client/account.h"
#include "client/dns.h"
#include "smtp/park.h"
#include "smtp/session.h"

#define DNS_MS 30000
#define STRESS_DNS_MS 5000 /* while others wait */

static bool is_postmaster(const struct address *a)
{
	return str_equal_ci(a->local, "postmaster");
}

void smtp_take_home(const struct smtp_server *s, struct address *a)
{
	bool ours = address_class(s->domains, s->origin) != ADDRESS_REMOTE;

	str_copy(a->domain, ADDRESS_DOMAIN_SIZE,
		 ours || !is_postmaster(a) ? s->origin : "");
}

/* user@[our address] is user at this host (RFC 5321 section 4.5.1 requires
 * this for postmaster). */
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
		smtp_take_home(s->server, a);
}

/* Of the next recipients up to the N-th it is not known. */
static void fill_rooms(struct smtp_session *s, size_t n)
{
	if (s->nrooms >= n)
		return;
	s->room = mem_resize(s->room, n, sizeof(*s->room));
	while (s->nrooms < n)
		s->room[s->nrooms++] = INT64_MAX;
}

/* Of the recipient that is being judged. */
static void note_room(struct smtp_session *s, int64_t room)
{
	size_t at = s->envelope.nrecipients;

	if (room == INT64_MAX)
		return;
	fill_rooms(s, at + 1);
	s->room[at] = room;
}

bool smtp_is_full(const struct smtp_session *s, size_t at, int64_t size,
		  struct answer *a)
{
	if (at >= s->nrooms || (s->room[at] > 0 && size <= s->room[at]))
		return false;
	answer_set(a, "%s <%s>: Recipient address rejected: the mailbox is full",
		   s->server->full_tempfail ? "452 4.2.2" : "552 5.2.2",
		   s->envelope.recipient[at].address);
	return true;
}

/* None for the address of the recipient AT, wherever it is named. */
static void take_room(struct smtp_session *s, size_t at)
{
	const struct envelope_recipient *r = s->envelope.recipient;

	for (size_t i = 0; i < s->envelope.nrecipients; i++)
		if (str_equal_ci(r[i].address, r[at].address))
			s->room[i] = 0;
}

size_t smtp_count_full(struct smtp_session *s, int64_t size)
{
	size_t n = 0;

	if (s->nrooms == 0)
		return 0;
	fill_rooms(s, s->envelope.nrecipients);
	for (size_t i = 0; i < s->envelope.nrecipients; i++)
		if (size > s->room[i])
			take_room(s, i);
	for (size_t i = 0; i < s->envelope.nrecipients; i++)
		n += s->room[i] == 0;
	return n;
}

/* Mail to postmaster must be accepted in every domain (RFC 5321 section
 * 4.5.1): if there is none, it is for the one of this system, whatever the
 * tables say about that. */
static enum intake_action judge_account(struct smtp_session *s,
					struct address *to, struct answer *a)
{
	char text[ADDRESS_TEXT_SIZE];
	int64_t room;

	switch (account_recipient(address_text(to, text), &room)) {
	case ACCOUNT_FOUND:
		note_room(s, room);
		if (!smtp_is_full(s, s->envelope.nrecipients, s->size, a))
			return INTAKE_ACCEPT;
		return answer_class(a) == '4' ? INTAKE_DEFER : INTAKE_REFUSE;
	case ACCOUNT_NONE:
		if (!is_postmaster(to))
			return intake_no(a,
					 "550 5.1.1 <%s>: Recipient address "
					 "rejected: no such user here",
					 text);
		smtp_take_home(s->server, to);
		return INTAKE_ACCEPT;
	case ACCOUNT_TEMP:
		break;
	}
	return intake_no(a, "451 4.3.0 <%s>: Temporary lookup failure", text);
}

static enum intake_action judge(const struct intake_question *q, bool relay,
				struct answer *a)
{
	struct smtp_session *s = q->session;
	char text[ADDRESS_TEXT_SIZE];

	resolve_literal(s, q->address);
	address_text(q->address, text);
	if (address_class(s->server->domains, q->address->domain) ==
	    ADDRESS_REMOTE)
		return relay ? INTAKE_ACCEPT
			     : intake_no(a,
					 "554 5.7.1 <%s>: Relay access "
					 "denied",
					 text);
	/* a second @ would be a route through us to another host */
	if (strchr(q->address->local, '@'))
		return intake_no(a,
				 "550 5.1.1 <%s>: Recipient address rejected: "
				 "no such user here",
				 text);
	return judge_account(s, q->address, a);
}

enum intake_action smtp_judge_recipient(const struct intake_question *q,
					struct answer *a)
{
	return judge(q, false, a);
}

enum intake_action smtp_judge_relayed(const struct intake_question *q,
				      struct answer *a)
{
	return judge(q, true, a);
}

/* Does NAME have an address? */
static enum dns_status has_address(struct arena *a, const char *name,
				   const struct dns_patience *p)
{
	enum dns_status four = dns_query_within(a, name, "A", p)->status, six;

	if (four == DNS_FOUND)
		return four;
	six = dns_query_within(a, name, "AAAA", p)->status;
	if (six == DNS_FOUND || six == DNS_TEMP)
		return six;
	return four;
}

/* Whether mail to DOMAIN can go anywhere. */
static enum dns_status takes_mail(struct smtp_session *s, const char *domain,
				  bool *never)
{
	const struct dns_patience p = { s->stress ? STRESS_DNS_MS : DNS_MS,
					smtp_gives_way, s };
	struct dns_answer *mx = dns_query_within(s->memory, domain, "MX", &p);

	*never = mx->status == DNS_FOUND && mx->n == 1 &&
		 (strcmp(mx->record[0].text, ".") == 0 || !*mx->record[0].text);
	return mx->status == DNS_NO_DATA ? has_address(s->memory, domain, &p)
					 : mx->status;
}

enum intake_action smtp_judge_sender_domain(const struct intake_question *q,
					    struct answer *a)
{
	struct smtp_session *s = q->session;
	const char *domain = q->address->domain;
	enum dns_status status;
	bool never;

	if (!s->server->check_sender_domain || address_is_null(q->address) ||
	    domain[0] == '[' ||
	    address_class(s->server->domains, domain) != ADDRESS_REMOTE)
		return INTAKE_ACCEPT;
	status = takes_mail(s, domain, &never);
	if (never)
		return intake_no(a,
				 "550 5.7.27 <%s>: Sender address rejected: "
				 "the domain takes no mail",
				 domain);
	if (status == DNS_FOUND)
		return INTAKE_ACCEPT;
	if (status == DNS_TEMP)
		return intake_no(a,
				 "450 4.1.8 <%s>: Sender address rejected: "
				 "the domain cannot be looked up now",
				 domain);
	return intake_no(a,
			 "550 5.1.8 <%s>: Sender address rejected: "
			 "domain not found",
			 domain);
}
