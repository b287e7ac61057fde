/* The programs that ask accountd: posthorn-protocol(7), accountd. */
#ifndef ACCOUNTD_REQUESTS_H
#define ACCOUNTD_REQUESTS_H

#include <event2/event.h>

#include "service/service.h"

/* Begins to listen on S's socket; S must outlive the loop. */
void requests_begin(struct event_base *base, const struct service *s);

/* Takes no more, and leaves the loop when the open logins are done. */
void requests_drain(void);

#endif
