/*
 * Opens the selected folder anew while the client has it selected: its journal
 * was replaced by one that does not match the open table, and s->lost is set.
 * As long as UIDVALIDITY stays the same, the client can be told of all changes
 * with the usual responses: EXPUNGE, EXISTS, FETCH of flags.
 */
#ifndef IMAPD_REOPEN_H
#define IMAPD_REOPEN_H

#include "imapd/session.h"

/* Opens it, sends EXPUNGE for what is gone and FETCH for flags that changed;
 * EXISTS is left to the caller. True: s->box is the folder again. False: not
 * now, as the folder cannot be opened, or messages are gone and the client
 * may not be told (MAY_EXPUNGE); or never, since it was deleted or
 * renumbered: then the session ends with a BYE after the current command. */
bool reopen(struct session *s, bool may_expunge);

/* Ends the session with a BYE that says: the mailbox was WHY ("deleted"). The
 * string is not copied. Always false. */
bool reopen_end(struct session *s, const char *why);

#endif
