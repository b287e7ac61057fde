/* Delivery to a command: "|command" in an alias or a .forward. */
#ifndef LOCAL_DELIVER_COMMAND_H
#define LOCAL_DELIVER_COMMAND_H

#include "local-deliver/local.h"

/* Gives R's message to COMMAND, run as WHO by /bin/sh, and settles R by its
 * exit status (sysexits). The command line is exactly that of the alias; data
 * from the message reaches the command only in its environment, where only
 * harmless characters are kept. */
void command_deliver(struct recipient *r, const struct identity *who,
		     const char *command);

/* The environment for it, as in Postfix, NULL at its end; all memory from
 * the message's arena. */
char **command_environment(const struct recipient *r,
			   const struct identity *who);

#endif
