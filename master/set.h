/*
 * The wanted state of all services as one value: the accepted configuration,
 * the sockets, and for each service what its process gets. It is built
 * completely before anything changes; a failed one leaves no trace. A service
 * that is restarted at any time gets what the set in force says and nothing
 * else: no program reads posthorn.conf itself.
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
 * services and must stay valid. NULL with lines in FAULTS if it cannot be
 * built; C is freed then, and FORMER is unchanged. */
struct set *set_new(struct config *c, const char *config_path,
		    const struct set *former, struct buf *faults);

/* Frees *S, which becomes NULL, and the sockets that no other set has. */
void set_free(struct set **s);

#endif
