/* POP3 after the login: RFC 1939's TRANSACTION and UPDATE states. */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

/* Takes the session that accountd hands over on SOCK, becomes its user and
 * serves it to its end. The process can serve no other after that. UIDL_FORMAT
 * has no fault (uidl.h). */
void session_serve(int sock, const char *uidl_format);

#endif
