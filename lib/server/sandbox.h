/*
 * Giving up what a program does not need. No call can be undone. What the
 * kernel lacks (Landlock, seccomp) is not an error; sandbox_report logs it
 * once at start.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a process still needs after sandbox_enter. */
enum sandbox_right {
	SANDBOX_OPEN = 1 << 0,	  /* open, create and rename files */
	SANDBOX_INET = 1 << 1,	  /* make Internet sockets, connect them */
	SANDBOX_FORK = 1 << 2,	  /* make processes */
	SANDBOX_EXEC = 1 << 3,	  /* execute programs */
	SANDBOX_IDENTITY = 1 << 4, /* change uid, gid, root directory */
	SANDBOX_WATCH = 1 << 5	   /* hear of changes of files and folders */
};

/* Sets no_new_privs and a seccomp filter that refuses (EPERM) what no right
 * in RIGHTS covers, and what no program of ours ever needs (ptrace, mount,
 * bpf, keyctl, modules, namespaces …). May be called again later with fewer
 * rights. */
void sandbox_enter(unsigned rights);

/* For children that will enter with RIGHTS: makes their filter now, since
 * making it in each child would cost it private pages. */
void sandbox_prepare(unsigned rights);

/* From now on only the file trees under DIRS[N] can be reached, for writing
 * only where WRITE[i]. Needs no privilege. False if the kernel has no
 * Landlock. */
bool sandbox_only_dirs(const char *const *dirs, const bool *write, int n);

/* Before a program of others is executed: from now on this process can read and
 * execute what is under PATHS[N], trees and files, as far as they are there, and
 * write nothing; it can make no process and no socket, and reach no other
 * process. False if the kernel has no Landlock. */
bool sandbox_program(const char *const *paths, int n);

/* Becomes UID and GID irrevocably, which is checked, without supplementary
 * groups. A process without root only checks that it has these ids already.
 * Ends the process on failure. */
void sandbox_become(uid_t uid, gid_t gid);

/* Closes all descriptors but 0 to 2, the log's, and KEEP[N], of which those
 * below 0 are none. */
void sandbox_keep_only(const int *keep, size_t n);

/* chroot and chdir to DIR (without root only chdir). Ends the process on
 * failure. */
void sandbox_chroot(const char *dir);

/* For a process that becomes a user: limits the memory that is its own to far more
 * than the largest folder needs. */
void sandbox_limit_own(void);

/* Limits address space, in MiB (0: no limit), and open files. */
void sandbox_limit(int memory_mib, int files);

/* Logs once, at debug level or as a warning, which of these this kernel has. */
void sandbox_report(void);

#endif
