/*
 * One connection asks one question, and ends with the answer. The number of
 * connections is limited, in all and of each uid, and so is their time: the
 * uids of mail users are those of their own programs, too.
 */
#include "accountd/visits.h"

#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accountd/elsewhere.h"
#include "accountd/find.h"
#include "accountd/handover.h"
#include "accountd/badge.h"
#include "accountd/shares.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "service/loop.h"

#define PEERS_MAX 200
#define PEERS_OF_UID_MAX 100
#define WAIT_S 10
#define ANYONE "anyone"

struct peer {
	struct peer *next;
	struct peer **link;
	int sock;
	uid_t uid;
	struct event input;
	struct handover *handover;
	int proof; /* the connection that the seal is for, or -1 */
	int door;  /* where the visit goes on, or -1 */
	char user[ACCOUNT_USER_SIZE];
	char owner[ACCOUNT_USER_SIZE];
};

static struct {
	struct event_base *base;
	struct loop_listener *listener;
	struct peer *peers;
	struct ipc_in in;
	struct ipc_out out;
} self;

static void remove_peer(struct peer *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	event_del(&p->input);
	if (p->handover)
		handover_cancel(p->handover);
	if (p->proof >= 0)
		close(p->proof);
	if (p->door >= 0)
		close(p->door);
	close(p->sock);
	free(p);
}

static void answer(struct peer *p, const char *verb)
{
	ipc_begin(&self.out, verb);
	err_ignore(ipc_send(p->sock, &self.out, 0)); /* it is gone, then */
}

/* The question has no answer now. */
static void answer_temp(struct peer *p, const char *why)
{
	ipc_begin(&self.out, "temp");
	ipc_put(&self.out, "why", why);
	err_ignore(ipc_send(p->sock, &self.out, 0)); /* it is gone, then */
}

static void on_handover(void *context, enum handover_end end, const char *why)
{
	struct peer *p = context;

	p->handover = NULL;
	if (end != HANDOVER_TAKEN)
		log_warn("%s cannot visit %s: %s", p->user, p->owner, why);
	if (end == HANDOVER_TAKEN)
		answer(p, "ok");
	else
		answer_temp(p, why);
	remove_peer(p);
}

/* Hands the visit over to a session of the owner A. */
static bool begin_visit(struct peer *p, const struct account *a)
{
	struct handover_facts f = { .session = "imap",
				    .account = a,
				    .visitor = p->user,
				    .client = "",
				    .tag = "visit",
				    .pending = "",
				    .fd = p->door };
	const char *why;

	p->handover = handover_begin(self.base, &f, on_handover, p, &why);
	if (!p->handover) {
		log_warn("%s cannot visit %s: %s", p->user, p->owner, why);
		answer_temp(p, why);
	}
	return p->handover != NULL;
}

/* What another host serves is not opened here, even if there is such a mailbox. */
static bool is_here(const char *user)
{
	struct proxy_target ignored;

	return elsewhere_find(user, ACCOUNT_FOUND, &ignored) == ELSEWHERE_HERE;
}

/* Whether an owner exists is not told to those for whom nothing is there. */
static bool do_visit(struct peer *p)
{
	struct account a;
	const char *hash;
	enum account_status found;

	p->door = ipc_take_fd(&self.in);
	if (!str_copy(p->owner, sizeof(p->owner),
		      ipc_text(&self.in, "owner")) ||
	    p->door < 0)
		return false;
	if (str_equal(p->owner, p->user) || !shares_have(p->owner, p->user)) {
		answer(p, "none");
		return false;
	}
	found = find_login(p->owner, &a, &hash);
	if (found == ACCOUNT_FOUND && a.uid != 0 &&
	    str_equal(a.user, p->owner) && is_here(a.user))
		return begin_visit(p, &a);
	if (found == ACCOUNT_TEMP)
		answer_temp(p, err_why(ERR_TEMP));
	else
		answer(p, "none");
	return false;
}

static bool do_owners(struct peer *p)
{
	struct strlist owners = { 0 };

	shares_owners(p->user, &owners);
	ipc_begin(&self.out, "owners");
	for (size_t i = 0; i < owners.n; i++)
		ipc_put(&self.out, "owner", owners.item[i]);
	strlist_free(&owners);
	if (ipc_send(p->sock, &self.out, 0) == ERR_TOO_LONG)
		answer_temp(p, "too many users have opened folders");
	return false;
}

/* The user whom IDENTIFIER names, by the name that sessions have. */
static enum account_status find_identifier(const char *identifier, char *name)
{
	enum account_status found;
	struct account a;
	const char *hash;

	if (str_equal_ci(identifier, ANYONE)) {
		str_copy(name, ACCOUNT_USER_SIZE, ANYONE);
		return ACCOUNT_FOUND;
	}
	found = find_login(identifier, &a, &hash);
	str_copy(name, ACCOUNT_USER_SIZE, a.user);
	return found;
}

/* The answer to a question about IDENTIFIER, which is NAME. */
static void answer_name(struct peer *p, enum account_status found,
			const char *name)
{
	if (found == ACCOUNT_TEMP) {
		answer_temp(p, err_why(ERR_TEMP));
		return;
	}
	ipc_begin(&self.out, found == ACCOUNT_FOUND ? "ok" : "none");
	if (found == ACCOUNT_FOUND)
		ipc_put(&self.out, "identifier", name);
	err_ignore(ipc_send(p->sock, &self.out, 0)); /* it is gone, then */
}

static bool do_identifier(struct peer *p)
{
	char name[ACCOUNT_USER_SIZE];
	enum account_status found =
		find_identifier(ipc_text(&self.in, "identifier"), name);

	answer_name(p, found, name);
	return false;
}

static bool do_share(struct peer *p)
{
	char name[ACCOUNT_USER_SIZE];
	enum account_status found =
		find_identifier(ipc_text(&self.in, "identifier"), name);
	int code = ERR_OK;

	if (found == ACCOUNT_FOUND && !str_equal(name, p->user))
		code = shares_add(p->user, name);
	if (code) {
		log_error("folders of %s are not shown to %s: %s", p->user,
			  name, err_why(code));
		answer_temp(p, err_why(code));
		return false;
	}
	answer_name(p, found, name);
	return false;
}

static bool do_unshare(struct peer *p)
{
	int code = shares_remove(p->user, ipc_text(&self.in, "identifier"));

	if (code)
		log_warn("%s", err_why(code));
	answer(p, "ok");
	return false;
}

/* Each gives whether P still waits. A visitor in the owner's folders visits
 * nobody in the owner's name. */
static const struct {
	const char *verb;
	bool (*act)(struct peer *p);
	bool visitors; /* may ask, too */
} requests[] = {
	{ "visit", do_visit, false },	       { "owners", do_owners, false },
	{ "identifier", do_identifier, true }, { "share", do_share, true },
	{ "unshare", do_unshare, true },
};

/* Whose seal is it? */
static bool check_seal(struct peer *p, bool visitors)
{
	const char *kind = ipc_text(&self.in, "kind");

	p->proof = ipc_take_fd(&self.in);
	return p->proof >= 0 &&
	       str_copy(p->user, sizeof(p->user), ipc_text(&self.in, "user")) &&
	       *p->user &&
	       (str_equal(kind, BADGE_LOGIN) ||
		(visitors && str_equal(kind, BADGE_VISIT))) &&
	       badge_holds(kind, p->user, p->proof, ipc_text(&self.in, "seal"));
}

static bool take_request(struct peer *p)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (!ipc_is(&self.in, requests[i].verb))
			continue;
		if (check_seal(p, requests[i].visitors))
			return requests[i].act(p);
		break;
	}
	log_warn("uid %ld asks %.32s without a seal that holds", (long)p->uid,
		 self.in.verb);
	return false;
}

static void on_request(evutil_socket_t sock, short what, void *arg)
{
	struct peer *p = arg;
	bool waits = what & EV_READ && ipc_recv(sock, &self.in, 0) == ERR_OK &&
		     take_request(p);

	ipc_in_reset(&self.in);
	if (!waits)
		remove_peer(p);
}

/* How many connections there are, and how many of UID. */
static int count_peers(uid_t uid, int *of_uid)
{
	int n = 0;

	*of_uid = 0;
	for (const struct peer *p = self.peers; p; p = p->next, n++)
		*of_uid += p->uid == uid;
	return n;
}

static int take_peer(int listener, void *context)
{
	struct timeval t = { WAIT_S, 0 };
	struct peer *p;
	int of_uid;
	uid_t uid;
	int sock = ipc_accept_any(listener, &uid);

	(void)context;
	if (sock < 0)
		return sock;
	if (count_peers(uid, &of_uid) >= PEERS_MAX ||
	    of_uid >= PEERS_OF_UID_MAX) {
		close(sock);
		return sock;
	}
	p = mem_alloc(sizeof(*p));
	*p = (struct peer){ .sock = sock,
			    .uid = uid,
			    .proof = -1,
			    .door = -1,
			    .next = self.peers,
			    .link = &self.peers };
	self.peers = p;
	if (p->next)
		p->next->link = &p->next;
	event_assign(&p->input, self.base, sock, EV_READ, on_request, p);
	event_add(&p->input, &t);
	return sock;
}

void visits_begin(struct event_base *base, const struct service *s)
{
	const struct prefork_listener *l =
		service_listener(s, "public/accountd");

	self.base = base;
	if (l)
		self.listener = loop_listen(base, l, take_peer, NULL);
}

void visits_drain(void)
{
	loop_unlisten(&self.listener);
}
