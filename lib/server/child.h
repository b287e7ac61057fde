/* Children that end, or are ended. */
#ifndef SERVER_CHILD_H
#define SERVER_CHILD_H

#include <sys/types.h>

/* Kills PID, a child of ours, and does not wait long for it: it is reaped now
 * or, if the kernel keeps it, later, by the next call or child_reap. */
void child_end(pid_t pid);

/* Reaps those of them that are gone by now. */
void child_reap(void);

/* Logs that PID, which was not to end, ended with STATUS, as of waitpid(2). */
void child_report(pid_t pid, int status);

#endif
