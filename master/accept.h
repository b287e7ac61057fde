/*
 * From the file posthorn.conf to the set in force, at the start and at each
 * reload.
 */
#ifndef MASTER_ACCEPT_H
#define MASTER_ACCEPT_H

#include <event2/event.h>
#include <stdbool.h>

#include "master/reload.h"
#include "master/set.h"

/* The set for C, which was read from CONFIG_PATH; the set owns C from now on.
 * AFTER_KILL: the services of the former master may still have the ports for a
 * moment. NULL with lines in FAULTS. */
struct set *accept_first(struct config *c, const char *config_path,
			 bool after_kill, struct buf *faults);

/* Once a set is in force: starts its watchdog and allows reloads. */
void accept_begin(struct event_base *base);

/* Reads the file again and changes over to what it asks for, if possible. DONE
 * is called with the result (NULL: it is only logged). A reload requested
 * during another comes after it, and its DONE is not called: ask
 * reload_going_on before. */
void accept_reload(reload_done *done, void *context);

#endif
