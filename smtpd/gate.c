/*
 * gate: holds new SMTP connections in one loop until they speak. A process
 * of smtpd is taken up only by clients that have something to say after they
 * were greeted; those that talk too early, come too often or say nothing cost
 * a few hundred bytes here.
 *
 * What the client says stays in the socket: smtpd reads it. The connection to
 * smtpd over which the client's went stays open until the session is over,
 * so gate knows how many each client has.
 *
 *	WAITING	 before the greeting (only with postscreen_greet_wait)
 *	GREETED	 until the client speaks
 *	QUEUED	 it spoke, and all processes of smtpd and their queue are full
 *	SERVED	 smtpd has it
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
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
#include "ipc/ipc.h"
#include "log/log.h"
#include "service/loop.h"
#include "service/service.h"
#include "smtpd/gate-count.h"

#define RETRY_MS 100   /* until smtpd is asked again */
#define SPARE_FILES 64 /* descriptors that are not connections */

enum stage { WAITING, GREETED, QUEUED, SERVED };

struct stranger {
	struct event event;
	enum stage stage;
	int fd; /* the client's; for SERVED the one to smtpd */
	struct gate_client *client;
};

static struct {
	struct event_base *base;
	struct loop_listener *listener[SERVICE_LISTENERS_MAX];
	char banner[512];
	const char *hostname;
	bool pregreet_reject;
	int64_t client_limit;
	unsigned limit;
	unsigned strangers;
	bool stopping;
	struct timeval greet_wait;
	const struct timeval *patience; /* a common timeout of libevent */
	const struct timeval *retry;
} self;

static void on_event(evutil_socket_t fd, short what, void *arg);

/* The client may be gone or not read: that is no matter of ours. */
static void say(const struct stranger *x, const char *text)
{
	if (send(x->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("cannot send to [%s]: %m",
			  gate_count_name(x->client));
}

/* Input that nobody read would make the kernel cut the connection before the
 * client has seen the reply. */
static void drain(const struct stranger *x)
{
	char junk[4096];

	(void)recv(x->fd, junk, sizeof(junk), MSG_DONTWAIT);
}

static void drop(struct stranger *x)
{
	event_del(&x->event);
	close(x->fd);
	gate_count_remove(x->client);
	free(x);
	self.strangers--;
	if (self.stopping && self.strangers == 0)
		event_base_loopbreak(self.base);
}

static void refuse(struct stranger *x, const char *text, const char *why)
{
	char line[600];

	log_info("NOQUEUE: reject: CONNECT from [%s]: %s (%s)",
		 gate_count_name(x->client), text, why);
	snprintf(line, sizeof(line), "%s\r\n", text);
	say(x, line);
	drain(x);
	drop(x);
}

static void watch(struct stranger *x, short what, const struct timeval *t)
{
	event_del(&x->event);
	event_assign(&x->event, self.base, x->fd, what, on_event, x);
	event_add(&x->event, t);
}

static void greet(struct stranger *x)
{
	say(x, self.banner);
	x->stage = GREETED;
	watch(x, EV_READ, self.patience);
}

/* Hands the connection to smtpd, or puts it off. */
static void hand_over(struct stranger *x)
{
	struct ipc_out m = { 0 };
	int sock = ipc_connect_now("smtpd"), err;

	if (sock < 0) {
		if (errno != EAGAIN)
			log_warn("cannot reach smtpd: %m");
		x->stage = QUEUED;
		watch(x, EV_TIMEOUT, self.retry);
		return;
	}
	ipc_begin(&m, "connection");
	ipc_put_fd(&m, x->fd);
	err = ipc_send(sock, &m, 0);
	ipc_out_free(&m);
	if (err)
		log_warn("cannot hand a connection to smtpd: %s",
			 err_text(err));
	event_del(&x->event);
	close(x->fd);
	x->fd = sock;
	x->stage = SERVED;
	watch(x, EV_READ, NULL);
}

/* How much the client has said: 1 or more, 0 if it is gone, -1 nothing. */
static ssize_t said(const struct stranger *x)
{
	char byte[64];
	ssize_t n = recv(x->fd, byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? -1 : 0;
}

static void lost(struct stranger *x)
{
	log_info("lost connection after CONNECT from [%s]",
		 gate_count_name(x->client));
	drop(x);
}

/* Greets, unless the client talks already (RFC 5321 section 4.3.1). */
static void begin(struct stranger *x)
{
	ssize_t n = self.pregreet_reject ? said(x) : -1;

	if (n == 0)
		lost(x);
	else if (n > 0)
		refuse(x, "554 5.5.1 Error: SMTP protocol violation",
		       "it talks before the greeting");
	else
		greet(x);
}

static void on_spoken(struct stranger *x, short what)
{
	ssize_t n = what & EV_READ ? said(x) : -1;
	char text[300];

	if (n > 0) {
		hand_over(x);
	} else if (n == 0) {
		lost(x);
	} else if (what & EV_TIMEOUT) {
		snprintf(text, sizeof(text),
			 "421 4.4.2 %.200s Error: timeout exceeded",
			 self.hostname);
		refuse(x, text, "it says nothing");
	} else {
		watch(x, EV_READ, self.patience);
	}
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct stranger *x = arg;

	(void)fd;
	switch (x->stage) {
	case WAITING:
		begin(x);
		break;
	case GREETED:
		on_spoken(x, what);
		break;
	case QUEUED:
		hand_over(x);
		break;
	case SERVED:
		drop(x);
		break;
	}
}

static void admit(struct stranger *x)
{
	char text[300];

	event_assign(&x->event, self.base, x->fd, EV_READ, on_event, x);
	if (self.client_limit &&
	    (int64_t)gate_count(x->client) > self.client_limit) {
		snprintf(text, sizeof(text),
			 "421 4.7.0 %.200s Error: too many connections from "
			 "your host",
			 self.hostname);
		refuse(x, text, "smtpd_client_connection_count_limit");
	} else if (self.strangers > self.limit) {
		snprintf(text, sizeof(text),
			 "421 4.3.2 %.200s Error: too many connections",
			 self.hostname);
		refuse(x, text, "no more descriptors");
	} else if (self.greet_wait.tv_sec) {
		x->stage = WAITING;
		watch(x, EV_READ, &self.greet_wait);
	} else {
		begin(x);
	}
}

static int take_connection(int listener, void *context)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss);
	/* not non-blocking: smtpd shall get it as it would from accept */
	int fd = accept4(listener, (struct sockaddr *)&ss, &n, SOCK_CLOEXEC);
	struct stranger *x;

	(void)context;
	if (fd < 0)
		return -1;
	x = mem_alloc(sizeof(*x));
	x->fd = fd;
	x->client = gate_count_add(&ss);
	self.strangers++;
	admit(x);
	return fd;
}

/* Clients that were greeted may speak yet, to smtpd as it is now; those that
 * it has are safe. */
static void retire(void *context)
{
	(void)context;
	self.stopping = true;
	for (size_t i = 0; i < SERVICE_LISTENERS_MAX; i++)
		loop_unlisten(&self.listener[i]);
	if (self.strangers == 0)
		event_base_loopbreak(self.base);
}

static int say_stopping(const struct event_base *base, const struct event *e,
			void *text)
{
	const struct stranger *x = event_get_callback_arg(e);

	(void)base;
	if (event_get_callback(e) == on_event && x->stage != SERVED) {
		say(x, text);
		drain(x);
	}
	return 0;
}

/* SIGINT ends the suite: nobody would serve them (RFC 5321 section 3.8). */
static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	char text[300];

	(void)sig;
	(void)what;
	(void)arg;
	snprintf(text, sizeof(text),
		 "421 4.3.2 %.200s Service is shutting down\r\n",
		 self.hostname);
	event_base_foreach_event(self.base, say_stopping, text);
	event_base_loopbreak(self.base);
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
	self.limit = r.rlim_cur > 1000000 ? 1000000 : (unsigned)r.rlim_cur;
	self.limit = self.limit > 2 * SPARE_FILES ? self.limit - SPARE_FILES
						  : SPARE_FILES;
}

static void read_settings(const struct config *c)
{
	snprintf(self.banner, sizeof(self.banner), "220 %.500s\r\n",
		 config_string(c, "smtpd_banner"));
	self.hostname = config_string(c, "myhostname");
	self.pregreet_reject = config_bool(c, "smtpd_pregreet_reject");
	self.client_limit =
		config_int(c, "smtpd_client_connection_count_limit");
	self.greet_wait.tv_sec = config_seconds(c, "postscreen_greet_wait");
}

/* Time-outs that are all alike are kept in a queue of their own, not in the
 * heap of libevent. */
static void begin_loop(const struct service *s)
{
	struct timeval patience = { .tv_sec = config_seconds(s->config,
							     "smtpd_timeout") };
	struct timeval retry = { .tv_usec = RETRY_MS * 1000 };
	struct event *stop;

	self.base = loop_new();
	self.patience = event_base_init_common_timeout(self.base, &patience);
	self.retry = event_base_init_common_timeout(self.base, &retry);
	for (size_t i = 0; i < s->nlisteners; i++)
		self.listener[i] = loop_listen(self.base, &s->listener[i],
					       take_connection, NULL);
	loop_signals(self.base, retire, NULL, NULL);
	stop = evsignal_new(self.base, SIGINT, on_stop, NULL);
	if (!stop || evsignal_add(stop, NULL) < 0)
		log_die(EX_OSERR, "cannot watch signals");
}

int main(int argc, char **argv)
{
	struct service s;

	service_start(&s, argc, argv, "gate");
	read_settings(s.config);
	raise_limit();
	service_confine(&s, 0);
	begin_loop(&s);
	service_ready(&s);
	event_base_dispatch(self.base);
	return EX_OK;
}
