/*
 * The header that a proxy in front of us sends first, and that says who its
 * client is: HAProxy's PROXY protocol, versions 1 and 2. Whether one may come
 * is the caller's decision: it is believed.
 */
#ifndef IO_PROXY_HEADER_H
#define IO_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define PROXY_HEADER_MAX 4096 /* bytes that are taken of one */

struct proxy_header {
	bool local; /* no client: the proxy speaks for itself */
	struct sockaddr_storage client;
	struct sockaddr_storage server; /* the address that it came to */
	char tls[160]; /* version and cipher, if the client speaks TLS with
			* the proxy; or "" */
};

/* Reads it from the N bytes at DATA; *USED are its own. ERR_OK; ERR_BUSY: more
 * bytes are needed; ERR_SYNTAX: that is none. */
int proxy_header_read(const void *data, size_t n, struct proxy_header *h,
		      size_t *used);

/* What has come of a header. */
struct proxy_reader {
	unsigned char data[PROXY_HEADER_MAX];
	size_t n;
};

/* Takes the header, and nothing that follows it, from the socket FD without
 * waiting. Codes as above; ERR_EOF: the peer is gone. */
int proxy_header_take(int fd, struct proxy_reader *r, struct proxy_header *h);

#endif
