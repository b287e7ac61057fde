/*
 * Who the clients are: IPv4 addresses one by one, IPv6 by networks of 64
 * bits, which are what one customer gets. How many connections each has, and
 * which of them are known, that is, have brought mail that was taken.
 *
 * How many processes each holds, and its network: the /24 of IPv4, the /48 of
 * IPv6. No client may hold more of them than are free, and no network more
 * than twice as many: a few that hold all they may leave the others a part.
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

/* One process more, or less, has a connection of C. */
void gate_count_process(struct gate_client *c, bool more);

/* The processes that C holds, and those of its network, itself included. */
unsigned gate_count_processes(const struct gate_client *c);
unsigned gate_count_network(const struct gate_client *c);

/* May C have one more, where N are free? */
bool gate_count_may(const struct gate_client *c, unsigned n);

/* C is known from now on, until many others are that came later. */
void gate_know(const struct gate_client *c);
bool gate_is_known(const struct gate_client *c);

#endif
