/* Codes and their causes (lib/base/err.h). */
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "tap.h"

static void system_calls(void)
{
	errno = ENOSPC;
	ok(err_sys("write", "queue/00/000001") == ERR_NO_SPACE,
	   "the code fits errno");
	is(err_why(ERR_NO_SPACE),
	   "cannot write queue/00/000001: No space left on device",
	   "the cause names what was done, to what, and why");
	ok(err_errno() == ENOSPC && errno == ENOSPC, "errno is kept");
	errno = 0;
	ok(err_sys("read", NULL) == ERR_IO,
	   "a failure without errno is no success");
	is(err_why(ERR_IO), "cannot read: no reason given", "nor silent");
}

static void of_another_code(void)
{
	ok(err_set(ERR_CORRUPT, "record at %d", 64) == ERR_CORRUPT,
	   "err_set gives its code");
	is(err_why(ERR_CORRUPT), "record at 64", "and keeps the text");
	is(err_why(ERR_BUSY), "busy", "a cause is of its code alone");
	ok(err_errno() == 0, "no system call, no errno");
	err_clear();
	is(err_why(ERR_CORRUPT), "damaged data", "a cause is forgotten");
}

static void of_a_cause(void)
{
	errno = ECONNREFUSED;
	is(err_why(err_set(ERR_TEMP, "resolver: %s",
			   err_why(err_sys("connect to", "a socket")))),
	   "resolver: cannot connect to a socket: Connection refused",
	   "a cause is told who met it");
}

static void too_long(void)
{
	char name[2000];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	errno = EIO;
	ok(err_sys("open", name) == ERR_IO && strlen(err_why(ERR_IO)) < 600,
	   "a long name is cut");
}

int main(void)
{
	system_calls();
	of_another_code();
	of_a_cause();
	too_long();
	return done();
}
