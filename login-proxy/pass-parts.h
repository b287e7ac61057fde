/*
 * The parts of a login that is passed on (pass.c), for its own files: what all
 * of them know, and how each goes over to the next.
 */
#ifndef LOGIN_PROXY_PASS_PARTS_H
#define LOGIN_PROXY_PASS_PARTS_H

#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "ipc/ipc.h"
#include "login-proxy/relay.h"
#include "login-proxy/talk.h"

#define ADDRESSES_MAX 8 /* of one host that are tried */
#define INPUT_MAX 16384 /* the longest line of a host */

struct kind {
	const char *session;
	void (*talk)(struct talk *t, const struct talk_facts *f);
	int port;
	int tls_port;
};

struct pass {
	LIST_ENTRY(pass) link;
	int sock; /* of accountd */
	struct event request;
	struct ipc_in in; /* has the strings */
	const struct kind *kind;
	struct relay_facts facts;
	struct talk_facts login;
	struct talk talk;
	struct buf pending; /* what the client sent after its login */
	int64_t port;
	bool tls_first;
	bool any_cert;
	int64_t until_ms;
	int fd; /* of the client; -1: only the password is checked */
	char address[ADDRESSES_MAX][INET6_ADDRSTRLEN];
	size_t naddresses;
	size_t next;	  /* which one is tried after this */
	const char *type; /* of the question to the resolver */
	int net; /* to the host, the resolver or tlsproxy: what is awaited */
	struct event io;
	struct buf input;
	unsigned lines;
	struct reach *reach;
	struct count *count;
	char host[340]; /* for the log: name[address]:port */
};

/* pass.c */

/* Ends P: the login cannot be made at its host now. WHAT and WHY are for the
 * log. */
void pass_give_up(struct pass *p, const char *what, const char *why);

/* The same, since nobody speaks there. */
void pass_not_reached(struct pass *p, const char *why);

/* Ends P: the host says no, as VERB tells accountd. */
void pass_say_no(struct pass *p, const char *verb);

/* Ends P: the session begins. */
void pass_logged_in(struct pass *p);

/* How much of its time is left, in milliseconds, at least 1. */
int64_t pass_left(const struct pass *p);

/* Waits for WHAT at P->net, MS at most, and goes on with THEN. */
typedef void pass_step(evutil_socket_t fd, short what, void *arg);
void pass_await(struct pass *p, short what, int64_t ms, pass_step *then);

/* Stops waiting, and closes P->net. */
void pass_drop(struct pass *p);

/* pass-host.c */

/* Connects to the host, and goes on with pass_listen. */
void pass_find_host(struct pass *p);

/* Has tlsproxy begin TLS, and goes on. */
void pass_begin_tls(struct pass *p);

/* pass-talk.c */

/* Waits for what the host says. */
void pass_listen(struct pass *p);

/* Does what the dialogue wants. */
void pass_act(struct pass *p, enum talk_result result);

#endif
