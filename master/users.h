/* The ids behind the users of the service table. */
#ifndef MASTER_USERS_H
#define MASTER_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "config/config.h"
#include "master/services.h"

/* The ids of USER: those of its parameter if we are root, else our own.
 * False and a line in FAULTS if there is no such user, or if it or its group
 * is root. */
bool users_find(const struct config *c, enum user user, uid_t *uid,
		gid_t *gid, struct buf *faults);

#endif
