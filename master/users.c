#include "master/users.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/user.h"

/* It is asked for more than once, and told once. */
static void say_missing(const char *param, const char *name, struct buf *faults)
{
	char *line = mem_printf(
		"%s = %s: there is no such user; to make it: useradd --system "
		"--user-group --no-create-home --shell /usr/sbin/nologin %s\n",
		param, name, name);

	if (!strstr(faults->data, line))
		buf_puts(faults, line);
	free(line);
}

bool users_find(const struct config *c, enum user user, uid_t *uid, gid_t *gid,
		struct buf *faults)
{
	const char *param = service_user_param(user);

	*uid = geteuid();
	*gid = getegid();
	if (*uid != 0 || !param)
		return true;
	if (user_find(config_string(c, param), uid, gid))
		return true;
	say_missing(param, config_string(c, param), faults);
	return false;
}
