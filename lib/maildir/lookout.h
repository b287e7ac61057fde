/* Maildirs seen from outside (messages/lookout.h), by inotify. */
#ifndef MAILDIR_LOOKOUT_H
#define MAILDIR_LOOKOUT_H

#include "messages/lookout.h"

/* Never NULL; it lives as long as the process. */
struct lookout *maildir_lookout(lookout_seen *seen, void *context);

#endif
