/*
 * The clients: single IPv4 addresses, and IPv6 /64 networks, which are what
 * one customer gets. Counts the connections of each, and records which are
 * known, that is, have brought mail that was accepted.
 *
 * Also counts the processes that each client and its network hold: the /24 of
 * IPv4, the /48 of IPv6. No client may hold more processes than are free, and
 * no network more than twice as many: so a few that hold all they may still
 * leave some for others.
 */
#ifndef SMTPD_GATE_COUNT_H
#define SMTPD_GATE_COUNT_H

#include <stdbool.h>
#include <sys/socket.h>

struct gate_client;

/* Counts one more connection of the client at SS; gives its entry. */
struct gate_client *gate_count_add(const struct sockaddr_storage *ss);

/* One connection less; the entry is gone with the last one. */
void gate_count_remove(struct gate_client *c);

/* Its connections now. */
unsigned gate_count(const struct gate_client *c);

/* One process more, or less, has a connection of C. */
void gate_count_process(struct gate_client *c, bool more);

/* The processes that C holds, and those of its network, including C's. */
unsigned gate_count_processes(const struct gate_client *c);
unsigned gate_count_network(const struct gate_client *c);

/* May C have one more, where N are free? */
bool gate_count_may(const struct gate_client *c, unsigned n);

/* C is known from now on, until many later ones have replaced it. */
void gate_know(const struct gate_client *c);
bool gate_is_known(const struct gate_client *c);

#endif
