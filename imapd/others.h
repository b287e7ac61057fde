/*
 * Folders of other users, "Other Users/NAME/…" (RFC 2342), in the session of
 * the client. This process is its user, and can reach nothing else. So each of
 * the other users is served by a session of their own, in a process of theirs,
 * which accountd starts on request and to which it says who comes: a visit. That
 * session judges by the access lists (rights.h); it believes nothing that
 * comes over it but accountd's word.
 *
 * A command goes to the session that serves the folder it is about: the table of
 * commands says by which argument that is found. What goes from one user's
 * folder to another's is copied here (others-copy.c).
 */
#ifndef IMAPD_OTHERS_H
#define IMAPD_OTHERS_H

#include "imapd/visit.h"
#include "imapd/session.h"
#include "mailbox/store.h"

/* Runs the current command elsewhere, if it belongs there. False: it is for
 * this session. */
bool others_run(struct session *s);

void others_free(struct session *s);

/* Is a folder of another user selected? */
bool others_selected(const struct session *s);

/* The client has asked for other events with NOTIFY: what it said of the
 * selected folder is for the session that serves it. */
void others_notify(struct session *s);

/* What that session tells unasked goes to the client. */
void others_news(struct session *s);

/* Which descriptor says that there is something, or -1. */
int others_fd(const struct session *s);

/* Is NAME one of another user's folders, or a level above? Else it is ours. */
bool others_name(const struct session *s, const char *name);

/* LIST and LSUB: who may have folders that any of the PATTERN[N] matches. */
struct strlist;
void others_owners(struct session *s, const char *const *pattern, size_t n,
		   struct strlist *owners);

/* Sends the current command to OWNER's session, and passes on what it lists. ALL:
 * our user's folders, of which that session is told the subscribed ones. */
void others_list(struct session *s, const char *owner,
		 const struct store_list *all);

/* The rest is for the files of others.
 *
 * Two visits are enough: that of the selected folder, and one for all else,
 * which is left when another one is wanted. */
#define OTHERS_VISITS 2

struct others {
	struct visit *visit[OTHERS_VISITS]; /* or NULL */
	struct visit *selected;		    /* one of them, or NULL */
	char name[FOLDER_NAME_SIZE];	    /* of the selected folder */
};

/* Sends the text of the current command from FROM on as the client did, up to a
 * message that follows. */
void others_send(struct session *s, struct visit *v, size_t from);

/* The session of OWNER; NULL, and the client is told NO, if there is none. */
struct visit *others_find(struct session *s, const char *owner, const char *no);

/* That of the selected folder, or NULL. */
struct visit *others_of_selected(const struct session *s);

/* Reads up to the reply to our own command. What comes before it is for the
 * client, if the folder is selected there. */
enum visit_reply others_finish(struct session *s, struct visit *v);

/* The line in V that was not asked for goes to the client, if the folder is
 * selected there. */
void others_pass_line(struct session *s, struct visit *v);

/* Tells V what the client has enabled since, and of what it wants to hear.
 * False: it is lost. */
bool others_tell(struct session *s, struct visit *v);

/* V is of no more use: the client is told so. */
void others_lost(struct session *s, struct visit *v);

/* Ends the visit V. */
void others_leave(struct session *s, struct visit *v);

/* COPY, or MOVE, from the selected folder to the folder NAME; FROM and TO are
 * the visits to their owners, or NULL for our user. */
void others_copy(struct session *s, struct visit *from, struct visit *to,
		 const char *name, bool move);

/* REPLACE, likewise. */
void others_replace(struct session *s, struct visit *from, struct visit *to,
		    const char *name);

/* The messages that follow a command of TAG, which the other side accepts one by
 * one unless the client does not wait. VISIT_LINE: all are sent; else the reply,
 * which is passed on if TAGGED. */
enum visit_reply others_send_messages(struct session *s, struct visit *v,
				      const char *tag, bool tagged);

#endif
