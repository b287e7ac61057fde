/*
 * The life of an exchange: `auth` begins it; the SASL server (sasl/) asks for
 * `step` until it has a name and a password; the turn of that name and client
 * comes (guess.h: after wrong guesses it takes longer); the password is
 * checked (check.h), or was checked recently (memo.h); a negative answer is
 * held back for half a second; and a session, if one was asked for, gets the
 * connection (handover.h), or the login is made once more at the host that serves
 * the user (passing.h), which may be who checks the password. Each of these is a callback from the loop, and
 * exchange_free may be called in any of them.
 */
#include "accountd/exchange.h"

#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accountd/check.h"
#include "accountd/elsewhere.h"
#include "accountd/find.h"
#include "accountd/guess.h"
#include "accountd/handover.h"
#include "accountd/master.h"
#include "accountd/memo.h"
#include "accountd/passing.h"
#include "accountd/recent.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "sasl/server.h"

#define FAIL_MS 500
#define HOST_FAIL_MS_MAX 5000
#define HOST_FAIL_KEPT_MS 3600000
#define TTL_MAX 5 /* how often a login is passed on */
#define PENDING_MAX 90000 /* base64 */

struct exchange {
	exchange_answer *answer;
	void *context;
	struct sasl_server *sasl;
	bool expecting; /* a step */
	char *service;
	char *client;
	bool tls;
	char *session; /* "" without one */
	char *tag;
	char *pending;
	int fd;
	struct login_name name;
	struct account account;
	char who[ACCOUNT_USER_SIZE + 1]; /* whose password it is */
	char *hash;  /* being checked; NULL: PAM is asked */
	bool nobody; /* the answer is no, whatever the check says */
	const char *nobody_why;
	int64_t begun_ms; /* when the last response came */
	struct event turn;
	struct event delay;
	struct check *check;
	struct handover *handover;
	int64_t ttl;
	enum elsewhere where;
	struct proxy_target target; /* if that is elsewhere */
	struct passing *passing;
	struct ipc_out out;
};

static struct {
	struct event_base *base;
	bool pam;
	int64_t host_fail_ms; /* what a host took to refuse a password … */
	int64_t host_fail_until_ms; /* … lately */
} self;

void exchange_setup(struct event_base *base, bool pam)
{
	self.base = base;
	self.pam = pam;
}

static void start_timer(struct event *e, int64_t ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(e, &t);
}

/* The user for the log, and who came in that name. Valid until the next
 * call. */
static const char *shown(const struct exchange *x)
{
	static char text[2 * ACCOUNT_USER_SIZE + 16];

	if (!*x->name.master)
		return x->account.user;
	snprintf(text, sizeof(text), "%s, master=%s", x->account.user,
		 x->name.master);
	return text;
}

static void say_temp(struct exchange *x, const char *why)
{
	log_warn("login undecided: client=%s, service=%s, user=%s: %s",
		 x->client, x->service, shown(x), why);
	ipc_begin(&x->out, "temp");
	ipc_put(&x->out, "why", why);
}

static void answer_temp(struct exchange *x, const char *why)
{
	say_temp(x, why);
	x->answer(x->context, &x->out, true);
}

/* A host took so long to refuse what nobody here could judge: all failures do so
 * for a while, or the time would tell whose they are. */
static void note_host_failure(const struct exchange *x)
{
	int64_t now = clock_ms(), ms = now - x->begun_ms;

	if (ms > HOST_FAIL_MS_MAX)
		ms = HOST_FAIL_MS_MAX;
	if (ms < self.host_fail_ms && now < self.host_fail_until_ms)
		return;
	self.host_fail_ms = ms;
	self.host_fail_until_ms = now + HOST_FAIL_KEPT_MS;
}

static int64_t fail_ms(void)
{
	return self.host_fail_ms > FAIL_MS &&
			       clock_ms() < self.host_fail_until_ms
		       ? self.host_fail_ms
		       : FAIL_MS;
}

/* Sends the prepared answer when a failure may be sent. */
static void answer_late(struct exchange *x)
{
	int64_t left = x->begun_ms + fail_ms() - clock_ms();

	start_timer(&x->delay, left > 0 ? left : 0);
}

/* The password is not checked: saying that it is wrong might be untrue, and
 * the user's program would forget it. */
static void put_off(struct exchange *x)
{
	log_info("login put off: client=%s, service=%s, method=%s, user=%s: "
		 "too many wrong passwords lately",
		 x->client, x->service, sasl_server_mechanism(x->sasl),
		 shown(x));
	ipc_begin(&x->out, "temp");
	ipc_put(&x->out, "why", "too many wrong passwords lately");
	answer_late(x);
}

/* The password is right, but another login was a moment ago (RFC 2449 section
 * 6.5). */
static bool is_too_soon(struct exchange *x)
{
	int64_t wait = str_equal(x->session, "pop3")
			       ? recent_wait(x->account.user, clock_ms())
			       : 0;

	if (wait == 0)
		return false;
	log_info("login put off: client=%s, service=%s, method=%s, user=%s: "
		 "%lld seconds too soon (pop3_login_delay)",
		 x->client, x->service, sasl_server_mechanism(x->sasl),
		 shown(x), (long long)(wait + 999) / 1000);
	ipc_begin(&x->out, "soon");
	ipc_put(&x->out, "why", "too soon after another login");
	x->answer(x->context, &x->out, true);
	return true;
}

static void fail(struct exchange *x, const char *why)
{
	log_info("login failed: client=%s, service=%s, method=%s, user=%s: %s",
		 x->client, x->service, sasl_server_mechanism(x->sasl),
		 *x->account.user ? shown(x) : sasl_server_user(x->sasl), why);
	ipc_begin(&x->out, "failed");
	ipc_put(&x->out, "user", x->account.user);
	ipc_put(&x->out, "why", why);
	answer_late(x);
}

static void on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *x = arg;

	(void)fd;
	(void)what;
	x->answer(x->context, &x->out, true);
}

/* HOST: which other one serves the user, or NULL. */
static void succeed_at(struct exchange *x, const char *host)
{
	log_info("login: client=%s, service=%s, method=%s, user=%s, tls=%s%s%s",
		 x->client, x->service, sasl_server_mechanism(x->sasl),
		 shown(x), x->tls ? "yes" : "no", host ? ", host=" : "",
		 host ? host : "");
	ipc_begin(&x->out, "ok");
	ipc_put(&x->out, "user", x->account.user);
	x->answer(x->context, &x->out, true);
}

static void succeed(struct exchange *x)
{
	succeed_at(x, NULL);
}

/* The password is right, so this is no failure. */
static void say_many(struct exchange *x, const char *why)
{
	log_info("login refused: client=%s, service=%s, method=%s, user=%s: %s",
		 x->client, x->service, sasl_server_mechanism(x->sasl),
		 shown(x), why);
	ipc_begin(&x->out, "many");
	ipc_put(&x->out, "why", why);
	x->answer(x->context, &x->out, true);
}

static void on_handover(void *context, enum handover_end end, const char *why)
{
	struct exchange *x = context;

	x->handover = NULL;
	if (end == HANDOVER_MANY) {
		say_many(x, why);
		return;
	}
	if (end != HANDOVER_TAKEN) {
		answer_temp(x, why);
		return;
	}
	if (str_equal(x->session, "pop3"))
		recent_note(x->account.user, clock_ms());
	succeed(x);
}

static void refuse_login(struct exchange *x, const char *why)
{
	guess_failed(x->client, x->who, sasl_server_password(x->sasl),
		     clock_ms());
	fail(x, why);
}

/* The host that serves the user does not want: that was no guess. */
static void say_refused(struct exchange *x, const char *reply, const char *why)
{
	log_info("login refused: client=%s, service=%s, method=%s, user=%s: "
		 "%s says %s",
		 x->client, x->service, sasl_server_mechanism(x->sasl),
		 shown(x), why, reply);
	ipc_begin(&x->out, "refused");
	ipc_put(&x->out, "reply", reply);
	answer_late(x);
}

/* Does the host alone know the password? */
static bool is_checked_there(const struct exchange *x)
{
	return x->where == ELSEWHERE_THERE && x->target.nopassword &&
	       !*x->name.master;
}

static void take_passed(struct exchange *x, const char *host)
{
	if (is_checked_there(x))
		guess_succeeded(x->client, x->who, clock_ms());
	if (str_equal(x->session, "pop3"))
		recent_note(x->account.user, clock_ms());
	succeed_at(x, host);
}

static void on_passed(void *context, enum passing_end end, const char *reply,
		      const char *why)
{
	struct exchange *x = context;

	x->passing = NULL;
	switch (end) {
	case PASSING_TAKEN:
		take_passed(x, why);
		break;
	case PASSING_WRONG:
		if (!is_checked_there(x)) {
			say_refused(x, reply, why);
			break;
		}
		note_host_failure(x);
		refuse_login(x, "wrong password, says the host of the user");
		break;
	case PASSING_REFUSED:
		say_refused(x, reply, why);
		break;
	case PASSING_MANY:
		say_many(x, "the user has too many sessions");
		break;
	case PASSING_TEMP:
	case PASSING_LOST:
		say_temp(x, why);
		answer_late(x);
		break;
	}
}

/* To the host that serves the user. For a service without sessions only the
 * password is checked, as any login of the user's would be there. */
static void pass_on(struct exchange *x)
{
	const struct passing_facts f = {
		.session = *x->session ? x->session : "imap",
		.user = x->account.user,
		.master = x->name.master,
		.password = sasl_server_password(x->sasl),
		.target = &x->target,
		.ms = elsewhere_patience_ms(&x->target),
		.ttl = x->ttl,
		.client = x->client,
		.tag = x->tag,
		.pending = x->pending,
		.fd = x->fd
	};
	const char *why;

	x->passing = passing_begin(self.base, &f, on_passed, x, &why);
	if (!x->passing) {
		say_temp(x, why);
		answer_late(x);
	}
}

static void accept_login(struct exchange *x)
{
	struct handover_facts f = { .session = x->session,
				    .account = &x->account,
				    .client = x->client,
				    .tls = x->tls,
				    .tag = x->tag,
				    .pending = x->pending,
				    .fd = x->fd };
	const char *why;

	guess_succeeded(x->client, x->who, clock_ms());
	if (!*x->session) {
		succeed(x);
		return;
	}
	if (is_too_soon(x))
		return;
	if (x->where == ELSEWHERE_THERE) {
		pass_on(x);
		return;
	}
	x->handover = handover_begin(self.base, &f, on_handover, x, &why);
	if (!x->handover)
		answer_temp(x, why);
}

static void on_checked(void *context, enum check_result result)
{
	struct exchange *x = context;

	x->check = NULL;
	/* the same answer for all names, or it would tell which exist */
	if (result == CHECK_TEMP) {
		answer_temp(x, "the password could not be checked");
	} else if (x->nobody) {
		refuse_login(x, x->nobody_why);
	} else if (result == CHECK_WRONG) {
		refuse_login(x, "wrong password");
	} else {
		/* with the hash that was checked: the file may have changed */
		if (x->hash)
			memo_add(x->who, x->hash,
				 sasl_server_password(x->sasl), clock_ms());
		accept_login(x);
	}
}

/* Nobody is let in, whatever the result of the check. */
static void set_nobody(struct exchange *x, const char *why)
{
	x->nobody = true;
	x->nobody_why = why;
}

/* Is there anything against this login but a wrong password? */
static void judge(struct exchange *x, enum account_status found, bool system,
		  const char *hash)
{
	if (found == ACCOUNT_NONE)
		set_nobody(x, "unknown user");
	else if (x->account.uid == 0 && *x->session &&
		 x->where == ELSEWHERE_HERE)
		set_nobody(x, "root has no mail session");
	else if (system && !self.pam)
		set_nobody(x, "passwords of system users cannot be checked");
	else if (!system && !*hash)
		set_nobody(x, "the user has no password");
}

/* Decides which check is made: a hash, or NULL for PAM. A name that does not
 * exist costs as much as another of its kind. */
static const char *choose_check(struct exchange *x, enum account_status found,
				const char *hash)
{
	bool system = !x->account.virtual_user && !*x->name.master;

	if (!x->nobody)
		judge(x, found, system, hash);
	if (system && self.pam)
		return NULL;
	return *hash ? hash : users_dummy_hash();
}

/* The account, and the hash of the password that is to be checked: of a master
 * user, whatever user it is for. */
static enum account_status find(struct exchange *x, const char **hash)
{
	enum account_status found =
		find_login(x->name.user, &x->account, hash), master;

	x->where = elsewhere_find(x->account.user, found, &x->target);
	if (x->where == ELSEWHERE_UNSURE)
		return ACCOUNT_TEMP;
	if (!*x->name.master)
		return found;
	master = master_find(x->name.master, hash);
	if (master == ACCOUNT_NONE)
		set_nobody(x, "not a master user");
	return master == ACCOUNT_TEMP ? master : found;
}

/* The attempt's turn has come. */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *x = arg;
	const char *password = sasl_server_password(x->sasl), *hash;
	enum account_status found = find(x, &hash);

	(void)fd;
	(void)what;
	if (found == ACCOUNT_TEMP) {
		/* as slow as a wrong password: names can be guessed here */
		say_temp(x, "the user could not be looked up");
		answer_late(x);
		return;
	}
	if (is_checked_there(x)) {
		pass_on(x);
		return;
	}
	hash = choose_check(x, found, hash);
	x->hash = hash ? mem_strdup(hash) : NULL;
	if (!x->nobody && hash &&
	    memo_has(x->who, hash, password, clock_ms())) {
		accept_login(x);
		return;
	}
	x->check = check_ask(x->hash, x->account.user, x->client, password,
			     on_checked, x);
	if (!x->check)
		answer_temp(x, "too many passwords are being checked");
}

static void verify(struct exchange *x)
{
	const char *hash;
	int64_t wait;

	master_split(sasl_server_user(x->sasl), sasl_server_acts_as(x->sasl),
		     &x->name);
	/* for the canonical name: all spellings count as one */
	find_login(x->name.user, &x->account, &hash);
	snprintf(x->who, sizeof(x->who), "%s%s", *x->name.master ? "*" : "",
		 *x->name.master ? x->name.master : x->account.user);
	wait = guess_wait(x->client, x->who, clock_ms());
	if (wait == GUESS_REFUSED)
		put_off(x);
	else
		start_timer(&x->turn, wait);
}

static void advance(struct exchange *x, const char *response)
{
	struct buf challenge;

	x->begun_ms = clock_ms();
	x->expecting = false;
	buf_init(&challenge, SASL_RESPONSE_MAX);
	switch (sasl_server_step(x->sasl, response, &challenge)) {
	case SASL_CONTINUE:
		x->expecting = true;
		ipc_begin(&x->out, "continue");
		ipc_put(&x->out, "challenge", challenge.data);
		x->answer(x->context, &x->out, false);
		break;
	case SASL_VERIFY:
		verify(x);
		break;
	case SASL_FAILED:
		fail(x, sasl_server_why(x->sasl));
		break;
	}
	buf_free(&challenge);
}

static void replace(char **text, const char *by)
{
	free(*text);
	*text = mem_strdup(by);
}

/* A session is one of two, and needs a descriptor. */
static bool is_sound(const struct exchange *x)
{
	if (*x->session && !str_equal(x->session, "imap") &&
	    !str_equal(x->session, "pop3"))
		return false;
	return (*x->session != '\0') == (x->fd >= 0) &&
	       strlen(x->pending) <= PENDING_MAX;
}

struct exchange *exchange_begin(struct ipc_in *m, exchange_answer *answer,
				void *context)
{
	struct exchange *x = mem_alloc(sizeof(*x));

	x->answer = answer;
	x->context = context;
	x->fd = ipc_take_fd(m);
	x->sasl = sasl_server_new(ipc_text(m, "mechanism"));
	replace(&x->service, ipc_text(m, "service"));
	replace(&x->client, ipc_text(m, "client"));
	replace(&x->session, ipc_text(m, "session"));
	replace(&x->tag, ipc_text(m, "tag"));
	replace(&x->pending, ipc_text(m, "pending"));
	x->tls = str_equal(ipc_get(m, "tls"), "1");
	if (!ipc_int(m, "ttl", 0, TTL_MAX, &x->ttl))
		x->ttl = TTL_MAX;
	evtimer_assign(&x->turn, self.base, on_turn, x);
	evtimer_assign(&x->delay, self.base, on_delay, x);
	if (!is_sound(x)) {
		exchange_free(x);
		return NULL;
	}
	if (x->sasl) {
		advance(x, ipc_get(m, "response"));
		return x;
	}
	ipc_begin(&x->out, "failed");
	ipc_put(&x->out, "why", "unknown mechanism");
	start_timer(&x->delay, 0);
	return x;
}

bool exchange_step(struct exchange *x, const struct ipc_in *m)
{
	const char *response = ipc_get(m, "response");

	if (!x->expecting || !response)
		return false;
	replace(&x->pending, ipc_text(m, "pending"));
	if (!is_sound(x))
		return false;
	advance(x, response);
	return true;
}

void exchange_free(struct exchange *x)
{
	event_del(&x->turn);
	event_del(&x->delay);
	if (x->check)
		check_cancel(x->check);
	if (x->handover)
		handover_cancel(x->handover);
	if (x->passing)
		passing_cancel(x->passing);
	mem_wipe(&x->target, sizeof(x->target));
	if (x->fd >= 0)
		close(x->fd);
	sasl_server_free(&x->sasl);
	if (x->hash)
		mem_wipe(x->hash, strlen(x->hash));
	free(x->hash);
	free(x->service);
	free(x->client);
	free(x->session);
	free(x->tag);
	free(x->pending);
	ipc_out_free(&x->out);
	free(x);
}
