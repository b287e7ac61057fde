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
	size_t acts_done;
	size_t nfiles;	   /* :include: files that were read */
	bool self;	   /* the address also stands for itself … */
	bool self_mailbox; /* … and means only its mailbox */
	bool unsure;	   /* a table may have the name, but not legibly */
	const char *owner; /* new sender for the addresses, or NULL */
	const char *by;	   /* the first source's name */
};

/* Adds the targets in TEXT to R's plan. False: R is settled (a target cannot
 * be used, a file cannot be read). EXTENSION (N bytes) is added to the local
 * part of every address if N > 0. */
bool plan_add_text(struct recipient *r, const struct plan_source *from,
		   const char *text, const char *extension, size_t n);

/* The same for targets that are already parsed. */
bool plan_add(struct recipient *r, const struct plan_source *from,
	      const struct alias_target *target, size_t n);

/* Adds the targets in the file PATH of an :include:. False: R is settled. */
bool plan_include(struct recipient *r, const struct plan_source *from,
		  const char *path);

/* The user for commands and files of the alias file that UID owns: that user,
 * or default_privs for root and for uids without a user. */
struct identity plan_owner(const struct recipient *r, uid_t uid);

/* Does the acts of R's plan that were not done before; each settles R. False
 * if one failed, or if the plan is for nobody: R is settled by that. */
bool plan_act(struct recipient *r);

/* Combines the results of the acts and the addresses into R's final result. If
 * something fails temporarily, the addresses are not given out, so that all is
 * tried again. */
void plan_finish(struct recipient *r);

#endif
