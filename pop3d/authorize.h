/* POP3 before the login: RFC 1939's AUTHORIZATION state. */
#ifndef POP3D_AUTHORIZE_H
#define POP3D_AUTHORIZE_H

#include "login/login.h"

/* Serves FD, and closes it; TLS_FIRST on the port of POP3 over TLS. */
void authorize_serve(const struct login_rules *rules, int fd, bool tls_first);

#endif
