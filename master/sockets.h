/*
 * The listening sockets. They are made by master and live as long as it
 * does, whichever services come and go; a reload keeps those that are still
 * wanted, so that no connection is refused in between.
 */
#ifndef MASTER_SOCKETS_H
#define MASTER_SOCKETS_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/config.h"
#include "master/services.h"

/* Opens all sockets of ROW that the configuration wants, and appends
 * "name:fd " for each to LISTEN and the descriptors to FDS. A socket that
 * is open already is used again. A line in FAULTS for each that cannot be
 * opened, naming address and port. */
void sockets_open(const struct config *c, const struct service_row *row,
		  struct buf *listen, struct buf *faults);

/* Opens only the TCP sockets of ROW, as above, to see whether it can be
 * done. */
void sockets_try(const struct config *c, const struct service_row *row,
		 struct buf *faults);

/* Marks all sockets as unwanted; sockets_open marks those it uses; and
 * sockets_sweep closes the rest. */
void sockets_begin(void);
void sockets_sweep(void);

/* Closes all and removes the names of Unix sockets. */
void sockets_close(void);

#endif
