/*
 * Before the login: a stranger's connection, served in a jail without files.
 * It ends with the connection closed, or in the hands of a session, which
 * accountd chooses once it has checked the password: nothing here can open
 * a mailbox.
 */
#ifndef IMAPD_LOGIN_H
#define IMAPD_LOGIN_H

#include <stdbool.h>

struct login_settings {
	const char *hostname;
	bool plaintext; /* passwords are taken without TLS, too */
	bool starttls;	/* there is a certificate */
};

/* Serves FD, and closes it; TLS_FIRST on the port of IMAP over TLS. */
void login_serve(const struct login_settings *set, int fd, bool tls_first);

#endif
