/* The questions of posthorn-protocol(7), section decoder: one connection with
 * any number of them. */
#ifndef DECODER_SERVE_H
#define DECODER_SERVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/decoder.h"
#include "server/prefork.h"

struct serving {
	struct decoders decoders;
	uid_t mail_uid; /* whose sessions are those of many users */
};

/* Is the peer of FD, or can it speak for, more than one user? All virtual users'
 * sessions have one uid: they are not one client. */
bool serve_is_of_many(const struct serving *s, int fd);

/* For struct prefork: serves one connection. CONTEXT is a struct serving. */
bool serve_connection(void *context, const struct prefork_listener *listener,
		      int fd);

#endif
