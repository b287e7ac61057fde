#include "master/users.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/user.h"

/* Users are looked up more than once, but a fault is reported once. */
static void say_once(struct buf *faults, char *line)
{
	if (!strstr(faults->data, line))
		buf_puts(faults, line);
	free(line);
}

static void say_missing(const char *param, const char *name, struct buf *faults)
{
	say_once(faults,
		 mem_printf("%s = %s: there is no such user; to make it, "
			    "as make install does: "
			    "useradd --system --user-group --no-create-home "
			    "--shell /usr/sbin/nologin %s\n",
			    param, name, name));
}

/* The parameters exist so that programs do not run as root. */
static void say_root(const char *param, const char *name, bool group,
		     struct buf *faults)
{
	say_once(faults, mem_printf("%s = %s: %s is root; its programs are to "
				    "run without rights\n",
				    param, name, group ? "its group" : "it"));
}

bool users_find(const struct config *c, enum user user, uid_t *uid, gid_t *gid,
		struct buf *faults)
{
	const char *param = service_user_param(user), *name;

	*uid = geteuid();
	*gid = getegid();
	if (*uid != 0 || !param)
		return true;
	name = config_string(c, param);
	if (!user_find(name, uid, gid))
		say_missing(param, name, faults);
	else if (*uid == 0 || *gid == 0)
		say_root(param, name, *uid != 0, faults);
	else
		return true;
	return false;
}
