/*
 * Giving up what a program does not need. Each call is one way. What the
 * kernel lacks (Landlock, seccomp) is logged once at start by
 * sandbox_report, and not an error.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

/* What a process still needs after sandbox_enter. */
enum sandbox_right {
	SANDBOX_OPEN = 1 << 0,	  /* open, create and rename files */
	SANDBOX_INET = 1 << 1,	  /* make Internet sockets, connect them */
	SANDBOX_FORK = 1 << 2,	  /* make processes */
	SANDBOX_EXEC = 1 << 3,	  /* execute programs */
	SANDBOX_IDENTITY = 1 << 4 /* change uid, gid, root directory */
};

/* Sets no_new_privs and a seccomp filter that refuses (EPERM) what no right
 * in RIGHTS covers, besides what no program of ours ever needs (ptrace,
 * mount, bpf, keyctl, modules, namespaces …). May be called again later with
 * fewer rights. */
void sandbox_enter(unsigned rights);

/* For children that will enter with RIGHTS: makes their filter now. A child
 * that made it would write to more pages than it has otherwise. */
void sandbox_prepare(unsigned rights);

/* From now on only the file trees under DIRS[N] can be reached: read and
 * written where WRITE[i], else read. Needs no privilege. False if the
 * kernel has no Landlock. */
bool sandbox_only_dirs(const char *const *dirs, const bool *write, int n);

/* Becomes USER for good: supplementary groups none, gid and uid set and
 * checked to be irrevocable. As a non-root process it only checks that the
 * ids are ours already. Ends the process if it fails. */
void sandbox_become(uid_t uid, gid_t gid);

/* chroot and chdir to DIR (only as root; else chdir alone). Ends the process
 * on failure. */
void sandbox_chroot(const char *dir);

/* Bounds: address space in MiB (0: none), open files. */
void sandbox_limit(int memory_mib, int files);

/* Logs once, at debug level or as a warning, which walls this kernel has. */
void sandbox_report(void);

#endif
