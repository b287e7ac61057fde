/*
 * Where the messages of one folder are kept: what an index of them needs from
 * the store behind it, as a table of functions. lib/maildir is one such store.
 *
 * A message is bytes that never change, under a base name that is never used
 * for another one, with flags beside it if the store can keep some. Two
 * places, `new` and `cur`, tell new messages from seen ones; a store without
 * this distinction uses one. All calls give a code of base/err.h and save the
 * cause.
 *
 * A store that cannot list always gives the same stamps, and is then never
 * asked for a list: only we change it. In one that cannot rename, `rename`
 * does nothing, and it gives no letters.
 */
#ifndef MESSAGES_MESSAGES_H
#define MESSAGES_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/folder-id.h"
#include "messages/listing.h"

enum { DIR_NEW, DIR_CUR, DIRS };
#define BOTH_DIRS (1u << DIR_NEW | 1u << DIR_CUR)

/* Which message; no call keeps a pointer to anything in it. */
struct message_ref {
	const char *base;
	size_t nbase;
	unsigned dir;	  /* DIR_NEW or DIR_CUR */
	uint32_t letters; /* flags in its name */
	const char *raw;  /* as it was listed, or NULL: as we spell it */
};

/* A message that is being written: no name yet. */
struct message_new {
	int fd; /* for reading and writing; -1: none */
	unsigned dir;
	char name[48]; /* the store's own */
};

/* What is known about one without reading it. */
struct message_state {
	bool is_file; /* if not, it is not a message */
	uint64_t size;
	int64_t written; /* seconds since 1970 */
	int64_t changed; /* it or any of its names, microseconds */
	int64_t born;	 /* when it was made, microseconds; 0: not known */
	bool shared;	 /* it has other names, in other folders too */
	bool foreign;	 /* it is not ours, and we may not `link` it */
};

struct messages;

struct messages_ops {
	/* Which folder this is: the store makes ids as it likes. */
	struct folder_id (*id)(struct messages *ms);
	/* What another process needs to watch it (messages/lookout.h); it is
	 * valid as long as MS is open. */
	struct folder_token (*token)(struct messages *ms);
	/* A number for each place whose bit is in DIRS, which differs after
	 * any change there. */
	int (*stamps)(struct messages *ms, unsigned dirs, int64_t when[DIRS]);
	/* Does a change after `stamps` were read always give another number,
	 * however soon it comes? */
	bool (*exact)(struct messages *ms);
	/* The names in these places into L, which is empty. */
	int (*list)(struct messages *ms, unsigned dirs, struct listing *l);
	int (*state)(struct messages *ms, const struct message_ref *r,
		     struct message_state *st);
	/* For reading, from the beginning. ERR_NOT_FOUND. */
	int (*open)(struct messages *ms, const struct message_ref *r, int *fd);
	/* Begins a message for place DIR, gives it the name of R, or drops what
	 * has none. */
	int (*create)(struct messages *ms, unsigned dir, struct message_new *n);
	int (*name)(struct messages *ms, struct message_new *n,
		    const struct message_ref *r);
	void (*discard)(struct messages *ms, struct message_new *n);
	/* The message FROM, in OTHER, a folder of the same store, is also here
	 * as TO. */
	int (*link)(struct messages *ms, const struct message_ref *to,
		    struct messages *other, const struct message_ref *from);
	/* ERR_EXISTS: another message has that name; it stays. */
	int (*rename)(struct messages *ms, const struct message_ref *from,
		      const struct message_ref *to);
	/* ERR_NOT_FOUND: it is not there under this name. */
	int (*remove)(struct messages *ms, const struct message_ref *r);
	/* Hides it from everybody, but keeps it, and everything hidden
	 * before. */
	int (*put_aside)(struct messages *ms, const struct message_ref *r);
	/* Makes the names in these places durable. */
	int (*sync)(struct messages *ms, unsigned dirs);
	void (*close)(struct messages *ms);
};

/* The first member of a store's own struct. */
struct messages {
	const struct messages_ops *ops;
};

/* Opens the store of the folder whose directory is DIR, which must stay open.
 * MAKE: what it needs there is made if missing, unless this is not a folder at
 * all: ERR_NOT_FOUND. Without MAKE that may only be noticed later. */
typedef int messages_opener(int dir, bool make, struct messages **ms);

/* A new message's base name: SECONDS.MmicrosecondsVuidvalidity.posthorn,S=size,
 * W=wire,U=uid. All stores use it: it is in the journal. */
#define MESSAGE_BASE_MAX 200
void message_base(char out[MESSAGE_BASE_MAX + 1], uint32_t validity,
		  uint32_t uid, uint32_t size, uint32_t wire);

/* The calls, by name. */
struct folder_id messages_id(struct messages *ms);
struct folder_token messages_token(struct messages *ms);
int messages_stamps(struct messages *ms, unsigned dirs,
		    int64_t when[DIRS]) MUST_CHECK;
bool messages_exact(struct messages *ms);
int messages_list(struct messages *ms, unsigned dirs,
		  struct listing *l) MUST_CHECK;
int messages_state(struct messages *ms, const struct message_ref *r,
		   struct message_state *st) MUST_CHECK;
int messages_open(struct messages *ms, const struct message_ref *r,
		  int *fd) MUST_CHECK;
int messages_create(struct messages *ms, unsigned dir,
		    struct message_new *n) MUST_CHECK;
int messages_name(struct messages *ms, struct message_new *n,
		  const struct message_ref *r) MUST_CHECK;
void messages_discard(struct messages *ms, struct message_new *n);
int messages_link(struct messages *ms, const struct message_ref *to,
		  struct messages *other,
		  const struct message_ref *from) MUST_CHECK;
int messages_rename(struct messages *ms, const struct message_ref *from,
		    const struct message_ref *to) MUST_CHECK;
int messages_remove(struct messages *ms,
		    const struct message_ref *r) MUST_CHECK;
int messages_put_aside(struct messages *ms,
		       const struct message_ref *r) MUST_CHECK;
int messages_sync(struct messages *ms, unsigned dirs) MUST_CHECK;
void messages_close(struct messages **ms); /* *MS may be NULL */

#endif
