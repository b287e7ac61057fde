/*
 * Sessions that ask for folders of other users: posthorn-protocol(7),
 * public/accountd. Anybody may connect; who they are is said by their seals
 * (badge.h) alone.
 */
#ifndef ACCOUNTD_VISITS_H
#define ACCOUNTD_VISITS_H

#include <event2/event.h>

#include "service/service.h"

/* Begins to listen on S's public socket, if there is one; S must outlive the
 * loop. */
void visits_begin(struct event_base *base, const struct service *s);

/* Takes no more. */
void visits_drain(void);

#endif
