/*
 * Every slot that qmgr knows, by its number. What is kept for a waiting
 * message is one struct slot and its places in this table and in the wait
 * heap: about 80 bytes. The rest is read from the file when its time comes.
 */
#ifndef QUEUE_MANAGER_STORE_H
#define QUEUE_MANAGER_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct active;
struct destination;
struct receiver;

enum slot_state {
	SLOT_MAKING,	/* keeper is making the file */
	SLOT_SPARE,	/* made, never lent */
	SLOT_LENT,	/* a receiver has it; no message in it yet */
	SLOT_ACTIVE,	/* a message that is being delivered */
	SLOT_WAITING,	/* a message that waits for its next try */
	SLOT_HELD,	/* a message that waits to be released */
	/* no longer slots, until keeper has answered: errand.h */
	SLOT_REMOVE,	/* the file is to be removed */
	SLOT_ASIDE,	/* to be put into corrupt/ */
	SLOT_LOOK,	/* to be looked at */
	SLOT_LOOKED_AT	/* being looked at: findings are now current */
};

/* What the administrator asked for while the message was being delivered. */
enum {
	ASKED_HOLD = 1,
	ASKED_REQUEUE = 2,
	ASKED_BOUNCE = 4,
	ASKED_DELETE = 8,
	ASKED_FLUSH = 16	/* try, even if the destination is down */
};

/* Open descriptors; only if they are needed soon. */
struct slot_files {
	int rw, ro;
	struct receiver *owner;		/* who may get the slot again */
	struct slot *next_owned;
};

/* In SLOT_WAITING: it could not be read yet whether there is a message in it. */
#define GENERATION_UNREAD 0

struct slot {
	struct active *active;		/* SLOT_ACTIVE only */
	struct slot_files *files;	/* or NULL */
	struct destination *only;	/* where all of it goes, or NULL */
	uint32_t number;
	uint32_t generation;		/* of the message in it, or to come */
	uint32_t arrival;		/* wall clock, seconds: clocks.h */
	uint32_t next;			/* tick of the next try */
	uint32_t heap;			/* place in the wait heap */
	uint16_t attempts;
	uint8_t state;
	uint8_t asked;
};

#define STORE_PAGE 1024

struct store {
	struct store_page {
		struct slot *slot[STORE_PAGE];
		unsigned used;
	} **page;
	size_t npages;
	size_t count;			/* of slots */
	size_t by_state[SLOT_LOOKED_AT + 1];
};

/* The slot NUMBER, or NULL: qmgr does not know it. The store owns it. */
struct slot *store_get(const struct store *s, uint32_t number);

/* A new slot, or NULL if the number is taken. */
struct slot *store_add(struct store *s, uint32_t number,
		       enum slot_state state);

/* Forgets and frees SLOT; its files must be closed. */
void store_remove(struct store *s, struct slot *slot);

/* The only way to change a slot's state: keeps the counts right. */
void store_set_state(struct store *s, struct slot *slot,
		     enum slot_state state);

/* The first slot whose number is at least NUMBER, or NULL. */
struct slot *store_next(const struct store *s, uint32_t number);

/* Descriptors of SLOT, opened if they are not: for writing, for reading
 * only. -1 with errno. Paths are relative to the queue directory. */
int slot_rw(struct slot *slot) MUST_CHECK;
int slot_ro(struct slot *slot) MUST_CHECK;
void slot_close(struct slot *slot);

#endif
