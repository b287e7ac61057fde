/* The annotations of a folder, in its file (entry-file.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "mailbox/entry-file.h"
#include "mailbox/metadata.h"
#include "mailbox/names.h"
#include "mailbox/private.h"

static bool is_good(const struct metadata_entry *e)
{
	char name[METADATA_NAME_SIZE];

	return metadata_name(e->name, name) == ERR_OK &&
	       str_equal(name, e->name) && metadata_is_entry(name);
}

static const struct entry_kind annotations = {
	.word = "posthorn-metadata",
	.lost = "its annotations are gone",
	.max = METADATA_ENTRIES_MAX,
	.is_good = is_good,
};

static int open_place(struct entry_place *p, struct store *s,
		      const char *folder)
{
	return entry_open(p, s, folder,
			  *folder ? DISK_METADATA : DISK_METADATA_ACCOUNT,
			  &annotations);
}

int metadata_check(int dir)
{
	return entry_check(dir, DISK_METADATA, &annotations);
}

struct metadata_stamp metadata_stamp(struct store *s, const char *folder)
{
	struct metadata_stamp stamp = { 0 };
	char disk[DISK_NAME_SIZE] = ".", path[DISK_NAME_SIZE + 40];
	struct stat st;

	if (*folder && disk_name_in(s->dir, folder, disk) != ERR_OK)
		return stamp;
	snprintf(path, sizeof(path), "%s/%s", disk,
		 *folder ? DISK_METADATA : DISK_METADATA_ACCOUNT);
	if (fstatat(s->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		stamp.file = (uint64_t)st.st_ino;
		stamp.size = (uint64_t)st.st_size;
		stamp.changed = (int64_t)st.st_ctim.tv_sec * 1000000000 +
				st.st_ctim.tv_nsec;
	}
	return stamp;
}

bool metadata_stamp_equal(const struct metadata_stamp *a,
			  const struct metadata_stamp *b)
{
	return a->file == b->file && a->size == b->size &&
	       a->changed == b->changed;
}

int metadata_read_with(struct store *s, const char *folder, const char *use,
		       struct metadata *m)
{
	struct entry_place p;
	int code = open_place(&p, s, folder);

	if (code)
		return code;
	code = entry_read(&p, m);
	close(p.dir);
	if (!code && use)
		metadata_set(m, METADATA_USE, use, strlen(use));
	return code;
}

int metadata_read(struct store *s, const char *folder, struct metadata *m)
{
	const char *use = NULL;
	int code = *folder ? store_special_use(s, folder, &use) : ERR_OK;

	return code ? code : metadata_read_with(s, folder, use, m);
}

/* The entries of FORMER with those of CHANGES, but for the special use. */
static void unite(const struct metadata *former, const struct metadata *changes,
		  const struct metadata_entry *use, struct metadata *m)
{
	for (size_t i = 0; i < former->n; i++) {
		const struct metadata_entry *e = &former->entry[i];

		if (!metadata_find(changes, e->name))
			metadata_set(m, e->name, e->value, e->n);
	}
	for (size_t i = 0; i < changes->n; i++) {
		const struct metadata_entry *e = &changes->entry[i];

		if (e->value && e != use)
			metadata_set(m, e->name, e->value, e->n);
	}
}

static int check_limits(const struct metadata *m)
{
	size_t total = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->entry[i].n > METADATA_VALUE_MAX)
			return ERR_TOO_LONG;
		total += m->entry[i].n + strlen(m->entry[i].name);
	}
	return m->n > METADATA_ENTRIES_MAX || total > METADATA_TOTAL_MAX
		       ? ERR_LIMIT
		       : ERR_OK;
}

/* The special use in the value of E, or NULL for none, into *USE. Folders have
 * one at most, INBOX none. */
static int read_use(const struct entry_place *p, const struct metadata_entry *e,
		    const char **use)
{
	char *text;

	*use = NULL;
	if (e->n == 0)
		return ERR_OK;
	text = mem_strndup(e->value, e->n);
	if (strlen(text) == e->n)
		*use = names_known_use(text);
	free(text);
	return *use && !str_equal(p->folder, "INBOX") ? ERR_OK
						      : ERR_UNSUPPORTED;
}

/* Is a change of CHANGES another than that of USE? */
static bool changes_file(const struct metadata *changes,
			 const struct metadata_entry *use)
{
	return changes->n > (use ? 1 : 0);
}

/* Under the user's lock: the file, then the use; if that fails the file is as
 * it was. */
static int write_both(const struct entry_place *p, const struct metadata *former,
		      const struct metadata *m, bool file, bool set,
		      const char *use)
{
	int code = file ? entry_write(p, m) : ERR_OK;

	if (code || !set)
		return code;
	code = names_give_use(p->s, p->folder, use);
	if (code && file && entry_write(p, former) != ERR_OK)
		log_warn("mailbox: %s: annotations of %s are changed, but not "
			 "its special use",
			 p->s->path, p->folder);
	return code;
}

static int change(struct entry_place *p, const struct metadata *changes)
{
	const struct metadata_entry *e =
		*p->folder ? metadata_find(changes, METADATA_USE) : NULL;
	struct metadata former = { 0 }, m = { 0 };
	const char *use = NULL;
	int code = e ? read_use(p, e, &use) : ERR_OK;

	if (!code)
		code = entry_read(p, &former);
	unite(&former, changes, e, &m);
	if (!code)
		code = check_limits(&m);
	if (!code)
		code = write_both(p, &former, &m, changes_file(changes, e), e,
				  use);
	metadata_free(&former);
	metadata_free(&m);
	return code;
}

int metadata_change(struct store *s, const char *folder,
		    const struct metadata *changes)
{
	struct entry_place p;
	int code = open_place(&p, s, folder);

	if (code)
		return code;
	code = store_lock(s);
	if (!code) {
		p.locked = true;
		code = change(&p, changes);
		store_unlock(s);
	}
	close(p.dir);
	return code;
}

int metadata_copy(struct store *s, const char *from, const char *to)
{
	struct metadata m = { 0 };
	int code = metadata_read_with(s, from, NULL, &m);

	if (!code && m.n > 0)
		code = metadata_change(s, to, &m);
	metadata_free(&m);
	return code;
}
