/* Folders and files, and their permissions. */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "server/user.h"

/* READER, a user, must go on reading it; NULL: only root does. */
static void check_secret(struct findings *f, const char *param,
			 const char *path, const char *reader)
{
	struct stat st;

	if (stat(path, &st) == 0 && st.st_mode & S_IROTH)
		check_fault(f,
			    "%s: everybody can read %s, which is secret; "
			    "%s%s%schmod %s it, and make a new secret",
			    param, path, reader ? "chgrp " : "",
			    reader ? reader : "", reader ? " and " : "",
			    reader ? "640" : "600");
}

void check_file(struct findings *f, const char *param, const char *path,
		bool secret)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		check_fault(f, "%s: %s: %s", param, path, strerror(errno));
		return;
	}
	if (!S_ISREG(st.st_mode))
		check_fault(f, "%s: %s is no regular file", param, path);
	if (st.st_mode & S_IWOTH)
		check_fault(f,
			    "%s: everybody can write to %s; chmod o-w it, and "
			    "look whether it is still as it was",
			    param, path);
	if (secret)
		check_secret(f, param, path, NULL);
}

/* Is there a line in TEXT that is not a comment? */
static bool has_entries(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		line = str_trim(line);
		if (*line && *line != '#')
			return true;
	}
	return false;
}

void check_entries(struct findings *f, const char *param, const char *path)
{
	struct buf text;

	buf_init(&text, 1 << 28);
	if (file_read(path, &text) == ERR_OK &&
	    !has_entries(text.len ? text.data : NULL))
		check_warning(f, "%s: %s holds no entry", param, path);
	buf_free(&text);
}

static void check_place(struct findings *f, const struct config *c,
			const char *param)
{
	const char *path = config_string(c, param);
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			check_fault(f, "%s = %s: %s", param, path,
				    strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		check_fault(f, "%s = %s: is not a folder", param, path);
	} else if (st.st_mode & S_IWOTH) {
		check_fault(f,
			    "%s = %s: everybody can write there; chmod o-w it",
			    param, path);
	}
}

/* accountd is not root and must read it. */
static void check_users_file(struct findings *f, const struct config *c)
{
	const char *path = config_string(c, "virtual_users_file");
	struct stat st;

	if (stat(path, &st) < 0) {
		if (config_list(c, "virtual_mailbox_domains")->n > 0)
			check_fault(f,
				    "virtual_users_file = %s: %s; posthorn "
				    "user add makes it",
				    path, strerror(errno));
		return;
	}
	check_file(f, "virtual_users_file", path, false);
	check_secret(f, "virtual_users_file", path,
		     config_string(c, "account_user"));
	if (config_list(c, "virtual_mailbox_domains")->n > 0)
		check_entries(f, "virtual_users_file", path);
	check_readable(f, c, "virtual_users_file", path);
}

/* A line of domain, selector and key file. */
static void check_dkim_line(struct findings *f, const char *path, char *line)
{
	char *rest = str_trim(line), *word = NULL, *copy, *full;
	int n = 0;

	if (!*rest || *rest == '#')
		return;
	while (n < 3 && (word = strsep(&rest, " \t")))
		n += *word != '\0';
	if (n < 3)
		return; /* authcheck reports the line */
	copy = mem_strdup(path);
	full = *word == '/' ? mem_strdup(word)
			    : mem_printf("%s/%s", dirname(copy), word);
	check_file(f, "dkim_keys_file", full, true);
	free(full);
	free(copy);
}

static void check_dkim(struct findings *f, const struct config *c)
{
	const char *path = config_string(c, "dkim_keys_file");
	struct buf text;

	buf_init(&text, 1 << 20);
	if (file_read(path, &text) == 0 && text.len > 0) {
		check_file(f, "dkim_keys_file", path, false);
		for (char *line, *rest = text.data;
		     (line = strsep(&rest, "\n"));)
			check_dkim_line(f, path, line);
	}
	buf_free(&text);
}

static void check_present(struct findings *f, const struct config *c,
			  const char *param, const char *advice)
{
	const char *path = config_string(c, param);

	if (*path && access(path, R_OK) < 0)
		check_fault(f, "%s = %s: %s%s", param, path, strerror(errno),
			    advice);
}

static void check_owner(struct findings *f, const struct config *c,
			const char *param)
{
	const char *text = config_string(c, param);
	uid_t uid;
	gid_t gid;

	if (!str_starts(text, "static:"))
		check_fault(f, "%s = %s: wants static: and a name or number",
			    param, text);
	else if (geteuid() == 0 && !user_find(text + 7, &uid, &gid) &&
		 !group_find(text + 7, &gid))
		check_fault(f, "%s = %s: there is no such name", param, text);
	else if (strcmp(param, "virtual_uid_maps") == 0 &&
		 user_find(text + 7, &uid, &gid) && uid == 0)
		check_fault(f,
			    "%s = %s: is root, who must not own mailboxes; "
			    "name another user",
			    param, text);
}

static void check_home(struct findings *f, const struct config *c)
{
	const char *box = config_string(c, "home_mailbox");

	if (!*box || *box == '/' || strstr(box, ".."))
		check_fault(f, "home_mailbox = %s: wants a path below the home",
			    box);
}

void check_files(struct findings *f, const struct config *c)
{
	static const char *const places[] = {
		"config_directory", "daemon_directory", "queue_directory",
		"data_directory", "run_directory"
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		check_place(f, c, places[i]);
	check_users_file(f, c);
	check_dkim(f, c);
	check_present(f, c, "resolver_zone_file", "");
	check_present(f, c, "resolver_trust_anchor_file",
		      " (package dns-root-data)");
	check_owner(f, c, "virtual_uid_maps");
	check_owner(f, c, "virtual_gid_maps");
	check_home(f, c);
}
