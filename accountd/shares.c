#include "accountd/shares.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"

#define ANYONE "anyone"

static struct {
	char *dir;
} self;

void shares_begin(const char *dir)
{
	free(self.dir);
	self.dir = mem_printf("%s/shares", dir);
}

static bool is_plain(unsigned char c, bool first)
{
	return c > ' ' && c != 0x7f && c != '%' && c != '/' &&
	       (c != '.' || !first);
}

/* NAME as that of a file: other bytes become %XX. False: too long. */
static bool put_name(struct buf *b, const char *name)
{
	size_t from = b->len;

	for (const char *p = name; *p; p++)
		if (is_plain((unsigned char)*p, p == name))
			buf_putc(b, *p);
		else
			buf_printf(b, "%%%02X", (unsigned char)*p);
	return !b->over && b->len > from && b->len - from <= NAME_MAX;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The name that FILE stands for, in place. False: it is not one of ours. */
static bool read_name(char *file)
{
	char *to = file;

	if (*file == '.')
		return false;
	for (const char *p = file; *p; p++) {
		if (*p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
			*to++ = (char)(hex(p[1]) * 16 + hex(p[2]));
			p += 2;
		} else if (*p == '%') {
			return false;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return true;
}

/* The folder of IDENTIFIER, or with OWNER the entry. */
static int path_of(struct buf *b, const char *identifier, const char *owner)
{
	buf_init(b, PATH_MAX);
	buf_printf(b, "%s/", self.dir);
	if (!put_name(b, identifier))
		return err_set(ERR_TOO_LONG, "%s: too long a name", identifier);
	if (!owner)
		return ERR_OK;
	buf_putc(b, '/');
	return put_name(b, owner)
		       ? ERR_OK
		       : err_set(ERR_TOO_LONG, "%s: too long a name", owner);
}

/* Makes PATH's folder, durably. */
static int make_dirs(const char *identifier)
{
	struct buf b;
	int code = path_of(&b, identifier, NULL);

	if (!code)
		code = file_make_dirs(b.data, 0700);
	if (!code)
		code = file_sync_dir(self.dir);
	buf_free(&b);
	return code;
}

static int sync_entry(const char *identifier)
{
	struct buf b;
	int code = path_of(&b, identifier, NULL);

	if (!code)
		code = file_sync_dir(b.data);
	buf_free(&b);
	return code;
}

int shares_add(const char *owner, const char *identifier)
{
	struct buf b;
	int code = path_of(&b, identifier, owner), fd;

	if (!code)
		code = make_dirs(identifier);
	if (!code) {
		/* whatever has the name says so: it is not opened */
		fd = open(b.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			  0600);
		code = fd < 0 && errno != EEXIST ? err_sys("make", b.data)
						 : sync_entry(identifier);
		if (fd >= 0)
			close(fd);
	}
	buf_free(&b);
	return code;
}

int shares_remove(const char *owner, const char *identifier)
{
	struct buf b;
	int code = path_of(&b, identifier, owner);

	if (!code && unlink(b.data) < 0 && errno != ENOENT)
		code = err_sys("remove", b.data);
	buf_free(&b);
	return code;
}

/* *D is NULL if there is no such folder, or after an error. */
static int open_folder(const char *path, DIR **d)
{
	*d = opendir(path);
	return *d || errno == ENOENT ? ERR_OK : err_sys("open", path);
}

/* Removes OWNER's entries that are not among IDENTIFIERS. */
static int remove_others(const char *owner, const struct strlist *identifiers)
{
	DIR *d;
	struct dirent *e;
	int code = open_folder(self.dir, &d);

	while (d && !code && !(code = file_next(d, self.dir, &e)) && e)
		if (read_name(e->d_name) &&
		    !strlist_has_ci(identifiers, e->d_name))
			code = shares_remove(owner, e->d_name);
	if (d)
		closedir(d);
	return code;
}

int shares_set(const char *owner, const struct strlist *identifiers)
{
	int code = remove_others(owner, identifiers);

	for (size_t i = 0; !code && i < identifiers->n; i++)
		code = shares_add(owner, identifiers->item[i]);
	return code;
}

static bool has(const char *owner, const char *identifier)
{
	struct buf b;
	bool found = path_of(&b, identifier, owner) == ERR_OK &&
		     access(b.data, F_OK) == 0;

	buf_free(&b);
	return found;
}

bool shares_have(const char *owner, const char *user)
{
	return has(owner, user) || has(owner, ANYONE);
}

static void add_owners(const char *identifier, const char *user,
		       struct strlist *owners)
{
	struct dirent *e;
	struct buf b;
	DIR *d = NULL;
	int code = path_of(&b, identifier, NULL);

	if (!code)
		code = open_folder(b.data, &d);
	while (d && owners->n < SHARES_MAX &&
	       !(code = file_next(d, b.data, &e)) && e)
		if (read_name(e->d_name) && !str_equal(e->d_name, user))
			strlist_add(owners, e->d_name);
	if (code)
		log_warn("not all folders of others are shown to %s: %s", user,
			 err_why(code));
	if (d)
		closedir(d);
	buf_free(&b);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void shares_owners(const char *user, struct strlist *owners)
{
	size_t n = 0;

	add_owners(user, user, owners);
	add_owners(ANYONE, user, owners);
	if (owners->n > 1)
		qsort(owners->item, owners->n, sizeof(*owners->item), by_name);
	for (size_t i = 0; i < owners->n; i++)
		if (n > 0 && str_equal(owners->item[n - 1], owners->item[i]))
			free(owners->item[i]);
		else
			owners->item[n++] = owners->item[i];
	owners->n = n;
}
