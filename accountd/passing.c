#include "accountd/passing.h"

#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/client.h"

#define GRACE_MS 2000 /* login-proxy watches the time itself */

struct passing {
	int sock;
	int fd;
	struct event answer;
	passing_done *done;
	void *context;
};

static void put_target(struct ipc_out *m, const struct passing_facts *f)
{
	static const char *const words[] = { [PROXY_STARTTLS] = "starttls",
					     [PROXY_TLS] = "tls",
					     [PROXY_CLEAR] = "no" };
	const struct proxy_target *t = f->target;
	int port = str_equal(f->session, "pop3") ? t->pop3_port : t->imap_port;

	ipc_put(m, "host", t->host);
	ipc_put(m, "ip", t->ip);
	ipc_put_int(m, "port", port ? port : t->port);
	ipc_put(m, "encrypt", words[t->tls]);
	ipc_put(m, "verify", t->any_cert ? "no" : "yes");
	if (t->forwards)
		ipc_put(m, "introduce", "yes");
	ipc_put(m, "name", *t->user ? t->user : f->user);
	/* a master user there can only come with the password there */
	ipc_put(m, "master", *t->pass ? t->master : f->master);
	ipc_put(m, "password", *t->pass ? t->pass : f->password);
}

static void put_login(struct ipc_out *m, const struct passing_facts *f)
{
	ipc_begin(m, "login");
	ipc_put(m, "session", f->session);
	ipc_put(m, "user", f->user);
	ipc_put(m, "client", f->client);
	ipc_put(m, "tag", f->tag);
	if (*f->pending)
		ipc_put(m, "pending", f->pending);
	ipc_put_int(m, "ttl", f->ttl);
	ipc_put_int(m, "timeout", f->ms);
	put_target(m, f);
	if (f->fd >= 0)
		ipc_put_fd(m, f->fd);
}

static void end(struct passing *p)
{
	event_del(&p->answer);
	close(p->sock);
	free(p);
}

static const struct {
	const char *verb;
	enum passing_end end;
} answers[] = {
	{ "ok", PASSING_TAKEN },	{ "failed", PASSING_WRONG },
	{ "refused", PASSING_REFUSED }, { "many", PASSING_MANY },
	{ "temp", PASSING_TEMP },
};

static enum passing_end end_of(const struct ipc_in *m)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		if (ipc_is(m, answers[i].verb))
			return answers[i].end;
	return PASSING_TEMP;
}

/* After the time is over no answer can come any more: login-proxy would fail to
 * give it, and then drop the connection. */
static void on_answer(evutil_socket_t sock, short what, void *arg)
{
	struct passing *p = arg;
	struct ipc_in m = { 0 };
	int err = ERR_TIMEOUT;

	if (what & EV_READ || ipc_end_input(sock))
		err = ipc_recv(sock, &m, 0);
	if (err == ERR_OK) {
		const char *why = ipc_get(&m, "why");

		p->done(p->context, end_of(&m), ipc_text(&m, "reply"),
			why ? why : ipc_text(&m, "host"));
	} else if (err == ERR_TIMEOUT) {
		p->done(p->context, PASSING_TEMP, "",
			"login-proxy did not answer in time");
	} else {
		if (p->fd >= 0)
			shutdown(p->fd, SHUT_RDWR);
		p->done(p->context, PASSING_LOST, "", "login-proxy ended");
	}
	ipc_in_free(&m);
	end(p);
}

struct passing *passing_begin(struct event_base *base,
			      const struct passing_facts *f, passing_done *done,
			      void *context, const char **why)
{
	const int64_t ms = f->ms + GRACE_MS;
	const struct timeval t = { ms / 1000, ms % 1000 * 1000 };
	struct passing *p = mem_alloc(sizeof(*p));
	struct ipc_out m = { .ready = false };

	*p = (struct passing){ .fd = f->fd, .done = done, .context = context };
	put_login(&m, f);
	p->sock = ipc_client_begin("login-proxy", &m);
	mem_wipe(m.data.data, m.data.cap);
	ipc_out_free(&m);
	if (p->sock < 0) {
		free(p);
		*why = "login-proxy cannot be reached";
		return NULL;
	}
	event_assign(&p->answer, base, p->sock, EV_READ, on_answer, p);
	event_add(&p->answer, &t);
	return p;
}

void passing_cancel(struct passing *p)
{
	if (p->fd >= 0)
		shutdown(p->fd, SHUT_RDWR);
	end(p);
}
