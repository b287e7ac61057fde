/*
 * What an address stands for: other addresses, which go back to the queue,
 * and acts on this machine, which are done at once.
 */
#ifndef LOCAL_DELIVER_PLAN_H
#define LOCAL_DELIVER_PLAN_H

#include "local-deliver/local.h"
#include "table/aliases.h"

#define PLAN_ADDRESSES_MAX 100000
#define PLAN_INCLUDES_MAX 5 /* nesting of :include: files … */
#define PLAN_FILES_MAX 100  /* … and all that one recipient leads to */
#define PLAN_ACTS_MAX 100   /* commands, files, mailboxes of one recipient */
#define PLAN_TOLD_MAX 20    /* parts that the log tells of at a try */

/* The source of targets, which decides what they may do. */
struct plan_source {
	const char *name;	    /* "alias list", for people */
	const struct identity *who; /* the user for commands and files */
	bool virtual_alias;	    /* addresses only */
	bool by_root;		    /* only root could write what led here */
	int includes;		    /* how deep in :include: files */
	const char *file;	    /* the last of these, or NULL */
};

struct plan_act {
	enum alias_kind kind; /* ALIAS_SELF, ALIAS_FILE, ALIAS_COMMAND */
	const char *text;
	struct identity who;
};

struct plan {
	const char **address;
	size_t naddresses, cap_addresses;
	struct plan_act *act;
	size_t nacts, cap_acts;
	size_t nfiles;	   /* :include: files that were read */
	struct result part; /* of the parts so far: the one that counts most;
			     * no dsn: there was none */
	const char *detail; /* of it, as R's */
	unsigned told;	   /* how many others the log told of */
	bool copied;	   /* one of them was delivered */
	bool self;	   /* the address also stands for itself … */
	bool self_mailbox; /* … and means only its mailbox */
	bool unsure;	   /* a table may have the name, but not legibly */
	const char *owner; /* new sender for the addresses, or NULL */
	const char *by;	   /* the first source's name */
};

/* R's result becomes that of a part of it, and R has none any more. What waits
 * counts more than what failed, and that more than what was delivered; the log
 * tells of what does not count. */
void plan_part(struct recipient *r);

/* The source NAME has too many WHAT. R fails, and its plan is empty: half of what
 * is no end cannot be meant. False. */
bool plan_refuse(struct recipient *r, const char *name, const char *what);

/* Adds the targets in TEXT to R's plan. One that cannot be used, or a file that
 * cannot be read, is a part that waits or fails. False: R is settled, and its
 * plan empty (plan_refuse). EXTENSION (N bytes) is added to the local
 * part of every address if N > 0. */
bool plan_add_text(struct recipient *r, const struct plan_source *from,
		   const char *text, const char *extension, size_t n);

/* The same for targets that are already parsed. */
bool plan_add(struct recipient *r, const struct plan_source *from,
	      const struct alias_target *target, size_t n);

/* Adds the targets in the file PATH of an :include:, as plan_add_text. */
bool plan_include(struct recipient *r, const struct plan_source *from,
		  const char *path);

/* The user for commands and files of the alias file that UID owns: that user,
 * or default_privs for root and for uids without a user. */
struct identity plan_owner(const struct recipient *r, uid_t uid);

/* Does the acts of R's plan that were not done before, each by itself: none
 * prevents another. */
void plan_act(struct recipient *r);

/* Combines the parts and the addresses into R's final result. The addresses are
 * given out even if another part waits. */
void plan_finish(struct recipient *r);

#endif
