/*
 * The programs that are the server's side of SMTP: smtpd and submit, which
 * differ by their policy. Their sockets say by their names what is spoken:
 *
 *	lmtp		LMTP
 *	submissions	SMTP under TLS from the start
 *	others		SMTP; a socket of packets: sessions from gate
 */
#ifndef SMTP_PROGRAM_H
#define SMTP_PROGRAM_H

#include "smtp/server.h"

/* The whole of main(): starts the program NAME, serves by POLICY until it is
 * stopped, gives the exit status. */
int smtp_program(int argc, char **argv, const char *name,
		 const struct smtp_policy *policy);

#endif
