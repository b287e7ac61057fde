/*
 * Before the login: the dialogue of IMAP on top of login/login.h. It ends
 * with the connection closed, or in the hands of a session.
 */
#ifndef IMAPD_LOGIN_H
#define IMAPD_LOGIN_H

#include "login/login.h"

/* Serves FD, and closes it; TLS_FIRST on the port of IMAP over TLS. */
void login_serve(const struct login_rules *rules, int fd, bool tls_first);

#endif
