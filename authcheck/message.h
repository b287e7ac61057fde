/*
 * A message as authcheck sees it: its header in memory, its body read in big
 * blocks with pread(2) as often as needed. A small message takes one read.
 */
#ifndef AUTHCHECK_MESSAGE_H
#define AUTHCHECK_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define MESSAGE_HEADER_MAX (1 << 20) /* bytes of header that are read */

struct message {
	int fd;
	off_t offset;
	off_t length;
	char *data; /* the beginning: all of the header, some body */
	size_t ndata;
	size_t header; /* bytes of it that are header, without empty line */
	size_t body;   /* where the body begins in it */
};

/* Reads the beginning. ERR_OK; ERR_TOO_LONG if the header is longer than
 * MESSAGE_HEADER_MAX; ERR_IO or ERR_EOF if the file cannot be read or is
 * shorter than LENGTH. message_close ends M in any case; the descriptor stays
 * the caller's. */
MUST_CHECK int message_open(struct message *m, int fd, off_t offset,
			    off_t length);
void message_close(struct message *m);

/* Gives the body piece by piece to TAKE, which gives false to stop. ERR_OK,
 * ERR_IO or ERR_EOF. */
MUST_CHECK int message_body(const struct message *m,
			    bool (*take)(void *context, char *data, size_t n),
			    void *context);

#endif
