/*
 * The folders of a user: listing, making, renaming and removing them, and
 * STATUS. A folder appears and disappears by one rename of its directory, from
 * and to the Maildir's tmp, so that it is always whole under its name; the work
 * is done under the name that nobody sees.
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
#include "mailbox/mailbox.h"
#include "mailbox/names.h"
#include "mailbox/private.h"

static int open_dir(struct store *s, DIR **d)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*d = fd >= 0 ? fdopendir(fd) : NULL;
	if (*d)
		return ERR_OK;
	if (fd >= 0)
		close(fd);
	return err_sys("read", "the Maildir");
}

/* Names of all folders but INBOX. */
static int all_names(struct store *s, struct strlist *l)
{
	struct dirent *e;
	DIR *d;
	int code = open_dir(s, &d);

	if (code)
		return code;
	while (!(code = file_next(d, "of folders", &e)) && e) {
		char name[3 * DISK_NAME_SIZE];

		if (e->d_name[0] == '.' && e->d_name[1] &&
		    e->d_name[1] != '.' &&
		    (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) &&
		    disk_name_read(e->d_name, name, sizeof(name)) &&
		    (e->d_type == DT_DIR || store_exists(s, name) == ERR_OK))
			strlist_add(l, name);
	}
	closedir(d);
	return code;
}

static void add_row(struct store_list *l, const char *name, bool exists,
		    bool subscribed)
{
	if ((l->n & (l->n - 1)) == 0)
		l->folder = mem_resize(l->folder, l->n ? 2 * l->n : 1,
				       sizeof(*l->folder));
	l->folder[l->n++] = (struct store_folder){
		.name = mem_strdup(name),
		.exists = exists,
		.subscribed = subscribed,
	};
}

static bool is_below(const char *name, const char *parent)
{
	size_t n = strlen(parent);

	return strncmp(name, parent, n) == 0 && name[n] == '/';
}

/* Is it INBOX, or below it? */
static bool comes_first(const unsigned char *name)
{
	return strcmp((const char *)name, "INBOX") == 0 ||
	       is_below((const char *)name, "INBOX");
}

/* INBOX first; '/' before all else, so that children follow their parent. */
static int by_name(const void *a, const void *b)
{
	const unsigned char *x =
		(const void *)((const struct store_folder *)a)->name;
	const unsigned char *y =
		(const void *)((const struct store_folder *)b)->name;
	bool first = comes_first(x);

	if (first != comes_first(y))
		return first ? -1 : 1;
	while (*x && *x == *y) {
		x++;
		y++;
	}
	if (*x == *y)
		return 0;
	return (*x == '/' ? 1 : *x) < (*y == '/' ? 1 : *y) ? -1 : 1;
}

/* One row per name. */
static void unite(struct store_list *l)
{
	size_t i, to = 0;

	qsort(l->folder, l->n, sizeof(*l->folder), by_name);
	for (i = 0; i < l->n; i++) {
		struct store_folder *f = &l->folder[i];
		struct store_folder *last = to ? &l->folder[to - 1] : NULL;

		if (last && strcmp(last->name, f->name) == 0) {
			last->exists |= f->exists;
			last->subscribed |= f->subscribed;
			free(f->name);
		} else {
			l->folder[to++] = *f;
		}
	}
	l->n = to;
}

/* Also lists the levels above NAME, though they may not exist. */
static void add_levels(struct store_list *l, const char *name)
{
	char *level = mem_strdup(name);
	char *slash;

	while ((slash = strrchr(level, '/'))) {
		*slash = '\0';
		add_row(l, level, false, false);
	}
	free(level);
}

/* Is there a folder below row I? A name that is only subscribed does not
 * count. */
static bool has_below(const struct store_list *l, size_t i)
{
	const char *name = l->folder[i].name;

	for (i++; i < l->n && is_below(l->folder[i].name, name); i++)
		if (l->folder[i].exists)
			return true;
	return false;
}

static void describe(struct store_list *l, const struct strlist *uses)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		struct store_folder *f = &l->folder[i];
		const char *use = names_use_of(uses, f->name);

		f->special_use = f->exists && use ? names_known_use(use) : NULL;
		f->has_children = has_below(l, i);
	}
}

int store_list(struct store *s, struct store_list *l)
{
	struct strlist names = { 0 }, subscribed = { 0 }, uses = { 0 };
	size_t i;
	int code;

	memset(l, 0, sizeof(*l));
	code = all_names(s, &names);
	if (!code)
		code = names_subscribed(s, &subscribed);
	if (!code)
		code = names_uses(s, &uses);
	if (!code) {
		add_row(l, "INBOX", true, false);
		for (i = 0; i < names.n; i++) {
			add_row(l, names.item[i], true, false);
			add_levels(l, names.item[i]);
		}
		for (i = 0; i < subscribed.n; i++) {
			add_row(l, subscribed.item[i], false, true);
			add_levels(l, subscribed.item[i]);
		}
		unite(l);
		describe(l, &uses);
	}
	strlist_free(&names);
	strlist_free(&subscribed);
	strlist_free(&uses);
	return code;
}

void store_list_free(struct store_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->folder[i].name);
	free(l->folder);
	memset(l, 0, sizeof(*l));
}

/* Makes the directory under another name first, so that it is whole when it
 * gets its name. */
static int make_folder(struct store *s, const char *disk)
{
	char fresh[64];
	int dir, code;

	snprintf(fresh, sizeof(fresh), "tmp/folder.%lld.P%d",
		 (long long)clock_wall_us(), (int)getpid());
	if (mkdirat(s->dir, fresh, 0700) < 0)
		return err_sys("make", fresh);
	dir = openat(s->dir, fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = dir < 0 ? err_sys("open", fresh) : store_make_dirs(dir, false);
	if (!code && fsync(dir) < 0)
		code = err_sys("sync", fresh);
	/* Fails if there is a folder with anything in it. */
	if (!code && renameat(s->dir, fresh, s->dir, disk) < 0)
		code = errno == ENOTEMPTY ? ERR_EXISTS
					  : err_sys("put in place", disk);
	if (!code && fsync(s->dir) < 0)
		code = err_sys("sync", "the Maildir");
	if (dir >= 0)
		close(dir);
	if (code)
		store_remove_tree(s->dir, fresh);
	return code;
}

int store_create(struct store *s, const char *name, const char *special_use)
{
	char disk[DISK_NAME_SIZE];
	const char *use = special_use ? names_known_use(special_use) : NULL;
	struct mailbox *m;
	int code = disk_name(name, disk);

	if (code)
		return code;
	if (special_use && !use)
		return ERR_UNSUPPORTED;
	if (!disk[1] || store_exists(s, name) == ERR_OK)
		return ERR_EXISTS;
	code = make_folder(s, disk);
	if (!code && use)
		code = names_set_use(s, name, use);
	if (!code)
		code = mailbox_open(s, name, true, &m);
	if (!code)
		mailbox_close(&m);
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
	char disk[DISK_NAME_SIZE], away[64];
	int code = disk_name(name, disk);

	if (code)
		return ERR_NOT_FOUND;
	if (!disk[1])
		return ERR_DENIED;
	code = store_exists(s, name);
	if (code)
		return code;
	/* First make it vanish for all others; then do the work. */
	snprintf(away, sizeof(away), "tmp/deleted.%lld.P%d",
		 (long long)clock_wall_us(), (int)getpid());
	if (renameat(s->dir, disk, s->dir, away) < 0)
		return err_sys("rename", disk);
	if (fsync(s->dir) < 0)
		return err_sys("sync", "the Maildir");
	store_remove_tree(s->dir, away);
	return names_set_use(s, name, NULL);
}

/* RENAME of INBOX: its messages move, it stays. */
static int rename_inbox(struct store *s, const char *to)
{
	struct mailbox *m;
	uint32_t *seq, *uid, validity, i, n;
	struct folder_id id;
	int code = store_create(s, to, NULL);

	if (!code)
		code = mailbox_open(s, "INBOX", false, &m);
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

static int rename_one(struct store *s, const char *from, const char *to)
{
	char old[DISK_NAME_SIZE], new[DISK_NAME_SIZE];
	int code = disk_name(from, old);

	if (!code)
		code = disk_name(to, new);
	if (!code && renameat(s->dir, old, s->dir, new) < 0)
		code = errno == ENOTEMPTY ? ERR_EXISTS : err_sys("rename", old);
	return code;
}

/* All that is below FROM, or FROM itself: L gets old and new names. */
static int plan_rename(struct store *s, const char *from, const char *to,
		       struct strlist *l)
{
	struct strlist names = { 0 };
	size_t i, n = strlen(from);
	int code = all_names(s, &names);

	for (i = 0; !code && i < names.n; i++) {
		const char *name = names.item[i];
		char *target;

		if (!str_equal(name, from) && !is_below(name, from))
			continue;
		target = mem_printf("%s%s", to, name + n);
		code = store_check_name(target);
		if (!code && store_exists(s, target) == ERR_OK)
			code = ERR_EXISTS;
		strlist_add(l, name);
		strlist_add(l, target);
		free(target);
	}
	strlist_free(&names);
	return !code && l->n == 0 ? ERR_NOT_FOUND : code;
}

int store_rename(struct store *s, const char *from, const char *to)
{
	struct strlist l = { 0 };
	size_t i;
	int code = store_check_name(to);

	if (code)
		return code;
	if (str_equal_ci(to, "INBOX") || store_exists(s, to) == ERR_OK)
		return ERR_EXISTS;
	if (str_equal_ci(from, "INBOX"))
		return rename_inbox(s, to);
	if (is_below(to, from)) {
		code = store_exists(s, from);
		return code ? code : ERR_UNSUPPORTED;
	}
	code = store_lock(s);
	if (code)
		return code;
	code = plan_rename(s, from, to, &l);
	for (i = 0; !code && i + 1 < l.n; i += 2)
		code = rename_one(s, l.item[i], l.item[i + 1]);
	if (!code)
		code = names_rename(s, from, to);
	if (!code && fsync(s->dir) < 0)
		code = err_sys("sync", "the Maildir");
	store_unlock(s);
	strlist_free(&l);
	return code;
}

int store_subscribe(struct store *s, const char *name, bool on)
{
	int code = store_check_name(name);

	return code ? code : names_subscribe(s, name, on);
}

/* The last record of the journal suffices if no other program was there. */
static bool quick_status(struct store *s, const char *disk, struct folder *f)
{
	int64_t now[DIRS];
	bool good = folder_open(s->dir, disk, s->opener, false, f) == ERR_OK;

	if (!good)
		return false;
	good = folder_peek(f) == ERR_OK &&
	       messages_stamps(f->files, BOTH_DIRS, now) == ERR_OK &&
	       now[DIR_NEW] == f->last.mark[DIR_NEW] &&
	       now[DIR_CUR] == f->last.mark[DIR_CUR] &&
	       (!folder_fresh(f->last.time) || folder_sync(f) == ERR_OK);
	folder_close(f);
	return good;
}

/* The sum of all sizes as sent; such as are not known are measured. What
 * cannot be read has no size that anybody could be told. */
static uint64_t sum_sizes(struct mailbox *m)
{
	uint64_t sum = 0;

	for (uint32_t seq = 1; seq <= mailbox_count(m); seq++) {
		struct mailbox_message e = mailbox_get(m, seq);
		uint32_t size = e.size;

		if (!e.gone &&
		    (size > 0 || mailbox_size(m, seq, &size) == ERR_OK))
			sum += size;
	}
	return sum;
}

int store_status(struct store *s, const char *name, bool sizes,
		 struct store_status *st)
{
	char disk[DISK_NAME_SIZE];
	struct folder f;
	struct mailbox *m;
	int code = disk_name(name, disk);

	if (code)
		return ERR_NOT_FOUND;
	if (sizes || !quick_status(s, disk, &f)) {
		code = mailbox_open(s, name, true, &m);
		if (code)
			return code;
		mailbox_totals(m, &f.last);
		if (sizes)
			f.last.bytes = sum_sizes(m);
		f.head.uidvalidity = mailbox_uidvalidity(m);
		mailbox_close(&m);
	}
	*st = (struct store_status){
		.messages = f.last.messages,
		.recent = f.last.recent,
		.unseen = f.last.unseen,
		.deleted = f.last.deleted,
		.uidnext = f.last.uidnext,
		.uidvalidity = f.head.uidvalidity,
		.highestmodseq = f.last.modseq,
		.size = f.last.bytes,
	};
	return ERR_OK;
}
