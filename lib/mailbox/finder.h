/* Where the file of a message is now, if another program or session has renamed
 * it: the base of its name stays. Without a lock, so a listing may miss what is
 * renamed at that moment: ask again. */
#ifndef MAILBOX_FINDER_H
#define MAILBOX_FINDER_H

#include <stdbool.h>
#include <stddef.h>

#include "messages/messages.h"

#define FINDER_TRIES 4 /* listings for one file that is renamed all the time */

struct finder {
	struct messages *ms;
	struct listing l;
	struct message_ref *ref; /* of its files, by base */
	size_t n;
};

/* Begins one for the folder MS, which costs nothing; and frees it. */
void finder_begin(struct finder *f, struct messages *ms);
void finder_end(struct finder *f);

/* Finds the file with the base of WHAT; with ANEW never from a former listing.
 * *NOW lives until the next call. */
bool finder_find(struct finder *f, bool anew, const struct message_ref *what,
		 struct message_ref *now);

/* The order of names by base, for qsort and bsearch. */
int finder_by_base(const void *a, const void *b);

#endif
