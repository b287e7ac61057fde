/*
 * From one set of services to the next. The new set is built whole, and an
 * instance of each service that can have two is started for it; when all of
 * them are ready they take over together. If anything fails before, all of it
 * is thrown away: the set in force is as it was, and so are the services.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include <event2/event.h>
#include <stdbool.h>

#include "master/run.h"

/* Hears once how it went; FAULTS is lines for people, "" if it went well. */
typedef void reload_done(bool good, const char *faults, void *context);

/* Begins to change over to NEXT, which is the reload's from now on. Only when
 * none is under way. */
void reload_begin(struct event_base *base, struct set *next, reload_done *done,
		  void *context);

/* Is one under way? */
bool reload_going_on(void);

/* The candidate of S is ready, or it has ended, because of WHY. */
void reload_prepared(struct service *s);
void reload_failed(struct service *s, const char *why);

/* The suite stops: the reload under way, if there is one, is refused. */
void reload_give_up(void);

#endif
