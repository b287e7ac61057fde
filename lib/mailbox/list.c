/*
 * Which folders a user has: their names on disk, the levels above them, and
 * what is subscribed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "mailbox/acl.h"
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

/* The folder's name for the directory DISK. If its name has two spellings that
 * are both there, only the one that would be opened counts. */
static bool read_name(struct store *s, const char *disk, char *name,
		      size_t size)
{
	char found[DISK_NAME_SIZE];

	if (disk[0] != '.' || !disk[1] || disk[1] == '.')
		return false;
	return disk_name_read(disk, name, size) ||
	       (disk_name_read_plain(disk, name, size) &&
		disk_name_in(s->dir, name, found) == ERR_OK &&
		str_equal(found, disk));
}

int store_names(struct store *s, struct strlist *l)
{
	struct dirent *e;
	DIR *d;
	int code = open_dir(s, &d);

	if (code)
		return code;
	while (!(code = file_next(d, "of folders", &e)) && e) {
		char name[3 * DISK_NAME_SIZE];

		if ((e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) &&
		    read_name(s, e->d_name, name, sizeof(name)) &&
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

bool store_is_below(const char *name, const char *parent)
{
	size_t n = strlen(parent);

	return strncmp(name, parent, n) == 0 && name[n] == '/';
}

/* Is it INBOX, or below it? */
static bool comes_first(const unsigned char *name)
{
	return strcmp((const char *)name, "INBOX") == 0 ||
	       store_is_below((const char *)name, "INBOX");
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

	if (l->n > 0)
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

	for (i++; i < l->n && store_is_below(l->folder[i].name, name); i++)
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

static bool has_name(const struct strlist *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (str_equal(l->item[i], name))
			return true;
	return false;
}

/* Leaves the uses of NAMES. Others are of folders that are gone, or not yet
 * there: an error or a power cut came in between. */
static void drop_unused(struct strlist *uses, const struct strlist *names)
{
	size_t i, to = 0;

	for (i = 0; i + 1 < uses->n; i += 2) {
		if (has_name(names, uses->item[i + 1])) {
			uses->item[to++] = uses->item[i];
			uses->item[to++] = uses->item[i + 1];
		} else {
			free(uses->item[i]);
			free(uses->item[i + 1]);
		}
	}
	uses->n = to;
}

static int use_among(struct store *s, const struct strlist *names,
		     const char *name, const char **use)
{
	struct strlist uses = { 0 };
	int code = names_uses(s, &uses);
	const char *found;

	drop_unused(&uses, names);
	found = code ? NULL : names_use_of(&uses, name);
	*use = found ? names_known_use(found) : NULL;
	strlist_free(&uses);
	return code;
}

int store_special_use(struct store *s, const char *name, const char **use)
{
	struct strlist names = { 0 };
	int code = store_names(s, &names);

	*use = NULL;
	if (!code)
		code = use_among(s, &names, name, use);
	strlist_free(&names);
	return code;
}

static bool any_below(const struct strlist *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (store_is_below(names->item[i], name))
			return true;
	return false;
}

int store_folder(struct store *s, const char *name, struct store_folder *f)
{
	struct strlist names = { 0 }, subscribed = { 0 };
	int code = store_names(s, &names);

	*f = (struct store_folder){ 0 };
	if (!code)
		code = names_subscribed(s, &subscribed);
	if (!code) {
		f->exists = str_equal(name, "INBOX") || has_name(&names, name);
		f->subscribed = has_name(&subscribed, name);
		f->has_children = any_below(&names, name);
	}
	if (!code && f->exists)
		code = use_among(s, &names, name, &f->special_use);
	strlist_free(&names);
	strlist_free(&subscribed);
	return code;
}

/* Rows for NAMES, which exist, and for SUBSCRIBED, with the levels above them. */
static void add_rows(struct store_list *l, const struct strlist *names,
		     const struct strlist *subscribed)
{
	for (size_t i = 0; i < names->n; i++) {
		add_row(l, names->item[i], true, false);
		add_levels(l, names->item[i]);
	}
	for (size_t i = 0; i < subscribed->n; i++) {
		add_row(l, subscribed->item[i], false, true);
		add_levels(l, subscribed->item[i]);
	}
	unite(l);
}

int store_list(struct store *s, struct store_list *l)
{
	struct strlist names = { 0 }, subscribed = { 0 }, uses = { 0 };
	int code;

	memset(l, 0, sizeof(*l));
	code = store_names(s, &names);
	if (!code)
		code = names_subscribed(s, &subscribed);
	if (!code)
		code = names_uses(s, &uses);
	if (!code) {
		add_row(l, "INBOX", true, false);
		add_rows(l, &names, &subscribed);
		drop_unused(&uses, &names);
		describe(l, &uses);
	}
	strlist_free(&names);
	strlist_free(&subscribed);
	strlist_free(&uses);
	return code;
}

/* Adds NAME to OUT if VISITOR may look it up. */
static int add_visible(struct store *s, const char *name, const char *visitor,
		       struct strlist *out)
{
	unsigned rights;
	int code = acl_rights_in(s, name, visitor, &rights);

	if (!code && rights & ACL_LOOKUP)
		strlist_add(out, name);
	return code == ERR_NOT_FOUND ? ERR_OK : code; /* deleted since */
}

int store_list_for(struct store *s, const char *visitor,
		   const struct strlist *subscribed, struct store_list *l)
{
	struct strlist names = { 0 }, visible = { 0 };
	int code;

	memset(l, 0, sizeof(*l));
	code = store_names(s, &names);
	if (!code)
		code = add_visible(s, "INBOX", visitor, &visible);
	for (size_t i = 0; !code && i < names.n; i++)
		code = add_visible(s, names.item[i], visitor, &visible);
	if (!code) {
		add_rows(l, &visible, subscribed);
		for (size_t i = 0; i < l->n; i++)
			l->folder[i].has_children = has_below(l, i);
	}
	strlist_free(&names);
	strlist_free(&visible);
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
