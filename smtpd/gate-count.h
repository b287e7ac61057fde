/*
 * Who the clients are: IPv4 addresses one by one, IPv6 by networks of 64
 * bits, which are what one customer gets. How many connections each has, and
 * which of them are known, that is, have brought mail that was taken.
 */
#ifndef SMTPD_GATE_COUNT_H
#define SMTPD_GATE_COUNT_H

#include <stdbool.h>
#include <sys/socket.h>

struct gate_client;

/* Counts one more connection of the client at SS, whose entry is given. */
struct gate_client *gate_count_add(const struct sockaddr_storage *ss);

/* One connection less; the entry is gone with the last one. */
void gate_count_remove(struct gate_client *c);

/* Its connections now, and its name for the log. */
unsigned gate_count(const struct gate_client *c);
const char *gate_count_name(const struct gate_client *c);

/* C is known from now on, until many others are that came later. */
void gate_know(const struct gate_client *c);
bool gate_is_known(const struct gate_client *c);

#endif
