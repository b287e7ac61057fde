#include "master/users.h"

#include <unistd.h>

#include "server/user.h"

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
	buf_printf(faults,
		   "there is no user %s (parameter %s); to make it: useradd "
		   "--system --no-create-home --shell /usr/sbin/nologin %s\n",
		   config_string(c, param), param, config_string(c, param));
	return false;
}
