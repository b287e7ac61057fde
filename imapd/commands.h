/*
 * The table of commands after login, and what the handlers share. A handler
 * reads s->c.args and gives one tagged reply.
 */
#ifndef IMAPD_COMMANDS_H
#define IMAPD_COMMANDS_H

#include "imapd/session.h"

enum command_flag {
	COMMAND_SELECTED = 1 << 0,   /* needs a selected folder */
	COMMAND_WRITES = 1 << 1,     /* … that may be changed */
	COMMAND_UID = 1 << 2,	     /* may follow UID */
	COMMAND_ONLY_UID = 1 << 3,   /* … must */
	COMMAND_NO_EXPUNGE = 1 << 4, /* numbers must hold until its end, unless
				      * it is by UID (RFC 3501, 7.4.1) */
	COMMAND_REV1 = 1 << 5,	     /* IMAP4rev2 does not have it */
	COMMAND_VISIT = 1 << 6,	     /* only in a visit */
	COMMAND_NUMBERS = 1 << 7     /* names messages by number, unless it is
				      * by UID */
};

/* Which session runs a command, when other users' folders are there (others.h):
 * the client's own, or the one that serves the folder's owner. */
enum command_place {
	PLACE_HERE,	/* its own, always: a visitor cannot give it */
	PLACE_ALL,	/* its own, and others are told by what it does */
	PLACE_SELECTED, /* that of the selected folder, if one is */
	PLACE_NAMED,	/* that of the folder which the first argument names */
	PLACE_NEW,	/* … would name, if it existed */
	PLACE_RENAMED,	/* … that of both names */
	PLACE_OPENED,	/* … where a folder is then selected */
	PLACE_TARGET	/* that of the selected folder, and of the one that the
			 * second argument names */
};

struct command {
	const char *name;
	void (*act)(struct session *s);
	unsigned flags;
	size_t min; /* arguments */
	size_t max;
	enum command_place place;
	unsigned named;	   /* rights that are needed in the folder named */
	unsigned selected; /* … in the selected one */
};

/* The argument of the current command by which it has its place, or NULL. */
const struct arg *command_name(const struct session *s);

/* Finds and runs the current command. */
void command_run(struct session *s);

/* The untagged LIST of the folder NAME, to clients that know IMAP4rev2. OLDNAME,
 * or NULL, is what the client calls it (RFC 9051 section 6.3.9.7). Gives a
 * code. */
int list_put_folder(struct session *s, const char *name, const char *oldname);

/* The same after something was done with a folder whose name is not the one
 * that the client has sent, OLDNAME; nothing if that is NULL. */
void list_put_oldname(struct session *s, const char *name, const char *oldname);

/* Messages with \Deleted, ascending, in the command's memory. */
size_t expunge_candidates(struct session *s, uint32_t **seq);

void cmd_append(struct session *s);
void cmd_cancelupdate(struct session *s);
void cmd_capability(struct session *s);
void cmd_choose(struct session *s); /* only in a visit */
void cmd_close(struct session *s);
void cmd_compress(struct session *s);
void cmd_copy(struct session *s);
void cmd_create(struct session *s);
void cmd_delete(struct session *s);
void cmd_deleteacl(struct session *s);
void cmd_enable(struct session *s);
void cmd_esearch(struct session *s);
void cmd_examine(struct session *s);
void cmd_expunge(struct session *s);
void cmd_fetch(struct session *s);
void cmd_getacl(struct session *s);
void cmd_getmetadata(struct session *s);
void cmd_getquota(struct session *s);
void cmd_getquotaroot(struct session *s);
void cmd_id(struct session *s);
void cmd_idle(struct session *s);
void idle_go_on(struct session *s); /* once it was parked */
void cmd_list(struct session *s);
void cmd_listrights(struct session *s);
void cmd_logout(struct session *s);
void cmd_lsub(struct session *s);
void cmd_move(struct session *s);
void cmd_myrights(struct session *s);
void cmd_namespace(struct session *s);
void cmd_noop(struct session *s);
void cmd_notify(struct session *s);
void cmd_rename(struct session *s);
void cmd_replace(struct session *s);
void cmd_search(struct session *s);
void cmd_select(struct session *s);
void cmd_setacl(struct session *s);
void cmd_setmetadata(struct session *s);
void cmd_setquota(struct session *s);
void cmd_sort(struct session *s);
void cmd_status(struct session *s);
void cmd_store(struct session *s);
void cmd_subscribe(struct session *s);
void cmd_subscribed(struct session *s);
void cmd_thread(struct session *s);
void cmd_uid_expunge(struct session *s);
void cmd_uidbatches(struct session *s);
void cmd_unselect(struct session *s);
void cmd_unsubscribe(struct session *s);

#endif
