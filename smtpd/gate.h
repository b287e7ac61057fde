/*
 * Between the files of gate: one client's connection, and its stage.
 *
 *	INTRODUCED	a proxy is to say for whom it speaks
 *	GREETING	before the greeting (only with postscreen_greet_wait)
 *	HELD		waits for a command, or content after 354
 *	HANDSHAKE	tlsproxy does TLS with it
 *	QUEUED		it has spoken, and no process is free
 *	SERVED		a process has it
 */
#ifndef SMTPD_GATE_H
#define SMTPD_GATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "address/networks.h"
#include "client/tls.h"
#include "config/config.h"
#include "io/proxy-header.h"
#include "log/rate.h"
#include "smtpd/gate-count.h"

#define GATE_LINES_S 20 /* logged a second of each kind of lost client */

enum stage { INTRODUCED, GREETING, HELD, HANDSHAKE, QUEUED, SERVED };

TAILQ_HEAD(strangers, stranger);

struct stranger {
	struct event event;
	TAILQ_ENTRY(stranger) link; /* in the list of its stage */
	enum stage stage;
	int fd; /* the client's; in HANDSHAKE and SERVED the connection to
		 * the program that has that */
	struct gate_client *client;
	int64_t since_ms; /* when HELD began; when SERVED began, or was asked */
	unsigned asked;	  /* SERVED: how often its process was asked */
	char ip[46];
	bool tls_first; /* the port has TLS from the start */
	bool known;	/* as of when it was last queued */
	bool content;	/* waits for content, not a command */
	bool timed_out;
	bool tls_due;	/* HELD until tlsproxy has time for it */
	char local[46]; /* our address; only for TLS ports, and behind proxies */
	struct proxy_reader *proxy; /* INTRODUCED: what has come, or NULL */
	char tls[160];	/* of the handshake that was done here, or "" */
	char *session;	/* attributes from the process that had it, or NULL */
	size_t nsession;
	char *input; /* an incomplete line from the client */
	size_t ninput;
};

struct gate {
	struct event_base *base;
	char banner[512];
	const char *hostname;
	const char *target;	 /* the service that has the processes */
	const char *tls_service; /* for tls_accept */
	unsigned processes;	 /* … at most */
	bool pregreet_reject;
	struct address_networks *proxies; /* haproxy_trusted_networks */
	int64_t client_limit;
	int64_t patience_ms; /* smtpd_timeout */
	unsigned limit;	     /* of connections */
	unsigned strangers;
	bool stopping;
	struct timeval greet_wait;
};

/* This process's only one: gate.c. */
extern struct gate gate;

/* gate.c */

/* Waits for WHAT at X's descriptor, MS at most (-1: no limit). */
void gate_watch(struct stranger *x, short what, int64_t ms);
/* Sends TEXT to X's client, as far as possible without waiting. */
void gate_say(const struct stranger *x, const char *text);
/* Sends TEXT, logs WHY, and closes. */
void gate_refuse(struct stranger *x, const char *text, const char *why);
/* Closes the connection and forgets it. */
void gate_drop(struct stranger *x);

/* gate-hold.c */

/* From now on X waits for its client. */
void gate_hold(struct stranger *x);
/* X, held, has input, or its time is over. */
void gate_on_input(struct stranger *x, short what);
/* Sends away the client that has been silent longest. False: there is none. */
bool gate_shed(void);
/* Takes X off the list of those that are held. */
void gate_unhold(struct stranger *x);
/* Calls EACH for all that are held. */
void gate_each_held(void (*each)(struct stranger *x));
/* X's client speaks TLS now: the handshake begins; it ends with the call of the
 * last. */
void gate_begin_handshake(struct stranger *x);
/* The same, if the process that had X has begun it. */
void gate_await_handshake(struct stranger *x);
void gate_on_handshake(struct stranger *x);

/* gate-serve.c */

void gate_serve_begin(void);
/* X waits for a process; gets one now if it can. */
void gate_queue(struct stranger *x);
void gate_unqueue(struct stranger *x);
/* Calls EACH for all that wait. */
void gate_each_queued(void (*each)(struct stranger *x));
/* Something came from the process that has X: it gives it back, or ends. */
void gate_on_process(struct stranger *x);
void gate_unserve(struct stranger *x);
/* Do clients wait for processes? */
bool gate_is_pressed(void);

#endif
