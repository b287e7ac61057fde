/* Making the process of a service, with what it gets from us. */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* What a service is started with; texts as in master(8). */
struct spawn {
	const char *name; /* argv[0] */
	const char *config_path;
	char *program;
	char *listen; /* "name:fd name:fd " */
	char *user;
	char *peers;
	char *root;
	bool in_place; /* it reloads by SIGHUP */
};

/* Our ends of what connects us with a process. */
struct spawn_links {
	int ready; /* it writes here when it serves, or why it does not */
	int log;   /* it gets the log file here; -1 unless it is in place */
};

/* Starts S as a process group of its own; AGAIN: a former instance serves.
 * The process, or -1 with errno; the descriptors are the caller's. */
pid_t spawn(const struct spawn *s, bool again, struct spawn_links *links);

/* Has the process PID, which is in place, read its configuration again, and
 * hands it our log file, which it could not open by itself. */
void spawn_reload(pid_t pid, const struct spawn_links *links);

#endif
