/*
 * The lists of names in a Maildir, as files of lines that are read and replaced
 * as a whole: subscriptions, which other programs also read and write, and
 * special uses, which are our own.
 */
#include "mailbox/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "index/disk.h"
#include "mailbox/private.h"

#define LIST_MAX (4u << 20)

static const struct {
	const char *use;
	const char *name; /* a folder of this name has it by default */
} uses[] = {
	{ "\\Archive", "Archive" }, { "\\Drafts", "Drafts" },
	{ "\\Junk", "Junk" },	    { "\\Sent", "Sent" },
	{ "\\Trash", "Trash" },	    { "\\All", NULL },
	{ "\\Flagged", NULL },	    { "\\Important", NULL },
};
#define NUSES (sizeof(uses) / sizeof(uses[0]))

/* In the file, for a folder whose usual name means nothing. Former versions
 * ignore such a line. */
static const char no_use[] = "\\None";

const char *names_known_use(const char *use)
{
	size_t i;

	for (i = 0; i < NUSES; i++)
		if (str_equal_ci(uses[i].use, use))
			return uses[i].use;
	return NULL;
}

const char *names_usual_use(const char *name)
{
	for (size_t i = 0; i < NUSES; i++)
		if (uses[i].name && str_equal_ci(uses[i].name, name))
			return uses[i].use;
	return NULL;
}

const char *names_use_of(const struct strlist *l, const char *name)
{
	const char *use;
	size_t i;

	for (i = 0; i + 1 < l->n; i += 2)
		if (str_equal(l->item[i + 1], name))
			return str_equal(l->item[i], no_use) ? NULL
							     : l->item[i];
	use = names_usual_use(name);
	/* That use may have been given to another folder. */
	for (i = 0; use && i + 1 < l->n; i += 2)
		if (str_equal(l->item[i], use))
			use = NULL;
	return use;
}

int names_lines(struct store *s, const char *file, struct strlist *l)
{
	struct buf b;
	char *line, *rest;
	int fd = openat(s->dir, file,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int code;

	if (fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys("open", file);
	buf_init(&b, LIST_MAX);
	code = file_read_fd(fd, &b);
	close(fd);
	if (!code && b.len > 0)
		for (line = strtok_r(b.data, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			strlist_add(l, line);
	buf_free(&b);
	return code;
}

/* A line of `subscriptions` as a name of ours. */
static bool line_name(char *line, bool tabs, char *out, size_t size)
{
	char disk[DISK_NAME_SIZE];
	char *p;

	if (str_equal_ci(line, "INBOX"))
		return str_copy(out, size, "INBOX");
	/* On disk dots separate levels; some programs write '/' here. */
	for (p = line; *p; p++)
		if ((tabs && *p == '\t') || (!tabs && *p == '/'))
			*p = '.';
	if ((size_t)snprintf(disk, sizeof(disk), ".%s",
			     str_starts(line, "INBOX.") && !tabs
				     ? line + 6
				     : line) >= sizeof(disk))
		return false;
	return disk_name_read(disk, out, size) ||
	       disk_name_read_plain(disk, out, size);
}

int names_subscribed(struct store *s, struct strlist *l)
{
	struct strlist lines = { 0 };
	int code = names_lines(s, DISK_SUBSCRIPTIONS, &lines);
	bool tabs = lines.n > 0 && str_equal(lines.item[0], "V\t2");
	size_t i;

	for (i = tabs; !code && i < lines.n; i++) {
		char name[3 * DISK_NAME_SIZE];

		if (line_name(lines.item[i], tabs, name, sizeof(name)))
			strlist_add(l, name);
	}
	strlist_free(&lines);
	return code;
}

static int write_subscribed(struct store *s, const struct strlist *l)
{
	struct buf b;
	size_t i;
	int code;

	buf_init(&b, LIST_MAX);
	buf_puts(&b, "V\t2\n\n");
	for (i = 0; i < l->n; i++) {
		char disk[DISK_NAME_SIZE];
		char *p;

		if (disk_name_in(s->dir, l->item[i], disk) != ERR_OK)
			continue;
		for (p = disk + 1; *p; p++)
			if (*p == '.')
				*p = '\t';
		buf_puts(&b, disk[1] ? disk + 1 : "INBOX");
		buf_putc(&b, '\n');
	}
	code = b.over ? ERR_TOO_LONG
		      : store_replace_file(s->dir, DISK_SUBSCRIPTIONS, b.data,
					   b.len);
	buf_free(&b);
	return code;
}

static bool same_name(const char *a, const char *b)
{
	return str_equal(a, b) ||
	       (str_equal_ci(a, "INBOX") && str_equal_ci(b, "INBOX"));
}

/* Removes item I of L, and if PAIR the one after it. */
static void remove_at(struct strlist *l, size_t i, size_t count)
{
	size_t k;

	for (k = i; k < i + count; k++)
		free(l->item[k]);
	memmove(&l->item[i], &l->item[i + count],
		(l->n - i - count) * sizeof(*l->item));
	l->n -= count;
}

int names_subscribe(struct store *s, const char *name, bool on)
{
	struct strlist l = { 0 };
	bool changed = on;
	size_t i;
	int code = store_lock(s);

	if (code)
		return code;
	code = names_subscribed(s, &l);
	for (i = 0; i < l.n; i++) {
		if (!same_name(l.item[i], name))
			continue;
		changed = !on;
		if (!on)
			remove_at(&l, i--, 1);
	}
	if (on && changed)
		strlist_add(&l, name);
	if (!code && changed)
		code = write_subscribed(s, &l);
	store_unlock(s);
	strlist_free(&l);
	return code;
}

int names_uses(struct store *s, struct strlist *l)
{
	struct strlist lines = { 0 };
	int code = names_lines(s, DISK_USES, &lines);
	size_t i;

	for (i = 0; !code && i < lines.n; i++) {
		char *name = strchr(lines.item[i], ' ');
		const char *use;

		if (!name)
			continue;
		*name++ = '\0';
		use = str_equal(lines.item[i], no_use)
			      ? no_use
			      : names_known_use(lines.item[i]);
		if (!use || store_check_name(name) != ERR_OK)
			continue;
		strlist_add(l, use);
		strlist_add(l, name);
	}
	strlist_free(&lines);
	return code;
}

static int write_uses(struct store *s, const struct strlist *l)
{
	struct buf b;
	size_t i;
	int code;

	buf_init(&b, LIST_MAX);
	for (i = 0; i + 1 < l->n; i += 2)
		buf_printf(&b, "%s %s\n", l->item[i], l->item[i + 1]);
	code = b.over ? ERR_TOO_LONG
		      : store_replace_file(s->dir, DISK_USES, b.data, b.len);
	buf_free(&b);
	return code;
}

/* Removes the pairs whose item AT (0: use, 1: name) is TEXT. Were there any? */
static bool remove_pairs(struct strlist *l, size_t at, const char *text)
{
	bool had = false;

	for (size_t i = 0; i + 1 < l->n;) {
		if (str_equal(l->item[i + at], text)) {
			remove_at(l, i, 2);
			had = true;
		} else {
			i += 2;
		}
	}
	return had;
}

int names_give_use(struct store *s, const char *name, const char *use)
{
	struct strlist l = { 0 };
	int code = names_uses(s, &l);

	if (!use && names_usual_use(name))
		use = no_use;
	else if (use)
		remove_pairs(&l, 0, use);
	remove_pairs(&l, 1, name);
	if (use) {
		strlist_add(&l, use);
		strlist_add(&l, name);
	}
	if (!code)
		code = write_uses(s, &l);
	strlist_free(&l);
	return code;
}

int names_put_use(struct store *s, const char *name, const char *use)
{
	struct strlist l = { 0 };
	int code = names_uses(s, &l);
	bool had = remove_pairs(&l, 1, name);

	if (use) {
		strlist_add(&l, use);
		strlist_add(&l, name);
	}
	if (!code && (use || had))
		code = write_uses(s, &l);
	strlist_free(&l);
	return code;
}

int names_set_use(struct store *s, const char *name, const char *use)
{
	int code = store_lock(s);

	if (code)
		return code;
	code = names_put_use(s, name, use);
	store_unlock(s);
	return code;
}

/* NAME with FROM at its beginning, as a level, replaced by TO; or NULL. */
static char *renamed(const char *name, const char *from, const char *to)
{
	size_t n = strlen(from);

	if (strncmp(name, from, n) != 0 || (name[n] && name[n] != '/'))
		return NULL;
	return mem_printf("%s%s", to, name + n);
}

/* Removes the pairs of NAME and all below it. Were there any? */
static bool forget_in(struct strlist *l, const char *name)
{
	bool had = false;

	for (size_t i = 0; i + 1 < l->n;) {
		if (str_equal(l->item[i + 1], name) ||
		    store_is_below(l->item[i + 1], name)) {
			remove_at(l, i, 2);
			had = true;
		} else {
			i += 2;
		}
	}
	return had;
}

/* Adds a pair for TO, or below it, for each of FROM. Were there any? */
static bool prepare_in(struct strlist *l, const char *from, const char *to)
{
	size_t n = l->n;

	for (size_t i = 0; i + 1 < n; i += 2) {
		char *name = renamed(l->item[i + 1], from, to);

		if (!name)
			continue;
		strlist_add(l, l->item[i]);
		strlist_add(l, name);
		free(name);
	}
	return l->n > n;
}

int names_prepare(struct store *s, const char *from, const char *to)
{
	struct strlist l = { 0 };
	int code = names_uses(s, &l);
	bool had = forget_in(&l, to), more = prepare_in(&l, from, to);

	if (!code && (had || more))
		code = write_uses(s, &l);
	strlist_free(&l);
	return code;
}

int names_forget(struct store *s, const char *name)
{
	struct strlist l = { 0 };
	int code = names_uses(s, &l);

	if (!code && forget_in(&l, name))
		code = write_uses(s, &l);
	strlist_free(&l);
	return code;
}
