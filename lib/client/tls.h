/*
 * TLS through tlsproxy: it gets the connection and gives back a plain one,
 * which carries what the peer sends and takes what the peer is to get. The
 * caller's own descriptor is closed in every case.
 */
#ifndef CLIENT_TLS_H
#define CLIENT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_TEXT_MAX 256

struct tls_info {
	char version[32];	/* "TLSv1.3" */
	char cipher[64];	/* "TLS_AES_256_GCM_SHA384" */
	int bits;		/* of the cipher's key */
	char sni[256];		/* name asked for or sent, or "" */
	bool away;		/* failed: tlsproxy was not available */
	bool verified;		/* outgoing: the peer proved its name */
	char why[TLS_TEXT_MAX]; /* if not verified or failed: the reason */
};

/* Server side: terminates TLS on FD, a connection to SERVICE: "smtp",
 * "submission", "imap" or "pop3". Gives the plain descriptor, or -1 with
 * info->why. The handshake ends after MS, or when STOP (-1: none) becomes
 * readable. */
int tls_accept(const char *service, int fd, struct tls_info *info, int64_t ms,
	       int stop);

/* The same for callers that do something else meanwhile. Hands over a copy of
 * FD and gives a socket that becomes readable when the handshake is over; -1,
 * with a cause, if tlsproxy cannot be asked now. */
int tls_accept_begin(const char *service, int fd, int64_t ms);

/* Takes the result of the handshake from SOCK, which then belongs to this
 * module; otherwise like tls_accept. */
int tls_accept_end(int sock, struct tls_info *info);

/* "TLSv1.3 with cipher … (256 bits)" in SIZE bytes, for trace fields. */
void tls_describe(const struct tls_info *info, char *out, size_t size);

enum tls_level {
	TLS_LEVEL_MAY,	  /* encrypt; who it is does not matter */
	TLS_LEVEL_VERIFY, /* CA chain and name must hold */
	TLS_LEVEL_DANE	  /* one of the TLSA records must match; if none
				 * of them can be used: as TLS_LEVEL_MAY, and
				 * not verified (RFC 7672 section 2.1) */
};

struct tls_request {
	enum tls_level level;
	const char *sni;	  /* sent as SNI; the base domain for DANE */
	const char *const *names; /* what the certificate may name */
	size_t nnames;
	const char *const *tlsa; /* "usage selector matching hex" */
	size_t ntlsa;
};

/* Client side, the same; it ends with STOP, too. */
int tls_connect(int fd, const struct tls_request *r, struct tls_info *info,
		int64_t ms, int stop);

/* The same for callers that do something else meanwhile, as tls_accept_begin and
 * tls_accept_end. */
int tls_connect_begin(int fd, const struct tls_request *r, int64_t ms);
int tls_connect_end(int sock, struct tls_info *info);

/* After the end of file on the plain descriptor FD: did the peer end in order
 * (close_notify)? False: the connection broke, and the data may be truncated.
 * Only protocols in which the end of the connection ends the data must ask. */
bool tls_ended(int fd);

#endif
