/* What remote-send takes from the configuration, read once by the parent. */
#ifndef REMOTE_SEND_SETTINGS_H
#define REMOTE_SEND_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum tls_wish { TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY };

struct settings {
	const char *myhostname;
	const char *relayhost; /* or "" */
	int port;
	bool ipv4;
	bool ipv6;
	enum tls_wish tls;
	int session_limit; /* sessions for one job, 0: none */
	bool convert;	   /* for hosts without 8BITMIME */
	int64_t connect_ms;
	int64_t helo_ms; /* greeting, EHLO, STARTTLS, RSET */
	int64_t mail_ms;
	int64_t rcpt_ms;
	int64_t data_init_ms;
	int64_t data_xfer_ms;
	int64_t data_done_ms;
};

#endif
