/*
 * The steps, each begun by the one before and ended by an event: the packet,
 * the names' addresses, one address after the other, TLS at once or when the
 * dialogue wants it (pass-host.c), the lines of the host (pass-talk.c), the end. All have one time limit.
 * accountd's connection is watched in between: if it ends, nobody waits.
 *
 * The answer `ok` comes before the client hears of its login: should accountd be
 * gone, it has told the client something else, and the connection is dropped.
 *
 * No line of the log has anything of a password, and none that the host sends
 * once it was given one, but the text of its NO.
 */
#include "login-proxy/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "login-proxy/count.h"
#include "login-proxy/pass-parts.h"
#include "login-proxy/reach.h"

#define PACKET_MS 10000 /* for accountd to say what it wants */
#define PENDING_MAX 98304
#define REPLY_MAX 400	    /* of what a host says that is passed on */
#define PASSES_MAX 10000    /* logins at once */
#define USER_PENDING_MAX 20 /* of one user: also ends loops */

static const struct kind kinds[] = {
	{ "imap", talk_begin_imap, 143, 993 },
	{ "pop3", talk_begin_pop3, 110, 995 },
};

static struct {
	struct event_base *base;
	void (*ended)(void);
	LIST_HEAD(, pass) passes;
	size_t n;
	struct map *users; /* with logins that are not over */
	struct ipc_out out;
} self;

void pass_setup(struct event_base *base, void (*ended)(void))
{
	self.base = base;
	self.ended = ended;
	self.users = map_new();
	LIST_INIT(&self.passes);
	reach_setup();
}

size_t pass_count(void)
{
	return self.n;
}

void pass_drop(struct pass *p)
{
	if (p->net < 0)
		return;
	event_del(&p->io);
	close(p->net);
	p->net = -1;
}

static void pass_free(struct pass *p)
{
	LIST_REMOVE(p, link);
	event_del(&p->request);
	close(p->sock);
	pass_drop(p);
	if (p->fd >= 0)
		close(p->fd);
	if (p->reach)
		reach_cancel(p->reach);
	if (p->count)
		count_less(self.users, p->count);
	if (p->kind)
		talk_end(&p->talk);
	buf_free(&p->pending);
	buf_free(&p->input);
	if (p->in.data)
		mem_wipe(p->in.data, p->in.cap_data);
	ipc_in_free(&p->in);
	free(p);
	if (--self.n == 0)
		self.ended();
}

static bool answer(const struct pass *p)
{
	return ipc_send(p->sock, &self.out, 0) == ERR_OK;
}

/* The login cannot be made now, because of WHY. */
static void give_up(struct pass *p, const char *why)
{
	ipc_begin(&self.out, "temp");
	ipc_put(&self.out, "why", why);
	answer(p);
	pass_free(p);
}

void pass_give_up(struct pass *p, const char *what, const char *why)
{
	char text[900];

	snprintf(text, sizeof(text), "%.330s: %s%.500s", p->host, what, why);
	give_up(p, text);
}

/* Nobody speaks there. */
void pass_not_reached(struct pass *p, const char *why)
{
	if (p->reach)
		reach_end(p->reach, false);
	p->reach = NULL;
	pass_give_up(p, "cannot be reached: ", why);
}

int64_t pass_left(const struct pass *p)
{
	int64_t ms = p->until_ms - clock_ms();

	return ms > 0 ? ms : 1;
}

/* Waits for WHAT at P->net, MS at most, and goes on with THEN. */
void pass_await(struct pass *p, short what, int64_t ms, pass_step *then)
{
	const struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	event_assign(&p->io, self.base, p->net, what, then, p);
	event_add(&p->io, &t);
}

/* The end: an answer of the host */

/* Only what can stand in a line to a client. */
static void put_reply(const struct pass *p)
{
	char text[REPLY_MAX];

	snprintf(text, sizeof(text), "%s", p->talk.text.data);
	for (char *c = text; *c; c++)
		if (!str_isprint((unsigned char)*c))
			*c = '?';
	ipc_put(&self.out, "reply", text);
	ipc_put(&self.out, "host", p->host);
}

void pass_say_no(struct pass *p, const char *verb)
{
	ipc_begin(&self.out, verb);
	put_reply(p);
	answer(p);
	pass_free(p);
}

/* A session that will not be used ends politely, as far as that costs no
 * time. */
static void say_bye(struct pass *p)
{
	err_ignore(send(p->net, p->talk.bye, strlen(p->talk.bye),
			MSG_DONTWAIT | MSG_NOSIGNAL) < 0);
}

static void say_many(struct pass *p)
{
	say_bye(p);
	ipc_begin(&self.out, "many");
	answer(p);
	pass_free(p);
}

static void begin_relay(struct pass *p)
{
	const struct relay_bytes to_host = { p->pending.data, p->pending.len };
	struct relay_bytes to_client;
	int client = p->fd, host = p->net;

	p->facts.host = p->host;
	/* what came behind the answer is for the client, too */
	buf_put(&p->talk.text, p->input.data, p->input.len);
	to_client = (struct relay_bytes){ p->talk.text.data, p->talk.text.len };
	event_del(&p->io);
	p->fd = p->net = -1;
	file_set_nonblock(client, true);
	relay_begin(&p->facts, client, host, &to_client, &to_host);
	pass_free(p);
}

void pass_logged_in(struct pass *p)
{
	bool checked = p->fd < 0;

	if (!checked && !relay_may(&p->facts)) {
		say_many(p);
		return;
	}
	ipc_begin(&self.out, "ok");
	ipc_put(&self.out, "host", p->host);
	if (checked)
		say_bye(p);
	if (answer(p) && !checked)
		begin_relay(p);
	else
		pass_free(p);
}

/* The packet */

static const struct kind *find_kind(const char *session)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (str_equal(session, kinds[i].session))
			return &kinds[i];
	return NULL;
}

static bool read_tls(struct pass *p)
{
	const char *tls = ipc_text(&p->in, "encrypt");

	p->tls_first = str_equal(tls, "tls");
	p->login.starttls = str_equal(tls, "starttls");
	p->any_cert = str_equal(ipc_get(&p->in, "verify"), "no");
	return p->tls_first || p->login.starttls || str_equal(tls, "no");
}

static bool read_numbers(struct pass *p)
{
	int64_t ttl, ms;

	if (!ipc_int(&p->in, "ttl", 0, 100, &ttl) ||
	    !ipc_int(&p->in, "timeout", 1, 600000, &ms) ||
	    !ipc_int(&p->in, "port", 0, 65535, &p->port))
		return false;
	if (p->port == 0)
		p->port = p->tls_first ? p->kind->tls_port : p->kind->port;
	p->login.ttl = (int)ttl - 1;
	p->until_ms = clock_ms() + ms;
	return true;
}

static bool read_packet(struct pass *p)
{
	const struct ipc_in *m = &p->in;

	p->kind = ipc_is(m, "login") ? find_kind(ipc_text(m, "session")) : NULL;
	if (!p->kind)
		return false;
	p->facts = (struct relay_facts){ .service = p->kind->session,
					 .user = ipc_text(m, "user"),
					 .client = ipc_text(m, "client"),
					 .host = ipc_text(m, "host") };
	p->login = (struct talk_facts){
		.user = ipc_text(m, "name"),
		.master = ipc_text(m, "master"),
		.password = ipc_text(m, "password"),
		.client = ipc_get(m, "introduce") ? p->facts.client : "",
		.tag = ipc_text(m, "tag"),
	};
	p->fd = ipc_take_fd(&p->in);
	p->kind->talk(&p->talk, &p->login);
	return *p->facts.user && *p->facts.host && *p->login.user &&
	       *p->login.password && read_tls(p) && read_numbers(p) &&
	       (!ipc_get(m, "pending") ||
		ipc_base64(m, "pending", &p->pending));
}

/* What keeps P from being tried, or NULL. */
static const char *obstacle(const struct pass *p)
{
	if (p->login.ttl < 1)
		return "the login was passed on too often: a loop";
	if (!relay_have_room() || self.n > PASSES_MAX)
		return "too many sessions are passed on";
	if (count_of(self.users, p->facts.user) >= USER_PENDING_MAX)
		return "too many logins of this user wait, perhaps a loop";
	return NULL;
}

static void start(struct pass *p)
{
	const char *why = obstacle(p);

	if (why) {
		give_up(p, why);
		return;
	}
	p->count = count_more(self.users, p->facts.user);
	p->facts.host = ipc_text(&p->in, "host");
	pass_find_host(p);
}

/* Nothing more comes from accountd but its end: nobody waits any more. */
static void on_end(evutil_socket_t sock, short what, void *arg)
{
	struct ipc_in more = { 0 };
	int err = ipc_recv(sock, &more, 0);

	(void)what;
	ipc_in_free(&more);
	if (err != ERR_BUSY)
		pass_free(arg);
}

static void on_request(evutil_socket_t sock, short what, void *arg)
{
	struct pass *p = arg;
	int err = what & EV_READ ? ipc_recv(sock, &p->in, 0) : ERR_TIMEOUT;

	if (err || !read_packet(p)) {
		if (err != ERR_EOF)
			log_warn("no login that can be read from a program");
		pass_free(p);
		return;
	}
	event_assign(&p->request, self.base, sock, EV_READ | EV_PERSIST, on_end,
		     p);
	event_add(&p->request, NULL);
	start(p);
}

void pass_begin(int sock)
{
	const struct timeval t = { PACKET_MS / 1000, 0 };
	struct pass *p = mem_alloc(sizeof(*p));

	p->sock = sock;
	p->fd = p->net = -1;
	buf_init(&p->pending, PENDING_MAX);
	buf_init(&p->input, INPUT_MAX);
	LIST_INSERT_HEAD(&self.passes, p, link);
	self.n++;
	event_assign(&p->request, self.base, sock, EV_READ, on_request, p);
	event_add(&p->request, &t);
}

void pass_drain(void)
{
	struct pass *p = LIST_FIRST(&self.passes), *next;

	for (; p; p = next) {
		next = LIST_NEXT(p, link);
		if (!p->kind && !ipc_end_input(p->sock))
			pass_free(p);
	}
}
