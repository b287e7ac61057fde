/* POP3 after the login: RFC 1939's TRANSACTION and UPDATE states. */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include <stdint.h>

struct session_rules {
	const char *uidl_format; /* without a fault (uidl.h) */
	int64_t login_delay;	 /* to be told, in seconds; 0: none */
};

/* Takes the session that accountd hands over on SOCK, becomes its user and
 * serves it to its end, and further ones of the same user as long as accountd
 * wants that. The process can serve no other user after that. */
void session_serve(int sock, const struct session_rules *rules);

#endif
