/*
 * Sessions that come from gate and go back to it. A silent client costs no
 * process: after a short silence between commands its session is given back to
 * gate as a packet, with its descriptor, and comes again, to any process, when
 * the client has spoken. Where that is impossible, within a message or a
 * login, the process waits; if others are waiting in gate and the client has
 * been too slow, its session is ended.
 *
 * The packets are in posthorn-protocol(7), "SMTPD".
 */
#ifndef SMTP_PARK_H
#define SMTP_PARK_H

#include "smtp/session.h"

/* What is to be done when a parked session's client speaks again. */
enum smtp_parked {
	SMTP_PARKED_NOT,
	SMTP_PARKED_COMMAND, /* waits for a command */
	SMTP_PARKED_CONTENT, /* 354 was sent */
	SMTP_PARKED_TLS,     /* gate puts TLS under it first */
	SMTP_PARKED_HANDSHAKE /* tlsproxy does that already */
};

/* Serves the session that gate hands over through SOCK, and closes that: a new
 * one, of a client that gate has greeted, or one that was parked. */
void smtp_serve_gate(const struct smtp_server *server, struct intake *intake,
		     int sock);

/* Gives the session back. True: it is over for this process, and not logged.
 * False: it cannot be given back, and goes on here. */
bool smtp_park(struct smtp_session *s, enum smtp_parked what);

/* The same during a handshake, whose end tlsproxy tells at SOCK
 * (client/tls.h), which stays the caller's. */
bool smtp_park_handshake(struct smtp_session *s, int sock);

/* A descriptor for the session's stream to watch beside the client: becomes
 * readable when the suite stops, or gate asks for the process. */
int smtp_watch_fd(const struct smtp_session *s);

/* How long a client may be silent between commands before its session is
 * parked. */
int64_t smtp_linger_ms(const struct smtp_session *s);

/* Tells gate that the session is over. */
void smtp_leave_gate(struct smtp_session *s);

/* After ERR_STOPPING from the stream. ERR_OK: nothing, go on; ERR_BUSY: gate
 * asks for the process; ERR_STOPPING: the suite stops. */
int smtp_why_stopped(struct smtp_session *s);

/* Is the client smtpd_stress_timeout behind smtpd_min_data_rate or, once gate
 * has asked it to hurry, behind smtpd_stress_data_rate? */
bool smtp_is_late(const struct smtp_session *s);

/* Might it be late, if gate asked now? */
bool smtp_may_be_late(const struct smtp_session *s);

/* Do others need the process of the session, whose client or command has had
 * smtpd_stress_timeout? For calls that wait on its behalf (client/dns.h). */
bool smtp_gives_way(void *session);

#endif
