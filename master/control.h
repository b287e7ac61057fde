/*
 * The master's own socket, public/master: `status` for anybody; `reload`
 * and `stop` for root and the user that started master.
 */
#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/buf.h"

/* The result of a reload, with lines of faults; called once, now or later. */
typedef void control_done(bool good, const char *faults, void *context);

struct control_actions {
	void (*status)(struct buf *out);
	void (*reload)(control_done *done, void *context);
	void (*stop)(void);
};

/* Listens on PATH. False with errno. */
bool control_begin(struct event_base *base, const char *path,
		   const struct control_actions *actions);
void control_end(void);

#endif
