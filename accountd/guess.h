/*
 * Slowing down password guessing. Failures are counted for the client's network
 * (IPv4 /24, IPv6 /56), for the login name, and for the two together; a count
 * drops by one a minute. The attempts from one network, or for one name, are
 * checked one after the other, with pauses that double with each failure after
 * the second, up to 15 seconds, so many connections at once do not help. An
 * attempt that would have to wait longer than half a minute is put off.
 *
 * A name that logged in from a network within a day pays only for its own
 * failures from there: strangers cannot lock a user out. Repeating the same
 * wrong password is not another guess.
 *
 * The table has a fixed size. A full one forgets what matters least.
 */
#ifndef ACCOUNTD_GUESS_H
#define ACCOUNTD_GUESS_H

#include <stdbool.h>
#include <stdint.h>

#define GUESS_REFUSED (-1)

/* An attempt to log in as USER from the IP address CLIENT at NOW_MS: how many
 * milliseconds it has to wait before its password may be checked, or
 * GUESS_REFUSED. */
int64_t guess_wait(const char *client, const char *user, int64_t now_ms);

/* The result of the attempt. */
void guess_failed(const char *client, const char *user, const char *password,
		  int64_t now_ms);
void guess_succeeded(const char *client, const char *user, int64_t now_ms);

#endif
