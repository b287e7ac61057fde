/*
 * The questions of posthorn-protocol(7), section authcheck: one connection
 * with any number of them.
 */
#ifndef AUTHCHECK_SERVE_H
#define AUTHCHECK_SERVE_H

#include <stdbool.h>

#include "authcheck/keys.h"
#include "server/prefork.h"

struct serve_settings {
	const char *authserv; /* our name in Authentication-Results */
	const struct dkim_key *keys;
};

/* For struct prefork: serves one connection. CONTEXT is a serve_settings. */
bool serve_connection(void *context, const struct prefork_listener *listener,
		      int fd);

#endif
