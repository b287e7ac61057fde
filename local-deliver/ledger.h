/*
 * What was done with a message that leaves no trace by which a second delivery
 * would know it: commands, and appending to files. (A mailbox knows.) Each is
 * noted when it is done, before qmgr hears of it. If qmgr ends meanwhile, its
 * successor hands out the job once more, and what is noted is not done again.
 *
 * One file of a message and an address in a folder of ours, beside the sockets:
 * it outlives our processes, not the machine. It goes some time after a final
 * answer went to a qmgr that is still there; else at a start, when it is a week
 * old.
 */
#ifndef LOCAL_DELIVER_LEDGER_H
#define LOCAL_DELIVER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "qmgr/result.h"

struct ledger;

/* In the parent: opens the folder below RUN_DIRECTORY, made if need be, and
 * removes what is old in it. Without it, which is logged, nothing is noted. */
void ledger_prepare(const char *run_directory);

/* The page of the message ID for ADDRESS, locked. *L is NULL if there is none
 * to be had (the log says why): then nothing is known and nothing noted.
 * False: another process is just at that message for that address. */
bool ledger_open(const char *id, const char *address, struct ledger **l);
void ledger_close(struct ledger **l);

/* Was act N, which WHAT describes, done? Its result then, strings from A. */
bool ledger_find(const struct ledger *l, struct arena *a, size_t n,
		 const char *what, struct result *r);

/* Act N, WHAT, has come to R. */
void ledger_note(struct ledger *l, size_t n, const char *what,
		 const struct result *r);

/* The answer about ADDRESS went to qmgr, and it will not be tried again. */
void ledger_answered(const char *id, const char *address);

/* Removes the pages whose answers went out long ago, to a qmgr that is still
 * there: it has them in its journal. */
void ledger_tidy(void);

/* qmgr is gone: who knows what it took in. */
void ledger_keep(void);

#endif
