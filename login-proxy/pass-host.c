/*
 * From the name of a host to a connection with it: its addresses, which are tried
 * one after the other, and TLS.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "client/dns.h"
#include "client/tls.h"
#include "io/connect.h"
#include "login-proxy/pass-parts.h"
#include "login-proxy/reach.h"

static void on_tls(evutil_socket_t sock, short what, void *arg)
{
	struct pass *p = arg;
	struct tls_info info;
	int fd;

	if (!(what & EV_READ)) {
		pass_give_up(p, "TLS: ", "no answer in time");
		return;
	}
	fd = tls_connect_end(sock, &info);
	p->net = -1;
	if (fd < 0) {
		pass_give_up(p, "TLS: ", info.why);
		return;
	}
	p->net = fd;
	file_set_nonblock(fd, true);
	if (p->tls_first) {
		pass_listen(p);
		return;
	}
	pass_act(p, talk_go_on(&p->talk));
}

/* Hands the connection to tlsproxy, which gives another for it. */
void pass_begin_tls(struct pass *p)
{
	const char *name = ipc_text(&p->in, "host");
	const char *const names[] = { name };
	const struct tls_request q = {
		.level = p->any_cert ? TLS_LEVEL_MAY : TLS_LEVEL_VERIFY,
		.sni = str_equal(name, p->address[p->next - 1]) ? "" : name,
		.names = names,
		.nnames = 1
	};
	int sock = tls_connect_begin(p->net, &q, pass_left(p));

	pass_drop(p);
	if (sock < 0) {
		pass_give_up(p, "TLS: ", err_why(ERR_TEMP));
		return;
	}
	p->net = sock;
	pass_await(p, EV_READ, pass_left(p), on_tls);
}

static void try_next(struct pass *p, const char *why);

/* A host that vanishes is noticed in some minutes. */
static void keep_alive(int fd)
{
	const int on = 1, idle_s = 300, again_s = 60, times = 5;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &again_s, sizeof(again_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct pass *p = arg;

	if (!(what & EV_WRITE)) {
		pass_drop(p);
		try_next(p, "no answer in time");
	} else if (!connect_end(fd)) {
		const char *why = strerror(errno);

		pass_drop(p);
		try_next(p, why);
	} else {
		keep_alive(fd);
		if (p->tls_first)
			pass_begin_tls(p);
		else
			pass_listen(p);
	}
}

/* Connects to the next address, or gives up because of WHY. */
static void try_next(struct pass *p, const char *why)
{
	while (p->next < p->naddresses) {
		const char *ip = p->address[p->next++];
		int64_t share =
			pass_left(p) / (int64_t)(p->naddresses - p->next + 2);

		snprintf(p->host, sizeof(p->host), "%s[%s]:%d", p->facts.host,
			 ip, (int)p->port);
		p->net = connect_begin(ip, (int)p->port);
		if (p->net >= 0) {
			pass_await(p, EV_WRITE, share, on_connected);
			return;
		}
		why = strerror(errno);
	}
	pass_not_reached(p, why);
}

static void begin_connecting(struct pass *p)
{
	char name[300];

	snprintf(name, sizeof(name), "%.250s:%d", p->facts.host, (int)p->port);
	p->reach = reach_begin(name);
	if (p->reach)
		try_next(p, "it has no address");
	else
		pass_give_up(p, "", "could not be reached a moment ago");
}

static void ask_addresses(struct pass *p, const char *type);

static void note_addresses(struct pass *p, const struct dns_answer *d)
{
	for (size_t i = 0; i < d->n && p->naddresses < ADDRESSES_MAX; i++)
		if (str_copy(p->address[p->naddresses], sizeof(p->address[0]),
			     d->record[i].text))
			p->naddresses++;
}

static void on_addresses(evutil_socket_t sock, short what, void *arg)
{
	struct pass *p = arg;
	struct arena *a;
	struct dns_answer *d;
	bool temp = true;

	if (what & EV_READ) {
		a = arena_new();
		d = dns_query_end(a, sock, p->facts.host, p->type);
		p->net = -1;
		note_addresses(p, d);
		temp = d->status == DNS_TEMP;
		arena_free(&a);
	}
	if (temp && p->naddresses == 0)
		pass_give_up(p, "", "its address cannot be looked up now");
	else if (!temp && str_equal(p->type, "A"))
		ask_addresses(p, "AAAA");
	else
		begin_connecting(p);
}

static void ask_addresses(struct pass *p, const char *type)
{
	p->type = type;
	p->net = dns_query_begin(p->facts.host, type);
	if (p->net >= 0)
		pass_await(p, EV_READ, pass_left(p) / 3, on_addresses);
	else
		pass_give_up(p, "", err_why(ERR_TEMP));
}

void pass_find_host(struct pass *p)
{
	const char *ip = ipc_text(&p->in, "ip");

	snprintf(p->host, sizeof(p->host), "%s:%d", p->facts.host,
		 (int)p->port);
	if (!*ip) {
		ask_addresses(p, "A");
		return;
	}
	str_copy(p->address[0], sizeof(p->address[0]), ip);
	p->naddresses = 1;
	begin_connecting(p);
}
