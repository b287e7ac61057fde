/*
 * gate: holds SMTP sessions while they wait for their clients. Clients occupy
 * a process of smtpd, or of submit, only while they have something to say;
 * those that talk too early, come too often or say nothing cost a descriptor
 * and a few hundred bytes here.
 *
 * The connection to the process, over which the client's was sent, stays open
 * until the session is given back or over (smtp/park.h), so gate knows how
 * many connections each client has, and how many processes are busy.
 *
 * One instance serves the port of strangers, another those of our users.
 */
#include "smtpd/gate.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "service/loop.h"
#include "service/service.h"

#define PROXY_MS 10000 /* for a proxy to say for whom it speaks */
#define SPARE_FILES 64 /* descriptors that are not connections */

struct gate gate;

static struct {
	struct loop_listener *listener[SERVICE_LISTENERS_MAX];
} self;

static void greet(struct stranger *x);
static void on_introduction(struct stranger *x, short what);

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct stranger *x = arg;

	(void)fd;
	switch (x->stage) {
	case INTRODUCED:
		on_introduction(x, what);
		break;
	case GREETING:
		greet(x);
		break;
	case HELD:
		gate_on_input(x, what);
		break;
	case HANDSHAKE:
		gate_on_handshake(x);
		break;
	case SERVED:
		gate_on_process(x);
		break;
	case QUEUED:
		break;
	}
}

void gate_watch(struct stranger *x, short what, int64_t ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	event_del(&x->event);
	event_assign(&x->event, gate.base, x->fd, what, on_event, x);
	if (event_add(&x->event, ms < 0 ? NULL : &t) < 0)
		log_die(EX_OSERR, "cannot watch a connection");
}

/* The client may be gone, or not read: that is ignored. */
void gate_say(const struct stranger *x, const char *text)
{
	if (send(x->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("cannot send to [%s]: %m", x->ip);
}

/* Unread input would make the kernel reset the connection before the client
 * has seen the reply. */
static void drain(const struct stranger *x)
{
	char junk[4096];

	/* whatever it is, it is dropped */
	err_ignore((int)recv(x->fd, junk, sizeof(junk), MSG_DONTWAIT));
}

void gate_drop(struct stranger *x)
{
	event_del(&x->event);
	if (x->stage == HELD)
		gate_unhold(x);
	if (x->stage == QUEUED)
		gate_unqueue(x);
	if (x->fd >= 0)
		close(x->fd);
	if (x->stage == SERVED)
		gate_unserve(x);
	gate_count_remove(x->client);
	free(x->proxy);
	free(x->session);
	free(x->input);
	free(x);
	gate.strangers--;
	if (gate.stopping && gate.strangers == 0)
		event_base_loopbreak(gate.base);
}

void gate_refuse(struct stranger *x, const char *text, const char *why)
{
	static struct log_rate refused;
	char line[600];

	if (log_rate_allows(&refused, GATE_LINES_S, "reject: CONNECT"))
		log_info("NOQUEUE: reject: CONNECT from [%s]: %s (%s)", x->ip,
			 text, why);
	snprintf(line, sizeof(line), "%s\r\n", text);
	gate_say(x, line);
	drain(x);
	gate_drop(x);
}

/* Does the client talk already (RFC 5321 section 4.3.1)? 0: it is gone. */
static ssize_t talks(const struct stranger *x)
{
	char byte[64];
	ssize_t n = recv(x->fd, byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? -1 : 0;
}

static void greet(struct stranger *x)
{
	ssize_t n = gate.pregreet_reject ? talks(x) : -1;

	if (n > 0) {
		gate_refuse(x, "554 5.5.1 Error: SMTP protocol violation",
			    "it talks before the greeting");
		return;
	}
	/* if the client is gone, that is noticed later */
	gate_say(x, gate.banner);
	gate_hold(x);
}

static void refuse_as(struct stranger *x, const char *code, const char *what,
		      const char *why)
{
	char text[300];

	snprintf(text, sizeof(text), "%s %.200s Error: %s", code, gate.hostname,
		 what);
	gate_refuse(x, text, why);
}

static void admit(struct stranger *x)
{
	event_assign(&x->event, gate.base, x->fd, EV_READ, on_event, x);
	x->stage = GREETING;
	if (gate.client_limit &&
	    (int64_t)gate_count(x->client) > gate.client_limit)
		refuse_as(x, "421 4.7.0", "too many connections from your host",
			  "smtpd_client_connection_count_limit");
	else if (gate.strangers > gate.limit && !gate_shed())
		refuse_as(x, "421 4.3.2", "too many connections",
			  "no more descriptors");
	else if (x->tls_first && !*x->tls)
		gate_hold(x);
	else if (gate.greet_wait.tv_sec)
		gate_watch(x, EV_READ, gate.greet_wait.tv_sec * 1000);
	else
		greet(x);
}

/* From now on X is the proxy's client. */
static void introduce(struct stranger *x, const struct proxy_header *h)
{
	if (h->local)
		return;
	gate_count_remove(x->client);
	x->client = gate_count_add(&h->client);
	address_ip(&h->client, x->ip);
	address_ip(&h->server, x->local);
	snprintf(x->tls, sizeof(x->tls), "%s", h->tls);
}

static void on_introduction(struct stranger *x, short what)
{
	struct proxy_header h;
	int err = what & EV_READ ? proxy_header_take(x->fd, x->proxy, &h)
				 : ERR_TIMEOUT;

	if (err == ERR_BUSY) {
		gate_watch(x, EV_READ, PROXY_MS);
		return;
	}
	if (err) {
		log_warn("the proxy [%s] does not say for whom it speaks: %s",
			 x->ip, err_why(err));
		gate_drop(x);
		return;
	}
	free(x->proxy);
	x->proxy = NULL;
	introduce(x, &h);
	admit(x);
}

static void await_introduction(struct stranger *x)
{
	event_assign(&x->event, gate.base, x->fd, EV_READ, on_event, x);
	x->stage = INTRODUCED;
	x->proxy = mem_alloc(sizeof(*x->proxy));
	gate_watch(x, EV_READ, PROXY_MS);
}

static void find_addresses(struct stranger *x,
			   const struct sockaddr_storage *ss)
{
	struct sockaddr_storage ours = { 0 };
	socklen_t n = sizeof(ours);

	address_ip(ss, x->ip);
	/* it cannot be asked of tlsproxy's descriptor later */
	if (x->tls_first &&
	    getsockname(x->fd, (struct sockaddr *)&ours, &n) == 0)
		address_ip(&ours, x->local);
}

static int take_connection(int listener, void *tls_first)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss);
	/* blocking: the process is to get it as from accept */
	int fd = accept4(listener, (struct sockaddr *)&ss, &n, SOCK_CLOEXEC);
	struct stranger *x;

	if (fd < 0)
		return -1;
	x = mem_alloc(sizeof(*x));
	x->fd = fd;
	x->tls_first = tls_first != NULL;
	x->client = gate_count_add(&ss);
	find_addresses(x, &ss);
	gate.strangers++;
	if (address_networks_have(gate.proxies, x->ip))
		await_introduction(x);
	else
		admit(x);
	return fd;
}

/* Held sessions go on, with the current processes. */
static void retire(void *context)
{
	(void)context;
	gate.stopping = true;
	for (size_t i = 0; i < SERVICE_LISTENERS_MAX; i++)
		loop_unlisten(&self.listener[i]);
	if (gate.strangers == 0)
		event_base_loopbreak(gate.base);
}

static void say_stopping(struct stranger *x)
{
	char text[300];

	snprintf(text, sizeof(text),
		 "421 4.3.2 %.200s Service is shutting down\r\n",
		 gate.hostname);
	gate_say(x, text);
	drain(x);
}

/* SIGINT ends the suite: nobody would serve them (RFC 5321 section 3.8). */
static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	gate_each_held(say_stopping);
	gate_each_queued(say_stopping);
	event_base_loopbreak(gate.base);
}

/* As many descriptors as the system lets us have. */
static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		log_die(EX_OSERR, "cannot read the limit of descriptors: %m");
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		log_warn("cannot raise the limit of descriptors: %m");
	getrlimit(RLIMIT_NOFILE, &r);
	gate.limit = r.rlim_cur > 1000000 ? 1000000 : (unsigned)r.rlim_cur;
	gate.limit = gate.limit > 2 * SPARE_FILES ? gate.limit - SPARE_FILES
						  : SPARE_FILES;
}

/* The port of strangers, or those of our users. */
static void read_target(const struct service *s)
{
	bool strangers = service_listener(s, "smtp") != NULL;

	gate.target = strangers ? "smtpd" : "submit";
	gate.tls_service = strangers ? "smtp" : "submission";
	if (!strangers)
		return;
	gate.pregreet_reject = config_bool(s->config, "smtpd_pregreet_reject");
	gate.greet_wait.tv_sec =
		config_seconds(s->config, "postscreen_greet_wait");
}

static void read_settings(const struct service *s)
{
	const struct config *c = s->config;

	snprintf(gate.banner, sizeof(gate.banner), "220 %.500s\r\n",
		 config_string(c, "smtpd_banner"));
	gate.hostname = config_string(c, "myhostname");
	gate.client_limit =
		config_int(c, "smtpd_client_connection_count_limit");
	gate.proxies = address_networks_of(c, "haproxy_trusted_networks");
	gate.processes = (unsigned)config_int(c, "smtpd_process_limit");
	gate.patience_ms = config_seconds(c, "smtpd_timeout") * 1000;
	read_target(s);
}

static void begin_loop(struct service *s)
{
	struct event *stop;

	gate.base = loop_new(s);
	gate_serve_begin();
	for (size_t i = 0; i < s->nlisteners; i++) {
		const struct prefork_listener *l = &s->listener[i];
		bool tls_first = strcmp(l->name, "submissions") == 0;

		self.listener[i] = loop_listen(gate.base, l, take_connection,
					       tls_first ? &self : NULL);
	}
	loop_signals(gate.base, retire, NULL, NULL);
	stop = evsignal_new(gate.base, SIGINT, on_stop, NULL);
	if (!stop || evsignal_add(stop, NULL) < 0)
		log_die(EX_OSERR, "cannot watch signals");
}

int main(int argc, char **argv)
{
	struct service s;

	service_start(&s, argc, argv, "gate");
	read_settings(&s);
	raise_limit();
	service_confine(&s, 0);
	begin_loop(&s);
	service_ready(&s);
	event_base_dispatch(gate.base);
	return EX_OK;
}
