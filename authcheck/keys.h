/*
 * The private keys with which mail is signed: dkim-keys(5), lines of domain,
 * selector and the file of the key in PEM. Read while we are root; the keys
 * stay in memory.
 */
#ifndef AUTHCHECK_KEYS_H
#define AUTHCHECK_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define KEYS_PER_DOMAIN 8

struct dkim_key {
	char *domain; /* ASCII, lower case */
	char *selector;
	char *pem;
	bool ed25519; /* else RSA */
	struct dkim_key *next;
};

/* Reads PATH; relative file names in it are relative to its folder. No file:
 * no keys. Each fault adds a line to FAULTS; the keys without faults are still
 * given. */
struct dkim_key *keys_load(const char *path, struct buf *faults);
void keys_free(struct dkim_key **keys);

/* The keys of DOMAIN (case folded) in KEY, at most KEYS_PER_DOMAIN; gives how
 * many. */
size_t keys_of(const struct dkim_key *keys, const char *domain,
	       const struct dkim_key **key);

#endif
