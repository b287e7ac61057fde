/*
 * The selected folder, opened anew under a client that has it selected: its
 * journal was replaced by one that the open table does not fit, and s->lost
 * is set. As long as UIDVALIDITY stays, the client can be told of all that
 * changed by what it knows anyhow: EXPUNGE, EXISTS, FETCH of flags.
 */
#ifndef IMAPD_REOPEN_H
#define IMAPD_REOPEN_H

#include "imapd/session.h"

/* Opens it, says EXPUNGE for what is gone and FETCH for flags that changed;
 * EXISTS is left to the caller. True: s->box is the folder again. False: not
 * now, as the folder cannot be opened, or messages are gone and the client
 * may not be told (MAY_EXPUNGE); or never, since it was deleted or
 * renumbered: then the session ends with a BYE after the command at hand. */
bool reopen(struct session *s, bool may_expunge);

/* Ends the session with a BYE that says: the mailbox was WHY ("deleted"). The
 * string is not copied. Always false. */
bool reopen_end(struct session *s, const char *why);

#endif
