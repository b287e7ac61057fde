/*
 * Connections of the programs that ask. A peer may send several questions
 * before it has the answers, at most PEER_QUESTIONS_MAX; answers are sent as
 * soon as they are known. A peer that does not take its answers is
 * disconnected.
 */
#ifndef RESOLVER_PEER_H
#define RESOLVER_PEER_H

#include <stdbool.h>

#include "resolver/question.h"

#define PEERS_MAX 2048
#define PEER_QUESTIONS_MAX 32

struct peers;

/* Serves the connection FD, which it owns from now on. A surplus one is
 * closed. */
struct peers *peers_new(struct asker *asker);
void peers_add(struct peers *p, int fd);

/* Takes no more questions; closes each connection once it has its answers.
 * True when none is left. */
bool peers_end(struct peers *p);

#endif
