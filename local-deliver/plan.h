/*
 * What an address stands for: other addresses, which go back to the queue,
 * and acts on this machine, which are done at once.
 */
#ifndef LOCAL_DELIVER_PLAN_H
#define LOCAL_DELIVER_PLAN_H

#include "local-deliver/local.h"
#include "table/aliases.h"

#define PLAN_ADDRESSES_MAX 100000
#define PLAN_INCLUDES_MAX 5 /* :include: files within each other … */
#define PLAN_FILES_MAX 100  /* … and all that one recipient leads to */
#define PLAN_ACTS_MAX 100   /* commands, files, mailboxes of one recipient */

/* Where targets come from, which decides what they may do. */
struct plan_source {
	const char *name;	    /* "alias list", for people */
	const struct identity *who; /* as whom commands and files are done */
	bool virtual_alias;	    /* addresses only */
	bool by_root;		    /* only root could write what led here */
	int includes;		    /* how deep in :include: files */
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
	size_t acts_done;
	size_t nfiles;	   /* :include: files that were read */
	bool self;	   /* the address stands for itself, too … */
	bool self_mailbox; /* … and means its mailbox, nothing further */
	const char *owner; /* new sender for the addresses, or NULL */
	const char *by;	   /* the first source's name */
};

/* Adds the targets in TEXT to R's plan. False: R is settled (a target cannot
 * be used, a file cannot be read). EXTENSION (N bytes) is put to the local
 * part of every address if N > 0. */
bool plan_add_text(struct recipient *r, const struct plan_source *from,
		   const char *text, const char *extension, size_t n);

/* The same for targets already taken apart. */
bool plan_add(struct recipient *r, const struct plan_source *from,
	      const struct alias_target *target, size_t n);

/* Adds what the file PATH of an :include: holds. False: R is settled. */
bool plan_include(struct recipient *r, const struct plan_source *from,
		  const char *path);

/* Who vouches for the alias file that UID owns: that user, or default_privs
 * for root and for users that are none. */
struct identity plan_owner(const struct recipient *r, uid_t uid);

/* Does the acts of R's plan that were not done before; each settles R. False
 * if one failed, or if the plan is for nobody: R is settled by that. */
bool plan_act(struct recipient *r);

/* Brings together how the acts fared and the addresses: R gets its final
 * result. When something fails for a time, the addresses are not given out,
 * so that all is tried again. */
void plan_finish(struct recipient *r);

#endif
