/*
 * One job of qmgr: finds the hosts, tries them in order until every
 * recipient is decided, keeps the session for the next job.
 */
#ifndef REMOTE_SEND_DELIVER_H
#define REMOTE_SEND_DELIVER_H

#include "qmgr/job.h"
#include "remote-send/session.h"
#include "remote-send/transaction.h"

/* Delivers J: afterwards D->outcome[i] is decided for each recipient i. Gives
 * what qmgr's scheduler wants to know. S is the session of the job before,
 * if there is one, and of the next one. */
enum job_destination deliver(struct session *s, struct delivery *d);

/* Should S go on for a further job? */
bool deliver_may_keep(const struct session *s);

#endif
