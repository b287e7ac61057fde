/*
 * One peer is one connection of a program that asks. Most questions are answered
 * at once; a login goes on as an exchange, a parked session as a resume, and
 * the room of a mailbox is asked of local-deliver: the peer waits for these.
 */
#include "accountd/requests.h"

#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accountd/elsewhere.h"
#include "accountd/exchange.h"
#include "accountd/find.h"
#include "accountd/resume.h"
#include "accountd/room.h"
#include "accountd/shares.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "service/loop.h"

struct peer {
	struct peer *next;
	struct peer **link;
	int sock;
	struct event input;
	struct event end; /* frees it from the loop */
	struct exchange *exchange;  /* a login, */
	struct resume *resume;	    /* or a session that comes back */
	struct room_question *room; /* its answer waits for that */
};

static struct {
	struct event_base *base;
	struct loop_listener *listener;
	struct peer *peers;
	struct ipc_in in;
	struct ipc_out out;
	bool draining;
} self;

static void leave_if_done(void)
{
	if (self.draining && !self.peers)
		event_base_loopbreak(self.base);
}

static void remove_peer(struct peer *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	event_del(&p->input);
	event_del(&p->end);
	if (p->exchange)
		exchange_free(p->exchange);
	if (p->resume)
		resume_free(p->resume);
	room_cancel(&p->room);
	close(p->sock);
	free(p);
	leave_if_done();
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	remove_peer(arg);
}

/* Ends P, once nothing of it is on the stack any more. */
static void end_soon(struct peer *p)
{
	event_del(&p->input);
	event_active(&p->end, EV_TIMEOUT, 0);
}

static void on_login_answer(void *context, const struct ipc_out *m, bool over)
{
	struct peer *p = context;

	if (ipc_send(p->sock, m, 0) != ERR_OK || over)
		end_soon(p);
}

static const char *const verbs[] = { [ACCOUNT_FOUND] = "found",
				     [ACCOUNT_NONE] = "none",
				     [ACCOUNT_TEMP] = "temp" };

static void say_found(int64_t room)
{
	ipc_begin(&self.out, verbs[ACCOUNT_FOUND]);
	if (room < INT64_MAX)
		ipc_put_int(&self.out, "room", room);
}

/* What P waited for is known: it may go on asking. */
static void on_room(void *context, int64_t room)
{
	struct peer *p = context;

	p->room = NULL;
	say_found(room);
	if (ipc_send(p->sock, &self.out, 0) != ERR_OK || self.draining)
		end_soon(p);
	else
		event_add(&p->input, NULL);
}

/* Each answers in self.out, if not later; false if the question is
 * malformed. */
static bool do_recipient(struct peer *p)
{
	const char *address = ipc_get(&self.in, "address");
	enum account_status status;
	int64_t room = INT64_MAX;
	struct account a;

	if (!address)
		return false;
	status = find_recipient(address, &a);
	if (status == ACCOUNT_FOUND && *a.user && quota_exists(&a.quota))
		p->room = room_ask(a.user, on_room, p, &room);
	if (p->room)
		event_del(&p->input);
	else if (status == ACCOUNT_FOUND)
		say_found(room);
	else
		ipc_begin(&self.out, verbs[status]);
	return true;
}

/* Only noted: what it leads to is measured. */
static bool do_nearly_full(struct peer *p)
{
	const char *user = ipc_get(&self.in, "user");

	(void)p;
	if (user && strlen(user) < ACCOUNT_USER_SIZE)
		room_note(user);
	return user != NULL;
}

static bool do_lookup(struct peer *p)
{
	const char *name = ipc_get(&self.in, "name"), *hash;
	enum account_status status;
	struct account a;

	(void)p;
	if (!name)
		return false;
	status = ipc_get(&self.in, "login") ? find_login(name, &a, &hash)
					    : find_account(name, &a);
	ipc_begin(&self.out, verbs[status]);
	if (status != ACCOUNT_FOUND)
		return true;
	account_put(&self.out, &a);
	ipc_put_int(&self.out, "virtual", a.virtual_user);
	ipc_put(&self.out, "extension", a.extension);
	return true;
}

/* Only what is no secret. */
static void put_host(const struct proxy_target *t)
{
	static const char *const tls[] = { [PROXY_STARTTLS] = ", STARTTLS",
					   [PROXY_TLS] = ", TLS",
					   [PROXY_CLEAR] = ", without TLS" };
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s%s%s", t->host, tls[t->tls],
		 t->any_cert ? " with any certificate" : "",
		 *t->pass ? ", with a password of its own" : "",
		 t->nopassword ? ", which checks the password" : "");
	ipc_put(&self.out, "host", text);
}

static bool do_served_by(struct peer *p)
{
	const char *name = ipc_get(&self.in, "name"), *hash;
	enum account_status status;
	enum elsewhere where;
	struct proxy_target t;
	struct account a;

	(void)p;
	if (!name)
		return false;
	status = find_login(name, &a, &hash);
	where = elsewhere_find(a.user, status, &t);
	if (where == ELSEWHERE_THERE && t.nopassword)
		status = ACCOUNT_FOUND;
	if (where == ELSEWHERE_UNSURE)
		status = ACCOUNT_TEMP;
	ipc_begin(&self.out, verbs[status]);
	if (where == ELSEWHERE_THERE && status == ACCOUNT_FOUND)
		put_host(&t);
	mem_wipe(&t, sizeof(t));
	return true;
}

static bool do_may_send(struct peer *p)
{
	const char *user = ipc_get(&self.in, "user");
	const char *address = ipc_get(&self.in, "address");

	(void)p;
	if (!user || !address)
		return false;
	ipc_begin(&self.out, verbs[find_may_send(user, address)]);
	return true;
}

/* Is an answer due that does not come at once? */
static bool is_busy(const struct peer *p)
{
	return p->exchange || p->resume;
}

static bool do_auth(struct peer *p)
{
	if (is_busy(p))
		return false;
	p->exchange = exchange_begin(&self.in, on_login_answer, p);
	return p->exchange != NULL;
}

static bool do_step(struct peer *p)
{
	return p->exchange && exchange_step(p->exchange, &self.in);
}

/* From the administrator: the kernel says who that is. */
static bool do_shares(struct peer *p)
{
	const char *user = ipc_get(&self.in, "user");
	struct strlist identifiers = { 0 };
	struct ucred peer;
	socklen_t n = sizeof(peer);
	int code;

	if (!user ||
	    getsockopt(p->sock, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid()))
		return false;
	for (size_t i = 0; i < self.in.nattrs; i++)
		if (str_equal(self.in.attr[i].name, "identifier"))
			strlist_add(&identifiers, self.in.attr[i].value);
	code = shares_set(user, &identifiers);
	strlist_free(&identifiers);
	if (code)
		log_error("shares of %s: %s", user, err_why(code));
	ipc_begin(&self.out, code ? "temp" : "ok");
	return true;
}

static bool do_resume(struct peer *p)
{
	if (is_busy(p))
		return false;
	p->resume = resume_begin(self.base, &self.in, on_login_answer, p);
	return p->resume != NULL;
}

static const struct {
	const char *verb;
	bool (*act)(struct peer *p);
	bool answered; /* in self.out when it returns, unless P waits */
} requests[] = {
	{ "recipient", do_recipient, true }, { "lookup", do_lookup, true },
	{ "may-send", do_may_send, true },   { "auth", do_auth, false },
	{ "served-by", do_served_by, true },
	{ "step", do_step, false },	     { "nearly-full", do_nearly_full, false },
	{ "shares", do_shares, true },	     { "resume", do_resume, false },
};

static bool take_request(struct peer *p)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (!ipc_is(&self.in, requests[i].verb))
			continue;
		if (!requests[i].act(p))
			break;
		return !requests[i].answered || p->room ||
		       ipc_send(p->sock, &self.out, 0) == ERR_OK;
	}
	log_warn("malformed request from a program: %.32s", self.in.verb);
	return false;
}

/* Takes one packet. A second one is seldom there yet: the loop will tell.
 * False: P is over. */
static bool take_packet(struct peer *p)
{
	int err = ipc_recv(p->sock, &self.in, 0);
	bool good;

	if (err)
		return err == ERR_BUSY;
	good = take_request(p);
	if (is_busy(p))
		mem_wipe(self.in.data, self.in.len);
	ipc_in_reset(&self.in);
	return good;
}

static bool is_waiting(const struct peer *p)
{
	return is_busy(p) || p->room;
}

static void on_request(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	if (!take_packet(p) || (self.draining && !is_waiting(p)))
		remove_peer(p);
}

static void add_peer(int sock, void *context)
{
	struct peer *p = mem_alloc(sizeof(*p));

	(void)context;
	p->sock = sock;
	p->next = self.peers;
	p->link = &self.peers;
	if (p->next)
		p->next->link = &p->next;
	self.peers = p;
	event_assign(&p->input, self.base, sock, EV_READ | EV_PERSIST,
		     on_request, p);
	evtimer_assign(&p->end, self.base, on_end, p);
	event_add(&p->input, NULL);
}

void requests_begin(struct event_base *base, const struct service *s)
{
	self.base = base;
	self.listener = loop_serve(base, s, "accountd", add_peer, NULL);
}

/* Answers what P has already asked. False: it has nothing to wait for. */
static bool take_last(struct peer *p)
{
	if (is_waiting(p) || (take_packet(p) && is_waiting(p)))
		return true;
	if (!ipc_end_input(p->sock) || !take_packet(p) || !is_waiting(p))
		return false;
	/* it can send nothing more, but that is not its end */
	event_del(&p->input);
	return true;
}

void requests_drain(void)
{
	struct peer *p, *next;

	if (self.draining)
		return;
	self.draining = true;
	loop_unlisten(&self.listener);
	for (p = self.peers; p; p = next) {
		next = p->next;
		if (!take_last(p))
			remove_peer(p);
	}
	leave_if_done();
}
