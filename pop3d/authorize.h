/* POP3 before the login: RFC 1939's AUTHORIZATION state. */
#ifndef POP3D_AUTHORIZE_H
#define POP3D_AUTHORIZE_H

#include "login/login.h"

/* Serves FD, and closes it; TLS_FIRST on the port of POP3 over TLS. LOGIN_DELAY,
 * in seconds, is only told. */
void authorize_serve(const struct login_rules *rules, int64_t login_delay,
		     int fd, bool tls_first);

#endif
