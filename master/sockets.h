/*
 * The listening sockets of a set of services. Master makes them, and they
 * outlive the services. A new set shares with the former one those that both
 * want, so that no connection is refused in between; a socket is closed with
 * the last set that has it.
 */
#ifndef MASTER_SOCKETS_H
#define MASTER_SOCKETS_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/config.h"
#include "master/services.h"

struct sockets;

struct sockets *sockets_new(void);

/* Frees S, which becomes NULL. A socket that no other set has is closed for
 * all processes that still have it, and a Unix socket's name is removed. */
void sockets_free(struct sockets **s);

/* Adds to S all sockets of ROW that the configuration wants, from FORMER
 * (NULL: there is none) if it has them, and appends "name:fd " for each to
 * LISTEN. A line in FAULTS for each that cannot be opened, naming address and
 * port. */
void sockets_open(struct sockets *s, const struct sockets *former,
		  const struct config *c, const struct service_row *row,
		  struct buf *listen, struct buf *faults);

/* Opens and closes the TCP sockets that all services want, to see whether that
 * works; lines in FAULTS as above. */
void sockets_try(const struct config *c, struct buf *faults);

#endif
