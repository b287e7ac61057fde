/*
 * The workers of tlsproxy: one process per processor, each with an event loop.
 * The parent replaces those that end, and those that do not answer.
 */
#ifndef TLSPROXY_WORKERS_H
#define TLSPROXY_WORKERS_H

#include <stdint.h>

#include "service/service.h"

/* Blocks the signals that workers_supervise takes, and gives as many workers
 * as there are processors to S. WORK is a worker's life, which ends with
 * exit(3); S->link is the worker's own then. */
void workers_begin(struct service *s, void (*work)(void));

/* Keeps the workers alive until SIGTERM, SIGINT (they finish what they have)
 * or SIGQUIT (they are killed), and all are gone. Gives the exit status. With
 * WHY, a text for people about what is missing, it ends by itself after a
 * while, so that master starts another instance, which may have it. */
int workers_supervise(const char *why);

#endif
