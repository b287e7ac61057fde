#include "master/folders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "master/users.h"

static const struct {
	const char *param;
	const char *below; /* "" is the folder itself */
	mode_t mode;
	enum user user;
} folders[] = {
	{ "run_directory", "", 0755, USER_ROOT },
	/* a chroot: nothing in it but sockets, whose servers check peers */
	{ "run_directory", "/private", 0711, USER_ROOT },
	{ "run_directory", "/public", 0755, USER_ROOT },
	{ "queue_directory", "", 0711, USER_QUEUE },
	{ "queue_directory", "/queue", 0700, USER_QUEUE },
	{ "queue_directory", "/corrupt", 0700, USER_QUEUE },
	/* anybody may leave mail here, nobody may list it */
	{ "queue_directory", "/drop", 03733, USER_NET },
	{ "data_directory", "", 0711, USER_NET },
	{ "data_directory", "/accountd", 0700, USER_ACCOUNT },
};

#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

static char *path_of(const struct config *c, size_t i)
{
	return mem_printf("%s%s", config_string(c, folders[i].param),
			  folders[i].below);
}

bool folders_has(const struct config *c, const char *path)
{
	bool has = false;

	for (size_t i = 0; i < FOLDERS && !has; i++) {
		char *folder = path_of(c, i);

		has = strcmp(folder, path) == 0;
		free(folder);
	}
	return has;
}

void folders_params(struct strlist *l)
{
	for (size_t i = 0; i < FOLDERS; i++) {
		const char *user = service_user_param(folders[i].user);

		if (!strlist_has_ci(l, folders[i].param))
			strlist_add(l, folders[i].param);
		if (user && !strlist_has_ci(l, user))
			strlist_add(l, user);
	}
}

static bool prepare(const struct config *c, const char *path, mode_t mode,
		    enum user user, struct buf *faults)
{
	struct stat st;
	uid_t uid;
	gid_t gid;
	int err = file_make_dirs(path, 0755);

	if (err || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		buf_printf(faults, "%s: cannot make this folder: %s%s\n", path,
			   err ? strerror(errno) : "it is no folder",
			   err && geteuid() != 0 ? "; start it as root, or "
						   "name a folder of yours"
						 : "");
		return false;
	}
	if (!users_find(c, user, &uid, &gid, faults))
		return false;
	if ((st.st_uid != uid || st.st_gid != gid) &&
	    lchown(path, uid, gid) < 0)
		buf_printf(faults, "%s: cannot give it to uid %ld: %s\n", path,
			   (long)uid, strerror(errno));
	else if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0)
		buf_printf(faults, "%s: cannot set mode %04o: %s\n", path,
			   (unsigned)mode, strerror(errno));
	return true;
}

void folders_prepare(const struct config *c, struct buf *faults)
{
	const char *failed = ""; /* folders below it need not be tried */

	for (size_t i = 0; i < FOLDERS; i++) {
		const char *param = folders[i].param;
		char *path = path_of(c, i);

		if (strcmp(param, failed) != 0 &&
		    !prepare(c, path, folders[i].mode, folders[i].user, faults))
			failed = param;
		free(path);
	}
}

/* The name of a user stays, but its number need not: then the processes that
 * run have the former one. */
static void check_owner(const struct config *c, const char *path,
			enum user user, struct buf *faults)
{
	struct stat st;
	uid_t uid;
	gid_t gid;

	if (lstat(path, &st) < 0 || !users_find(c, user, &uid, &gid, faults))
		return;
	if (st.st_uid != uid || st.st_gid != gid)
		buf_printf(faults,
			   "%s: belongs to %ld:%ld, not %ld:%ld, and cannot "
			   "be given away while the suite runs: stop it, and "
			   "start it again\n",
			   path, (long)st.st_uid, (long)st.st_gid, (long)uid,
			   (long)gid);
}

void folders_check(const struct config *c, struct buf *faults)
{
	for (size_t i = 0; i < FOLDERS; i++) {
		char *path = path_of(c, i);

		check_owner(c, path, folders[i].user, faults);
		free(path);
	}
}
