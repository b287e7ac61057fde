/*
 * The programs that are the server side of SMTP: smtpd and submit, which
 * differ by their policy. The names of their sockets say what is spoken:
 *
 *	lmtp		LMTP
 *	submissions	SMTP under TLS from the start
 *	others		SMTP; a socket of packets: sessions from gate
 */
#ifndef SMTP_PROGRAM_H
#define SMTP_PROGRAM_H

#include "smtp/server.h"

/* All of main(): starts the program NAME, serves with POLICY until it is
 * stopped, gives the exit status. */
int smtp_program(int argc, char **argv, const char *name,
		 const struct smtp_policy *policy);

#endif
