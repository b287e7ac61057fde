/*
 * Shared by the files that handle a pass over a message: active.c (its start,
 * results) and pass.c (its end, the administrator's requests).
 */
#ifndef QUEUE_MANAGER_ACTIVE_LISTS_H
#define QUEUE_MANAGER_ACTIVE_LISTS_H

#include "base/err.h"
#include "queue-manager/active.h"

/* Adds a record of these words to the journal of A, and applies it. */
#define NOTE(a, ...)                                                 \
	active_record((a), (const char *const[]){ __VA_ARGS__ },     \
		      sizeof((const char *const[]){ __VA_ARGS__ }) / \
			      sizeof(const char *))
void active_record(struct active *a, const char *const *word, size_t n);

/* Puts A into one of the lists of qmgr.h, unless it is there. */
#define ENLIST(q, a, list, flag)                                \
	do {                                                    \
		if (!((a)->lists & (flag))) {                   \
			TAILQ_INSERT_TAIL(&(q)->list, a, list); \
			(a)->lists |= (flag);                   \
		}                                               \
	} while (0)

#define DELIST(q, a, list, flag)                           \
	do {                                               \
		if ((a)->lists & (flag)) {                 \
			TAILQ_REMOVE(&(q)->list, a, list); \
			(a)->lists &= ~(unsigned)(flag);   \
		}                                          \
	} while (0)

/* Frees A; its slot stays. */
void active_end(struct qmgr *q, struct active *a);

/* Marks A as having records to write. */
void active_dirty(struct qmgr *q, struct active *a);

/* Writes the records of A. False: they cannot be written now. They stay in
 * memory, and A stays active: nothing is forgotten, and no pass begins, before
 * they are on disk. active_tick tries again. */
bool active_write(struct qmgr *q, struct active *a) MUST_CHECK;

/* Is nothing of A in progress? */
bool active_is_over(const struct active *a);

/* Marks A for the end of its pass, if that is so now. */
void active_check(struct qmgr *q, struct active *a);

/* Adds the record of a result, and counts it. */
void active_note(struct qmgr *q, struct active *a, const struct result *r);

/* Takes the waiting recipients of A out of the queues of destinations. */
void active_cancel(struct qmgr *q, struct active *a);

#endif
