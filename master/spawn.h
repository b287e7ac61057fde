/* Starts the process of a service, with what it gets from us. */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* What a service is started with; texts as in master(8). */
struct spawn {
	const char *name; /* argv[0] */
	const char *config_path; /* argv[2], for people who read ps(1) */
	int config_fd;	/* the sealed configuration; its owner's */
	char *program;
	char *listen; /* "name:fd name:fd " */
	char *user;
	char *peers;
	char *root;
};

/* Our ends of the connections with a process. */
struct spawn_links {
	int ready; /* it writes here that it serves, or why it does not */
	int link;  /* server/link.h */
};

/* Starts S as a process group of its own; AGAIN: a former instance serves.
 * The process, or -1 with errno; the descriptors are the caller's. */
pid_t spawn(const struct spawn *s, bool again, struct spawn_links *links);

#endif
