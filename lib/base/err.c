#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CAUSE_SIZE 512 /* longer ones are cut: they are for people */

/* The last failure of this process. */
static struct {
	int code;
	int errnum;
	char text[CAUSE_SIZE];
} cause;

static const char *const texts[] = {
	[ERR_OK] = "no error",
	[ERR_EOF] = "connection closed",
	[ERR_TIMEOUT] = "timed out",
	[ERR_TOO_LONG] = "too long",
	[ERR_SYNTAX] = "malformed",
	[ERR_IO] = "input/output error",
	[ERR_NO_SPACE] = "no space left",
	[ERR_NOT_FOUND] = "not found",
	[ERR_EXISTS] = "exists already",
	[ERR_DENIED] = "permission denied",
	[ERR_BUSY] = "busy",
	[ERR_CORRUPT] = "damaged data",
	[ERR_LIMIT] = "limit exceeded",
	[ERR_TEMP] = "temporarily unavailable",
	[ERR_UNSURE] = "not found, but not all could be read",
	[ERR_UNSUPPORTED] = "not supported",
	[ERR_STOPPING] = "shutting down",
};

const char *err_text(int code)
{
	if (code < 0 || (size_t)code >= sizeof(texts) / sizeof(texts[0]))
		return "unknown error";
	return texts[code];
}

int err_from_errno(int errnum)
{
	static const struct {
		int errnum;
		int code;
	} rows[] = {
		{ 0, ERR_OK },
		{ ENOSPC, ERR_NO_SPACE },
		{ EDQUOT, ERR_NO_SPACE },
		{ EFBIG, ERR_NO_SPACE },
		{ EACCES, ERR_DENIED },
		{ EPERM, ERR_DENIED },
		{ EROFS, ERR_DENIED },
		{ ENOENT, ERR_NOT_FOUND },
		{ ENOTDIR, ERR_NOT_FOUND },
		{ EEXIST, ERR_EXISTS },
		{ ENOTEMPTY, ERR_EXISTS },
		{ EAGAIN, ERR_BUSY },
		{ EBUSY, ERR_BUSY },
		{ ETIMEDOUT, ERR_TIMEOUT },
		{ EPIPE, ERR_EOF },
		{ ECONNRESET, ERR_EOF },
		{ EMFILE, ERR_TEMP },
		{ ENFILE, ERR_TEMP },
		{ ENOMEM, ERR_TEMP },
		{ ENOBUFS, ERR_TEMP },
		{ ECONNREFUSED, ERR_TEMP },
		{ ENAMETOOLONG, ERR_TOO_LONG },
		{ EMSGSIZE, ERR_TOO_LONG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].errnum == errnum)
			return rows[i].code;
	return ERR_IO;
}

int err_sys(const char *doing, const char *name)
{
	int errnum = errno;

	cause.errnum = errnum;
	cause.code = errnum ? err_from_errno(errnum) : ERR_IO;
	(void)snprintf(cause.text, sizeof(cause.text), "cannot %s%s%s: %s",
		       doing, name ? " " : "", name ? name : "",
		       errnum ? strerror(errnum) : "no reason given");
	errno = errnum;
	return cause.code;
}

int err_set(int code, const char *fmt, ...)
{
	char text[CAUSE_SIZE]; /* an argument may be the cause so far */
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(cause.text, text, sizeof(text));
	cause.code = code;
	cause.errnum = 0;
	return code;
}

const char *err_why(int code)
{
	if (code != ERR_OK && code == cause.code && cause.text[0])
		return cause.text;
	return err_text(code);
}

int err_errno(void)
{
	return cause.errnum;
}

void err_clear(void)
{
	cause.code = ERR_OK;
	cause.errnum = 0;
	cause.text[0] = '\0';
}
