/*
 * One job, from its next hop to its result: the TLS that is asked for, a
 * session kept from the job before, the hosts in their order, each with its
 * addresses, until no recipient is left to try.
 */
#include "remote-send/deliver.h"

#include <string.h>

#include "address/hop.h"
#include "base/clock.h"
#include "base/str.h"
#include "client/policy.h"
#include "log/log.h"
#include "remote-send/command.h"
#include "remote-send/route.h"

#define USES_MAX 100	  /* messages of one session */
#define AGE_MAX_MS 300000 /* time of one session */
#define SESSIONS_MAX 10	  /* addresses tried for one job */
#define POLICY_MS 70000

/* A job on its way through the hosts. */
struct attempt {
	struct session *s;
	struct delivery *d;
	struct hop hop;
	struct route route;
	struct policy policy;
	struct tls_need tls;
	struct fault fault; /* the one so far that counts */
	int tried;
	int sessions;	   /* that were opened, or kept */
	char refused[400]; /* the relay that last deferred some, or "" */
	bool looped;	   /* a host is us: those after it are not preferred */
	bool answered;	   /* some host took a session */
};

/* The TLS that the configuration requires, and the domain's own policy, which
 * can only require more (RFC 8461 section 5). */
static bool find_tls(struct attempt *t, const struct settings *set)
{
	struct fault f;

	t->tls = (struct tls_need){ .try = set->tls != TLS_NONE,
				    .must = set->tls >= TLS_ENCRYPT,
				    .verify = set->tls == TLS_VERIFY };
	if (!t->hop.mx || *set->relayhost || set->tls == TLS_NONE)
		return true;
	if (policy_find(t->d->arena, t->hop.name, &t->policy,
			session_limit(t->s, POLICY_MS))) {
		fault_set(&f, "4.7.5",
			  "cannot ask for the TLS policy of %s: %s",
			  t->hop.name, err_why(ERR_TEMP));
		f.ours = true;
		fault_keep(&t->fault, &f);
		return false;
	}
	if (t->policy.mode == POLICY_ENFORCE)
		t->tls = (struct tls_need){ true, true, true };
	return true;
}

/* A recipient's domain that is none is the sender's mistake; a relayhost that
 * is none is ours, and no reason to bounce mail. */
static bool find_hop(struct attempt *t, struct fault *f)
{
	const struct settings *set = t->d->set;
	const char *domain = t->d->job->destination;

	if (hop_parse(*set->relayhost ? set->relayhost : domain, set->port,
		      &t->hop))
		return true;
	if (*set->relayhost) {
		log_error("relayhost = %s: wants " HOP_FORM, set->relayhost);
		fault_set(f, "4.3.5", "mail server configuration error");
	} else {
		fault_set(f, "5.1.2", "malformed destination %s", domain);
	}
	return false;
}

static bool find_hosts(struct attempt *t)
{
	const struct settings *set = t->d->set;
	struct fault f;

	if (!find_hop(t, &f)) {
		fault_keep(&t->fault, &f);
		return false;
	}
	if (route_find(set, t->d->arena, session_limit(t->s, ROUTE_MS), &t->hop,
		       &t->route, &f))
		return find_tls(t, set);
	fault_keep(&t->fault, &f);
	return false;
}

/* True when no recipient is left. */
static bool use_session(struct attempt *t)
{
	struct fault f;

	t->d->connected_ms = clock_ms();
	t->sessions++;
	switch (transaction_run(t->s, t->d, &f)) {
	case TRANSACTION_DONE:
		return true;
	case TRANSACTION_OTHER:
		str_copy(t->refused, sizeof(t->refused), t->s->relay);
		session_close(t->s, true);
		break;
	case TRANSACTION_LAST:
		session_close(t->s, false);
		return true;
	case TRANSACTION_STALE:
		session_close(t->s, false);
		t->sessions--;
		break;
	case TRANSACTION_BROKEN:
		session_close(t->s, false);
		if (f.set)
			fault_keep(&t->fault, &f);
		break;
	}
	return !outcome_any_left(t->d);
}

/* Is the current session the last to be tried? */
static bool is_last_session(const struct attempt *t)
{
	int limit = t->d->set->session_limit;

	return limit > 0 && t->sessions + 1 >= limit;
}

/* Has that host just refused in the kept session? */
static bool has_refused(const struct attempt *t, const struct peer *peer)
{
	char relay[sizeof(t->refused)];

	session_relay(peer, relay, sizeof(relay));
	return strcmp(relay, t->refused) == 0;
}

/* LAST: there is no further address. True when no recipient is left. */
static bool try_address(struct attempt *t, const char *name, const char *ip,
			bool last)
{
	struct peer peer = { name, ip, t->hop.port };
	struct fault f;

	if (has_refused(t, &peer))
		return false;
	t->tried++;
	if (!session_open(t->s, &peer, &t->tls, &f)) {
		fault_keep(&t->fault, &f);
		t->looped = f.loop;
		log_info("%s: %s", t->d->job->id, f.text);
		return false;
	}
	t->answered = true;
	t->s->only = last && t->tried == 1;
	t->d->last = last || is_last_session(t);
	return use_session(t);
}

/* May further addresses be tried? */
static bool goes_on(const struct attempt *t)
{
	int limit = t->d->set->session_limit;

	return !t->looped && !session_is_late(t->s) &&
	       t->tried < SESSIONS_MAX && (limit == 0 || t->sessions < limit);
}

/* Does MTA-STS allow that host? In testing mode a "no" is only logged. */
static bool policy_allows(struct attempt *t, const char *name)
{
	struct fault f;

	if (t->policy.mode == POLICY_NONE || policy_matches(&t->policy, name))
		return true;
	log_warn("MTA-STS policy of %s does not name its MX host %s%s",
		 t->hop.name, name,
		 t->policy.mode == POLICY_TESTING ? " (testing)" : "");
	if (t->policy.mode == POLICY_TESTING)
		return true;
	fault_set(&f, "4.7.5", "MTA-STS policy of %s does not name the host %s",
		  t->hop.name, name);
	fault_keep(&t->fault, &f);
	return false;
}

static bool try_host(struct attempt *t, size_t i)
{
	const char *name = t->route.host[i].name;
	struct route_addresses at;
	struct fault f;

	if (!policy_allows(t, name))
		return false;
	if (!route_addresses(t->d->set, t->d->arena,
			     session_limit(t->s, ROUTE_MS), &t->route, i, &at,
			     &f)) {
		fault_keep(&t->fault, &f);
		return false;
	}
	for (size_t k = 0; k < at.n && goes_on(t); k++)
		if (try_address(t, name, at.ip[k],
				i + 1 == t->route.n && k + 1 == at.n))
			return true;
	return false;
}

static void try_hosts(struct attempt *t)
{
	if (!find_hosts(t))
		return;
	for (size_t i = 0; i < t->route.n && goes_on(t); i++)
		if (try_host(t, i))
			return;
}

bool deliver_may_keep(const struct session *s)
{
	return s->stream && !s->ends && s->uses < USES_MAX &&
	       clock_ms() - s->opened_ms < AGE_MAX_MS;
}

static bool use_kept(struct attempt *t)
{
	struct session *s = t->s;

	if (!s->stream)
		return false;
	if (deliver_may_keep(s) &&
	    strcmp(s->destination, t->d->job->destination) == 0) {
		t->answered = true;
		t->d->last = s->only;
		return use_session(t);
	}
	session_close(s, true);
	return false;
}

/* Patience is over: whom nobody has decided about is tried again later. */
static bool give_back(const struct attempt *t)
{
	if (!session_is_late(t->s) || !outcome_any_left(t->d))
		return false;
	log_info("%s: to %s, given back: %s", t->d->job->id,
		 t->d->job->destination,
		 t->fault.set ? t->fault.text : "it takes long");
	return true;
}

enum job_destination deliver(struct session *s, struct delivery *d)
{
	struct attempt t = { .s = s, .d = d };
	bool slow;

	s->patience_ms =
		d->job->patience_ms ? d->begun_ms + d->job->patience_ms : 0;
	command_note_utf8(d);
	if (!use_kept(&t)) {
		d->connected_ms = 0;
		t.answered = false;
		if (!str_copy(s->destination, sizeof(s->destination),
			      d->job->destination))
			fault_set(&t.fault, "5.1.2", "destination too long");
		else
			try_hosts(&t);
	}
	slow = give_back(&t);
	if (!slow)
		outcome_fail_all(d, &t.fault);
	seven_bit_end(&d->seven);
	if (slow)
		return JOB_DEST_SLOW;
	return t.answered || t.fault.permanent ? JOB_DEST_OK : JOB_DEST_DOWN;
}
