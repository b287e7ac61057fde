/*
 * Deliveries that leave no trace by which a second one would be recognised:
 * commands, and appending to files. (A mailbox recognises its own.) Each is
 * recorded when it is done, before qmgr is told. If qmgr ends meanwhile, its
 * successor hands out the job again, and what is recorded is not repeated.
 *
 * There is one file, a page, per message and address, in a folder beside the
 * sockets: it outlives our processes, but not the machine. It is removed some
 * time after the final answer, if that qmgr is still running; otherwise at a
 * start, when it is a week old.
 */
#ifndef LOCAL_DELIVER_LEDGER_H
#define LOCAL_DELIVER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "qmgr/result.h"

struct ledger;

/* In the parent: opens the folder below RUN_DIRECTORY, making it if missing,
 * and removes old pages. If that fails, which is logged, nothing is
 * recorded. */
void ledger_prepare(const char *run_directory);

/* The page of the message ID for ADDRESS, locked. *L is NULL if it cannot be
 * opened (the log says why): then nothing is known and nothing recorded.
 * False: another process is delivering that message to that address, or the page
 * cannot be read now; the delivery has to wait. */
bool ledger_open(const char *id, const char *address, struct ledger **l)
	MUST_CHECK;
void ledger_close(struct ledger **l);

/* Was act N, which WHAT describes, done? Then gives its result, strings from
 * A. */
bool ledger_find(const struct ledger *l, struct arena *a, size_t n,
		 const char *what, struct result *r);

/* Records R as the result of act N, WHAT. */
void ledger_note(struct ledger *l, size_t n, const char *what,
		 const struct result *r);

/* The answer about ADDRESS went to qmgr, and it will not be tried again. */
void ledger_answered(const char *id, const char *address);

/* Removes pages whose answers went out long ago, to a qmgr that is still
 * running: it has them in its journal. */
void ledger_tidy(void);

/* qmgr is gone, and may not have taken the answers: keeps their pages. */
void ledger_keep(void);

#endif
