/*
 * Correct passwords, so that a client that logs in again costs no second
 * crypt(3). What is kept is an HMAC, with a key of this process, of all that
 * the answer depends on: login name, stored hash and password; the password
 * itself is not kept. So a changed hash never matches.
 */
#ifndef ACCOUNTD_MEMO_H
#define ACCOUNTD_MEMO_H

#include <stdbool.h>
#include <stdint.h>

/* Draws the key. Ends the process if there is no randomness. */
void memo_begin(void);

/* Was PASSWORD right for USER with HASH within the last hour? */
bool memo_has(const char *user, const char *hash, const char *password,
	      int64_t now_ms);

/* It was right just now. */
void memo_add(const char *user, const char *hash, const char *password,
	      int64_t now_ms);

#endif
