/*
 * From one set of services to the next. The new set is built completely, and
 * an instance of each service that can have two is started for it; when all of
 * them are ready they take over together. If anything fails before that, all of
 * it is thrown away: the set in force and its services are unchanged.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include <event2/event.h>
#include <stdbool.h>

#include "master/run.h"

/* Called once with the result; FAULTS is lines for people, "" on success. */
typedef void reload_done(bool good, const char *faults, void *context);

/* Begins to change over to NEXT, which the reload owns from now on. Only when
 * no other is in progress. */
void reload_begin(struct event_base *base, struct set *next, reload_done *done,
		  void *context);

/* Is one in progress? */
bool reload_going_on(void);

/* The candidate of S is ready, or it has ended, because of WHY. */
void reload_prepared(struct service *s);
void reload_failed(struct service *s, const char *why);

/* The suite stops: a reload in progress is refused. */
void reload_give_up(void);

#endif
