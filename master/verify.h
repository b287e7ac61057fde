/* What must hold before anything is started. */
#ifndef MASTER_VERIFY_H
#define MASTER_VERIFY_H

#include "base/buf.h"
#include "config/config.h"

/* A line in FAULTS for each thing in C that would make a start or reload
 * fail, or mail bounce: users, programs, names of services, ports, where
 * mail goes, the log. Nothing is made. */
void verify_config(const struct config *c, struct buf *faults);

/* A line in FAULTS for each thing in C that has a meaning, but hardly the one
 * that was wanted: a reload refuses it, a start only warns, since a host that
 * was updated must come up with what it had. */
void verify_meaning(const struct config *c, struct buf *faults);

/* A line in FAULTS for each thing that cannot change from FORMER to C while the
 * suite runs: the folders and their owners, since what runs has them open and
 * what is in them belongs to these users. */
void verify_change(const struct config *former, const struct config *c,
		   struct buf *faults);

/* Like verify_config, for the ports: each is bound and released. Only while
 * the suite, which would have them, does not run. */
void verify_ports(const struct config *c, struct buf *faults);

#endif
