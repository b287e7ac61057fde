/* Delivery to a file: /path (mbox) or /path/ (Maildir) in an alias. */
#ifndef LOCAL_DELIVER_FILE_H
#define LOCAL_DELIVER_FILE_H

#include "local-deliver/local.h"

/* Appends R's message to PATH as WHO, and settles R. */
void file_deliver(struct recipient *r, const struct identity *who,
		  const char *path);

#endif
