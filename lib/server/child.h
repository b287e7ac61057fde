/* Children that end, or are killed. */
#ifndef SERVER_CHILD_H
#define SERVER_CHILD_H

#include <sys/types.h>

/* Kills PID, a child of ours, without waiting long: it is reaped now or, if
 * the kernel keeps it, later by the next call or child_reap. */
void child_end(pid_t pid);

/* Reaps the killed children that are gone by now. */
void child_reap(void);

/* Logs that PID ended unexpectedly with STATUS, as from waitpid(2). */
void child_report(pid_t pid, int status);

#endif
