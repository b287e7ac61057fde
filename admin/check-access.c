/* posthorn check: can the services reach and change what they must? Tested by a
 * process that is the service's user, so that every folder on the way, mounts
 * and access lists count. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "server/user.h"

struct who {
	const char *name;
	uid_t uid;
	gid_t gid;
};

/* The user NAME and, if that is not NULL, GROUP; without root all are the
 * caller. False: there is none, which other checks report. */
static bool find_who(const char *name, const char *group, struct who *w)
{
	w->name = name;
	if (!user_find(name, &w->uid, &w->gid) ||
	    (group && !group_find(group, &w->gid)))
		return false;
	if (geteuid() != 0)
		*w = (struct who){ "this user", geteuid(), getegid() };
	return true;
}

static bool become(const struct who *w)
{
	return geteuid() != 0 || (setgroups(0, NULL) == 0 &&
				  setresgid(w->gid, w->gid, w->gid) == 0 &&
				  setresuid(w->uid, w->uid, w->uid) == 0);
}

/* 0, or the errno with which W cannot do MODE (access(2)) with PATH. */
static int try_access(const struct who *w, const char *path, int mode)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(become(w) && faccessat(AT_FDCWD, path, mode,
					     AT_EACCESS) == 0
			      ? 0
			      : errno);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return 0; /* unknown */
	return WEXITSTATUS(status);
}

/* The nearest existing folder above PATH. Free it. */
static char *nearest(const char *path)
{
	char *at = mem_strdup(path);

	while (access(at, F_OK) < 0 && errno == ENOENT && at[1]) {
		char *copy = mem_strdup(at);

		free(at);
		at = mem_strdup(dirname(copy));
		free(copy);
	}
	return at;
}

/* Is there a line of TEXT, posthorn-users(5), without a home? */
static bool has_homeless(char *text)
{
	char *line, *field;

	while ((line = strsep(&text, "\n"))) {
		line = str_trim(line);
		if (!*line || *line == '#')
			continue;
		for (int i = 0; i < 5 && line; i++)
			strsep(&line, ":");
		field = line ? strsep(&line, ":") : NULL;
		if (!field || !*field)
			return true;
	}
	return false;
}

static bool needs_base(const struct config *c)
{
	struct buf text;
	bool needs = config_list(c, "virtual_mailbox_domains")->n > 0;

	buf_init(&text, 1 << 28);
	if (needs &&
	    file_read(config_string(c, "virtual_users_file"), &text) == ERR_OK)
		needs = has_homeless(text.len ? text.data : NULL);
	buf_free(&text);
	return needs;
}

/* The user that gets the first mail in a domain makes its folder. */
static void check_base(struct findings *f, const struct config *c)
{
	const char *base = config_string(c, "virtual_mailbox_base");
	const char *user = config_string(c, "virtual_uid_maps");
	const char *group = config_string(c, "virtual_gid_maps");
	struct who w;
	char *near;
	int err;

	if (!str_starts(user, "static:") || !str_starts(group, "static:") ||
	    !needs_base(c) || !find_who(user + 7, group + 7, &w))
		return;
	near = nearest(base);
	err = try_access(&w, near, W_OK | X_OK);
	if (*base != '/')
		check_fault(f,
			    "virtual_mailbox_base = %s: wants an absolute "
			    "path",
			    base);
	else if (err && strcmp(near, base) != 0)
		check_fault(f,
			    "virtual_mailbox_base = %s: is not there, and %s "
			    "cannot make it in %s: %s; make it, and give it to "
			    "that user",
			    base, w.name, near, strerror(err));
	else if (err)
		check_fault(f,
			    "virtual_mailbox_base = %s: %s cannot make folders "
			    "there: %s; give it to that user, with the "
			    "mail in it: chown -R",
			    base, w.name, strerror(err));
	free(near);
}

/* Folders that master makes and gives to their users, but whose parents may
 * not be accessible to these. */
static void check_way(struct findings *f, const struct config *c,
		      const char *param, const char *user)
{
	const char *path = config_string(c, param);
	char *near = nearest(path), *copy = mem_strdup(near);
	const char *above = strcmp(near, path) == 0 ? dirname(copy) : near;
	struct who w;
	int err;

	if (geteuid() == 0 && find_who(config_string(c, user), NULL, &w)) {
		err = try_access(&w, above, X_OK);
		if (err)
			check_fault(f,
				    "%s = %s: %s (%s) cannot get to %s: %s; "
				    "chmod a+x the folders on the way",
				    param, path, w.name, user, above,
				    strerror(err));
	}
	free(copy);
	free(near);
}

void check_readable(struct findings *f, const struct config *c,
		    const char *param, const char *path)
{
	const char *user = config_string(c, "account_user");
	struct who w;
	int err;

	if (access(path, F_OK) < 0 || !find_who(user, NULL, &w))
		return;
	err = try_access(&w, path, R_OK);
	if (err)
		check_fault(f,
			    "%s: %s (account_user) cannot read %s: %s; chgrp "
			    "%s and chmod 640 it, and see that all folders "
			    "above it are open to that user",
			    param, w.name, path, strerror(err), w.name);
}

void check_access(struct findings *f, const struct config *c)
{
	static const struct {
		const char *param, *user;
	} ways[] = {
		{ "queue_directory", "queue_user" },
		{ "queue_directory", "net_user" }, /* the drop folder */
		{ "data_directory", "net_user" },
		{ "data_directory", "account_user" },
		{ "run_directory", "net_user" },
		{ "run_directory", "queue_user" },
		{ "run_directory", "check_user" },
		{ "run_directory", "account_user" },
		{ "run_directory", "tls_user" },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		check_way(f, c, ways[i].param, ways[i].user);
	check_base(f, c);
}
