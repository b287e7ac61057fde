#include "base/err.h"

#include <errno.h>
#include <stddef.h>

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
