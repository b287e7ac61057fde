/*
 * The wanted state of all services as one value: the accepted configuration,
 * the sockets, and for each service what its process gets. It is built whole
 * before anything changes; what cannot be built leaves no trace. A service
 * that is started again, whenever that is, gets what the set in force says and
 * nothing else: no program reads posthorn.conf by itself.
 */
#ifndef MASTER_SET_H
#define MASTER_SET_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/config.h"
#include "master/services.h"
#include "master/sockets.h"
#include "master/spawn.h"

struct set_row {
	struct spawn spawn;
	bool wanted;
};

struct set {
	struct config *config;
	int config_fd; /* the same, sealed */
	struct sockets *sockets;
	struct set_row *row; /* one for each row of service_rows */
};

/* The set that C asks for, which owns C from now on. Sockets that FORMER
 * (NULL: there is none) has are shared with it. CONFIG_PATH goes to the
 * services and must live on. NULL with lines in FAULTS if there is anything in
 * the way; C is freed then, and FORMER is as it was. */
struct set *set_new(struct config *c, const char *config_path,
		    const struct set *former, struct buf *faults);

/* Gives up *S, which becomes NULL, and the sockets that no other set has. */
void set_free(struct set **s);

#endif
