/*
 * One code space for what can go wrong. A library function that can fail
 * gives ERR_OK (0) or one of these; nothing else means anything. The text is
 * for logs and people.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
	ERR_OK = 0,
	ERR_EOF,	 /* the other side ended in an orderly way */
	ERR_TIMEOUT,	 /* a deadline passed */
	ERR_TOO_LONG,	 /* a line, packet or value over its limit */
	ERR_SYNTAX,	 /* bytes that the grammar does not allow */
	ERR_IO,		 /* the system call failed: see errno */
	ERR_NO_SPACE,	 /* ENOSPC, EDQUOT */
	ERR_NOT_FOUND,	 /* no such thing */
	ERR_EXISTS,	 /* there is one already */
	ERR_DENIED,	 /* not allowed */
	ERR_BUSY,	 /* locked, or in use by another */
	ERR_CORRUPT,	 /* our own data does not check */
	ERR_LIMIT,	 /* too many of something */
	ERR_TEMP,	 /* a helper could not answer just now: try again */
	ERR_UNSUPPORTED, /* understood, and not offered */
	ERR_STOPPING	 /* the suite stops: end in order */
};

/* A short lower-case English text for CODE; never NULL. */
const char *err_text(int code);

/* The code that fits an errno value: ENOSPC and EDQUOT are ERR_NO_SPACE,
 * EACCES and EPERM ERR_DENIED, ENOENT ERR_NOT_FOUND …, others ERR_IO. */
int err_from_errno(int errnum);

#endif
