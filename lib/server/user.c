#include "server/user.h"

#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

static bool from_entry(const struct passwd *p, uid_t *uid, gid_t *gid)
{
	if (!p)
		return false;
	*uid = p->pw_uid;
	*gid = p->pw_gid;
	return true;
}

bool user_find(const char *name, uid_t *uid, gid_t *gid)
{
	size_t n = strcspn(name, ":");
	int64_t u, g;

	if (!str_span_to_int(name, n, 0, UINT32_MAX - 1, &u))
		return from_entry(getpwnam(name), uid, gid);
	if (name[n] == ':') {
		if (!str_to_int(name + n + 1, 0, UINT32_MAX - 1, &g))
			return false;
		*uid = (uid_t)u;
		*gid = (gid_t)g;
		return true;
	}
	if (!from_entry(getpwuid((uid_t)u), uid, gid)) {
		*uid = (uid_t)u;
		*gid = (gid_t)u;
	}
	return true;
}

bool group_find(const char *name, gid_t *gid)
{
	const struct group *group;
	uid_t ignored;
	int64_t g;

	if (str_to_int(name, 0, UINT32_MAX - 1, &g)) {
		*gid = (gid_t)g;
		return true;
	}
	group = getgrnam(name);
	if (group)
		*gid = group->gr_gid;
	return group || user_find(name, &ignored, gid);
}
