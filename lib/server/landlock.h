/* Landlock through its system calls (the C library has no wrappers). */
#ifndef SERVER_LANDLOCK_H
#define SERVER_LANDLOCK_H

#include <stdbool.h>

/* The version of the kernel's interface; 0 or less if there is none. */
int landlock_version(void);

/* A ruleset that handles all the rights named here that this kernel knows, or
 * -1. */
int landlock_begin(void);

/* Allows the tree under DIR. */
bool landlock_add(int ruleset, const char *dir, bool writable);

/* Allows to read and execute what is under PATH, a tree or a file. False if it
 * is not there. */
bool landlock_add_program(int ruleset, const char *path);

/* Binds this process to the ruleset, and closes it. */
bool landlock_enter(int ruleset);

#endif
