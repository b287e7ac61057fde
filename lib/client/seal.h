/*
 * Seals: what accountd has decided, in the hands of programs that may not
 * change it. A seal is an HMAC-SHA256 by a key over data and over the purpose
 * that the data is for, so that what is sealed for one is of no use for
 * another. Only accountd has the first key (accountd/badge.h); a key that was
 * made from it, by sealing, can be given to a program for one thing.
 *
 * A seal says nothing about time: what it must not outlive goes into the data,
 * such as the connection (seal_cookie) that it is for.
 */
#ifndef CLIENT_SEAL_H
#define CLIENT_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ipc/ipc.h"

#define SEAL_SIZE 32

/* Purposes. */
#define SEAL_SESSION "imap-session" /* facts and connection: gives a key … */
#define SEAL_STATE "imap-state"	    /* … for the state of that session */
#define SEAL_PASSWORD "password"    /* hash: tells whether it was changed */

struct seal {
	unsigned char byte[SEAL_SIZE];
};

/* Seals DATA, N for PURPOSE with KEY. False, and a line in the log, if the
 * library fails: then *OUT is zero, and no seal. */
MUST_CHECK bool seal_make(const struct seal *key, const char *purpose,
			  const void *data, size_t n, struct seal *out);

/* Is S the seal of DATA, N for PURPOSE by KEY? Takes the same time for each
 * that is wrong. */
bool seal_is_of(const struct seal *s, const struct seal *key,
		const char *purpose, const void *data, size_t n);

/* The number that the kernel gives to the connection of FD, whichever process
 * holds it; no other has it as long as the machine runs. False: it has none. */
bool seal_cookie(int fd, uint64_t *cookie);

/* As the attribute NAME of a packet. False: it is missing or malformed. */
void seal_put(struct ipc_out *m, const char *name, const struct seal *s);
bool seal_get(const struct ipc_in *m, const char *name, struct seal *s);

/* For processes that cannot open files later. */
void seal_preload(void);

#endif
