/* The questions of posthorn-protocol(7), section decoder: one connection with
 * any number of them. */
#ifndef DECODER_SERVE_H
#define DECODER_SERVE_H

#include <stdbool.h>

#include "server/prefork.h"

/* For struct prefork: serves one connection. CONTEXT is a struct decoders. */
bool serve_connection(void *context, const struct prefork_listener *listener,
		      int fd);

#endif
