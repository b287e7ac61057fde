/*
 * What all event loops of the suite have in common: they answer master, handle
 * three signals and accept connections on their listening sockets. A program
 * has one libevent loop and one thread; what it does with a connection is up
 * to it.
 */
#ifndef SERVICE_LOOP_H
#define SERVICE_LOOP_H

#include "service/service.h"

struct event_base;
struct loop_listener;

/* A loop that answers master for S (NULL: does not), which must outlive it.
 * The program ends with EX_OSERR on failure. */
struct event_base *loop_new(struct service *s);

/* SIGTERM and SIGINT call STOP from the loop with CONTEXT, SIGHUP reopens the
 * log. RELOAD (may be NULL) is called when master has handed over another
 * configuration, which service_fresh_config gives. */
void loop_signals(struct event_base *base, void (*stop)(void *context),
		  void (*reload)(void *context), void *context);

/* Calls CALL with CONTEXT every MS milliseconds as long as the program lives;
 * not at all if MS is negative. */
void loop_every(struct event_base *base, int ms, void (*call)(void *context),
		void *context);

/* Accepts one connection at LISTENER and begins to serve it. -1 with errno of
 * accept(2) if there was none; never waits. */
typedef int loop_accept_fn(int listener, void *context);

/* Calls ACCEPT for each connection at L, whose descriptor is made
 * non-blocking: another instance may listen too, and be quicker. When
 * descriptors or memory run short, it pauses for a second instead of calling
 * again and again for the same connection. The caller ends the result with
 * loop_unlisten. */
struct loop_listener *loop_listen(struct event_base *base,
				  const struct prefork_listener *l,
				  loop_accept_fn *accept, void *context);

/* The same for S's socket NAME, to which our other programs connect: peers
 * that may not are refused, TAKE gets each of the others. Ends the program
 * with EX_USAGE if S has no such socket. S must outlive the result. */
struct loop_listener *loop_serve(struct event_base *base,
				 const struct service *s, const char *name,
				 void (*take)(int sock, void *context),
				 void *context);

/* Accepts no more; the descriptor stays open. Sets *L to NULL; does nothing
 * if it is NULL. */
void loop_unlisten(struct loop_listener **l);

#endif
