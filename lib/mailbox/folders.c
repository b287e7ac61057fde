/*
 * The folders of a user: making, renaming and removing them. A
 * folder appears and disappears by one rename of its directory, from and to the
 * Maildir's tmp, so that it is always whole under its name; the work is done
 * under the name that nobody sees. What fails leaves all as it was.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "index/folder.h"
#include "log/log.h"
#include "mailbox/acl.h"
#include "mailbox/mailbox.h"
#include "mailbox/metadata.h"
#include "mailbox/names.h"
#include "mailbox/private.h"

#define HIDDEN_SIZE 64

/* A name where nobody takes it for a folder. */
static void hidden_name(char out[HIDDEN_SIZE], const char *what)
{
	snprintf(out, HIDDEN_SIZE, "tmp/%s.%lld.P%d", what,
		 (long long)clock_wall_us(), (int)getpid());
}

/* The folder that will be NAME, with its access list and its journal, so that a
 * disk that is too full for them leaves nothing. */
static int make_hidden(struct store *s, const char *fresh, const char *name)
{
	struct mailbox *m;
	int dir, code;

	if (mkdirat(s->dir, fresh, 0700) < 0)
		return err_sys("make", fresh);
	dir = openat(s->dir, fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = dir < 0 ? err_sys("open", fresh) : store_make_dirs(dir, false);
	if (!code)
		code = acl_inherit(s, name, dir);
	if (!code && fsync(dir) < 0)
		code = err_sys("sync", fresh);
	if (dir >= 0)
		close(dir);
	if (!code)
		code = mailbox_open_dir(s, fresh, true, &m);
	if (!code)
		mailbox_close(&m);
	return code;
}

/* Renames the directory FROM, and syncs that; if it cannot be synced, FROM has
 * its name again. */
static int rename_durably(struct store *s, const char *from, const char *to)
{
	int code;

	if (renameat(s->dir, from, s->dir, to) < 0)
		return errno == ENOTEMPTY ? ERR_EXISTS
					  : err_sys("rename", from);
	if (fsync(s->dir) == 0)
		return ERR_OK;
	code = err_sys("sync", "the Maildir");
	if (renameat(s->dir, to, s->dir, from) < 0)
		log_error("mailbox: %s stays %s: %m", from, to);
	return code;
}

/* Gives the folder, whole under the name FRESH, its NAME; but first its use,
 * which means nothing as long as there is no such folder. */
static int put_in_place(struct store *s, const char *fresh, const char *disk,
			const char *name, const char *use)
{
	int code = store_lock(s);

	if (code)
		return code;
	if (store_exists(s, name) == ERR_OK)
		code = ERR_EXISTS;
	if (!code)
		code = names_put_use(s, name, use);
	/* Fails if there is a folder with anything in it. */
	if (!code)
		code = rename_durably(s, fresh, disk);
	store_unlock(s);
	return code;
}

int store_create(struct store *s, const char *name, const char *special_use)
{
	char disk[DISK_NAME_SIZE], fresh[HIDDEN_SIZE];
	const char *use = special_use ? names_known_use(special_use) : NULL;
	int code = disk_name_in(s->dir, name, disk);

	if (code)
		return code;
	if (special_use && !use)
		return ERR_UNSUPPORTED;
	if (!disk[1] || store_exists(s, name) == ERR_OK)
		return ERR_EXISTS;
	hidden_name(fresh, "folder");
	code = make_hidden(s, fresh, name);
	if (!code)
		code = put_in_place(s, fresh, disk, name, use);
	if (code)
		store_remove_tree(s->dir, fresh);
	return code;
}

/* Removes what is in the directory FD, directories only DEPTH deep. */
static void empty_dir(int fd, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	if (!d) {
		close(fd);
		return;
	}
	/* anything not read or not removed keeps the directory, whose removal
	 * then fails with a message */
	while (!file_next(d, "to be removed", &e) && e) {
		int sub;

		if (str_equal(e->d_name, ".") || str_equal(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0 || depth == 0)
			continue;
		sub = openat(dirfd(d), e->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			empty_dir(sub, depth - 1);
		/* it keeps D then */
		err_ignore(unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR));
	}
	closedir(d);
}

/* A session that has the folder open may put a file there meanwhile. */
void store_remove_tree(int dir, const char *name)
{
	int tries, fd;

	for (tries = 0; tries < 3; tries++) {
		fd = openat(dir, name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			empty_dir(fd, 2);
		if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return;
		if (errno != ENOTEMPTY)
			break;
	}
	log_warn("mailbox: cannot remove the deleted folder %s: %m", name);
}

int store_delete(struct store *s, const char *name)
{
	char disk[DISK_NAME_SIZE], away[HIDDEN_SIZE];
	int code = disk_name_in(s->dir, name, disk);

	if (code)
		return ERR_NOT_FOUND;
	if (!disk[1])
		return ERR_DENIED;
	code = store_exists(s, name);
	if (code)
		return code;
	/* First make it vanish for all others; then do the work. */
	hidden_name(away, "deleted");
	code = rename_durably(s, disk, away);
	if (code)
		return code;
	store_remove_tree(s->dir, away);
	/* its use means nothing without it */
	if (names_set_use(s, name, NULL) != ERR_OK)
		log_warn("mailbox: %s is deleted, but not its special use: %m",
			 name);
	return ERR_OK;
}

/* Moves all messages of INBOX to the folder TO: all, or on an error none. */
static int move_all(struct store *s, const char *to)
{
	struct mailbox *m;
	uint32_t *seq, *uid, validity, i, n;
	struct folder_id id;
	int code = mailbox_open(s, "INBOX", false, &m);

	if (code)
		return code;
	n = mailbox_count(m);
	seq = mem_array((size_t)n + 1, sizeof(*seq));
	uid = mem_array((size_t)n + 1, sizeof(*uid));
	for (i = 0; i < n; i++)
		seq[i] = i + 1;
	if (n > 0)
		code = mailbox_copy(m, seq, n, to, true, uid, &validity, &id);
	free(seq);
	free(uid);
	mailbox_close(&m);
	return code;
}

/* Has the folder NAME no message, as far as anybody can see? */
static bool is_empty(struct store *s, const char *name)
{
	char disk[DISK_NAME_SIZE];
	struct listing l;
	struct folder f;
	bool empty;

	if (disk_name_in(s->dir, name, disk) != ERR_OK ||
	    folder_open(s->dir, disk, s->opener, false, &f) != ERR_OK)
		return false;
	empty = messages_list(folder_messages(&f), BOTH_DIRS, &l) == ERR_OK &&
		l.n == 0;
	listing_free(&l);
	folder_close(&f);
	return empty;
}

/* RENAME of INBOX: its messages move, it stays. */
static int rename_inbox(struct store *s, const char *to)
{
	int code = store_create(s, to, NULL);

	if (code)
		return code;
	/* RFC 5464 section 4.1: INBOX keeps its annotations */
	code = metadata_copy(s, "INBOX", to);
	if (!code)
		code = move_all(s, to);
	/* what was moved stays where it is */
	if (code && is_empty(s, to) && store_delete(s, to) != ERR_OK)
		log_warn("mailbox: %s was made and stays: %m", to);
	return code;
}

static int rename_one(struct store *s, const char *old, const char *new)
{
	if (renameat(s->dir, old, s->dir, new) == 0)
		return ERR_OK;
	return errno == ENOTEMPTY ? ERR_EXISTS : err_sys("rename", old);
}

/* Gives the folders in L, pairs of old and new names on disk, their new ones;
 * or none of them. */
static int rename_dirs(struct store *s, const struct strlist *l)
{
	size_t i;
	int code = ERR_OK;

	for (i = 0; !code && i + 1 < l->n; i += 2)
		code = rename_one(s, l->item[i], l->item[i + 1]);
	if (code)
		i -= 2;
	else if (fsync(s->dir) < 0)
		code = err_sys("sync", "the Maildir");
	for (; code && i > 0; i -= 2)
		if (rename_one(s, l->item[i - 1], l->item[i - 2]) != ERR_OK)
			log_error("mailbox: %s stays %s: %m", l->item[i - 2],
				  l->item[i - 1]);
	return code;
}

/* The same for the folders in L, which are FROM and what is below it, and their
 * uses. A use means nothing as long as there is no such folder, so both names
 * have it until the folders have one of them for good. */
static int rename_all(struct store *s, const struct strlist *l,
		      const char *from, const char *to)
{
	int code = names_prepare(s, from, to);

	if (!code)
		code = rename_dirs(s, l);
	if (names_forget(s, code ? to : from) != ERR_OK)
		log_warn("mailbox: there is no %s, but still its special use: "
			 "%m",
			 code ? to : from);
	return code;
}

/* Adds to L the name on disk of FROM and the one for TO, where nothing is. */
static int plan_one(struct store *s, const char *from, const char *to,
		    struct strlist *l)
{
	char old[DISK_NAME_SIZE], new[DISK_NAME_SIZE];
	int code = disk_name_in(s->dir, from, old);

	if (!code && store_exists(s, to) == ERR_OK)
		code = ERR_EXISTS;
	if (!code)
		code = disk_name(to, new);
	if (code)
		return code;
	strlist_add(l, old);
	strlist_add(l, new);
	return ERR_OK;
}

/* All that is below FROM, or FROM itself: L gets old and new names on disk. */
static int plan_rename(struct store *s, const char *from, const char *to,
		       struct strlist *l)
{
	struct strlist names = { 0 };
	size_t i, n = strlen(from);
	int code = store_names(s, &names);

	for (i = 0; !code && i < names.n; i++) {
		const char *name = names.item[i];
		char *target;

		if (!str_equal(name, from) && !store_is_below(name, from))
			continue;
		target = mem_printf("%s%s", to, name + n);
		code = plan_one(s, name, target, l);
		free(target);
	}
	strlist_free(&names);
	return !code && l->n == 0 ? ERR_NOT_FOUND : code;
}

/* Is there NAME, or a folder below it? ERR_NOT_FOUND: neither. */
static int find_level(struct store *s, const char *name)
{
	struct strlist names = { 0 };
	int code = store_names(s, &names);
	bool found = false;

	for (size_t i = 0; !code && i < names.n; i++)
		found = found || str_equal(names.item[i], name) ||
			store_is_below(names.item[i], name);
	strlist_free(&names);
	return !code && !found ? ERR_NOT_FOUND : code;
}

int store_rename(struct store *s, const char *from, const char *to)
{
	struct strlist l = { 0 };
	int code = store_check_name(to);

	if (code)
		return code;
	if (str_equal_ci(to, "INBOX") || store_exists(s, to) == ERR_OK)
		return ERR_EXISTS;
	if (str_equal_ci(from, "INBOX"))
		return rename_inbox(s, to);
	if (store_is_below(to, from)) {
		code = find_level(s, from);
		return code ? code : ERR_UNSUPPORTED;
	}
	code = store_lock(s);
	if (code)
		return code;
	code = plan_rename(s, from, to, &l);
	if (!code)
		code = rename_all(s, &l, from, to);
	store_unlock(s);
	strlist_free(&l);
	return code;
}

int store_subscribe(struct store *s, const char *name, bool on)
{
	int code = store_check_name(name);

	return code ? code : names_subscribe(s, name, on);
}
