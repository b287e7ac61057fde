/*
 * The workers of tlsproxy: one process a processor, each with an event loop.
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
 * WHY it is not for long: so that master starts another, which may have what
 * this one has not; WHY is for people. */
int workers_supervise(const char *why);

#endif
