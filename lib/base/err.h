/*
 * One code space for what can go wrong. A library function that can fail
 * gives ERR_OK (0) or one of these; nothing else means anything. The text is
 * for logs and people.
 *
 * A code says what to do; the cause says what happened: which operation, on
 * which name, with which errno. It is saved where the failure is noticed
 * (err_sys, err_set), and read by the code that logs or answers (err_why). A
 * process has one saved cause, that of its last failure: functions in between
 * just return the code.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* For functions that write, sync, rename, remove or read a directory: the
 * result must be checked, or ignored with a reason (err_ignore). */
#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
	ERR_OK = 0,
	ERR_EOF,	 /* the other side ended in an orderly way */
	ERR_TIMEOUT,	 /* a deadline passed */
	ERR_TOO_LONG,	 /* a line, packet or value over its limit */
	ERR_SYNTAX,	 /* bytes that the grammar does not allow */
	ERR_IO,		 /* the system call failed: see err_why */
	ERR_NO_SPACE,	 /* ENOSPC, EDQUOT */
	ERR_NOT_FOUND,	 /* no such thing */
	ERR_EXISTS,	 /* there is one already */
	ERR_DENIED,	 /* not allowed */
	ERR_BUSY,	 /* locked, or in use by another */
	ERR_CORRUPT,	 /* our own data fails its check */
	ERR_LIMIT,	 /* too many of something */
	ERR_TEMP,	 /* a helper cannot answer now: try again */
	ERR_UNSURE,	 /* not found, but not for certain: where it would be
			  * cannot all be read */
	ERR_UNSUPPORTED, /* understood, but not offered */
	ERR_STOPPING	 /* the suite is stopping: finish in order */
};

/* A short lower-case English text for CODE; never NULL. */
const char *err_text(int code);

/* The code for an errno value: ENOSPC and EDQUOT are ERR_NO_SPACE,
 * EACCES and EPERM ERR_DENIED, ENOENT ERR_NOT_FOUND …, others ERR_IO. Saves
 * no cause: for callers that do not fail because of it. */
int err_from_errno(int errnum);

/* A system call failed: saves "cannot DOING NAME: text of errno" as the
 * cause, and gives the code for errno; ERR_IO if errno is 0, never
 * ERR_OK. NAME may be NULL. errno is unchanged. */
int err_sys(const char *doing, const char *name);

/* Saves a cause other than a system call, and gives CODE. The text of err_why
 * may be an argument, to add context to a cause. */
int err_set(int code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Why the call that gave CODE failed: the saved cause if it has this code,
 * else err_text(CODE). Valid until the next failure. */
const char *err_why(int code);

/* The errno of the saved cause; 0 if it was not a system call. */
int err_errno(void);

/* Forgets the saved cause: at the end of a command, job or request, so that
 * the next one does not report it. */
void err_clear(void);

/* Ignores a result on purpose; a comment beside it says why. */
static inline void err_ignore(int result)
{
	(void)result;
}

#endif
