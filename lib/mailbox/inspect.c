#include "mailbox/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "index/check.h"
#include "mailbox/acl.h"
#include "mailbox/metadata.h"
#include "mailbox/private.h"
#include "messages/content.h"

static void file_path(char out[300], unsigned dir, const char *name, size_t n)
{
	snprintf(out, 300, "%s/%.*s", dir == DIR_NEW ? "new" : "cur", (int)n,
		 name);
}

/* Are the bytes of E's file, listed as L, those that were recorded? */
static void check_content(struct check *c, const struct entry *e,
			  const char *raw, const struct listing_file *l)
{
	struct message_ref r = { index_name(c->x, e), e->nname, l->dir,
				 l->letters, raw };
	enum content what = CONTENT_RIGHT;
	char path[300];
	uint32_t crc;
	int fd, code = messages_open(index_messages(c->x), &r, &fd);

	file_path(path, l->dir, raw, strlen(raw));
	if (!code) {
		code = index_content(c->x, e->uid, &crc);
		if (!code || code == ERR_NOT_FOUND)
			code = content_judge(fd, e->size, code ? NULL : &crc,
					     CONTENT_ANY_TIME, &what);
		close(fd);
	}
	if (code == ERR_NOT_FOUND)
		return; /* renamed since it was listed */
	if (code)
		check_tell(c, path, -1, "none: a session cannot read it either",
			   "uid %" PRIu32 ": %s", e->uid, err_why(code));
	else if (what != CONTENT_RIGHT)
		check_tell(c, path, -1,
			   "the message as it is now gets a new UID, if it was "
			   "promised; else it is put into tmp",
			   "uid %" PRIu32 ": %s", e->uid,
			   what == CONTENT_CHANGED
				   ? "other bytes than were recorded"
			   : what == CONTENT_EMPTY ? "empty, or only zeros"
						   : "only a part is there");
}

/* E's file is listed as L. */
static void check_file(struct check *c, const struct entry *e,
		       const struct listing *all, const struct listing_file *l)
{
	const char *raw = listing_name(all, (size_t)(l - all->file));
	char path[300];

	file_path(path, l->dir, raw, strlen(raw));
	if (l->letters != e->letters)
		check_tell(c, path, -1, "its flags are taken over",
			   "uid %" PRIu32 ": renamed by another program",
			   e->uid);
	check_content(c, e, raw, l);
}

/* Which listed file has which base name; those with one of another are told. */
static struct map *by_name(struct check *c, const struct listing *all)
{
	struct map *m = map_new();

	for (size_t i = 0; i < all->n; i++) {
		const char *raw = listing_name(all, i);
		char *base = mem_strndup(raw, all->file[i].nbase);
		char path[300];

		file_path(path, all->file[i].dir, raw, strlen(raw));
		if (map_get(m, base))
			check_tell(c, path, -1,
				   "it is removed if it holds the same, else "
				   "it is "
				   "a message of its own",
				   "a second file of that name");
		else
			map_put(m, base, &all->file[i]);
		free(base);
	}
	return m;
}

static void check_files(struct check *c, const struct listing *all)
{
	struct map *m = by_name(c, all);
	const struct entry *e;
	const char *base;
	uint32_t i = 0;
	size_t pos = 0;
	void *value;

	while ((e = index_next(c->x, &i))) {
		const char *name = index_name(c->x, e);
		char *key = mem_strndup(name ? name : "", name ? e->nname : 0);
		struct listing_file *l = map_remove(m, key);

		if (l)
			check_file(c, e, all, l);
		else
			check_tell(c, key, -1, "the message counts as expunged",
				   "uid %" PRIu32 ": there is no such file",
				   e->uid);
		free(key);
	}
	while ((base = map_next(m, &pos, &value)))
		check_tell(c, base, -1,
			   "it is a new message, unless an expunge left "
			   "it",
			   "a file without a record");
	map_free(&m);
}

/* FILE, whose check gave CODE. */
static void check_entries(struct check *c, const char *file, int code,
			  const char *without)
{
	if (code == ERR_CORRUPT)
		check_tell(c, file, -1, without, "%s", err_why(code));
	else if (code)
		check_tell(c, file, -1, "none: a session cannot read it either",
			   "%s", err_why(code));
}

static void check_entry_files(struct check *c)
{
	check_entries(c, DISK_METADATA, metadata_check(index_dir(c->x)),
		      "it is kept aside, and the folder has no annotations");
	check_entries(c, DISK_ACL, acl_check(index_dir(c->x)),
		      "it is kept aside, and others may do nothing there");
}

static int check_all(struct check *c)
{
	struct listing all;
	bool read;
	int code = check_journal(c, &read);

	if (code || !read)
		return code;
	code = messages_list(index_messages(c->x), BOTH_DIRS, &all);
	if (!code) {
		check_rest(c);
		check_files(c, &all);
	}
	listing_free(&all);
	return code;
}

/* The directory DISK of the folder NAME, which is there. */
static int find(struct store *s, const char *name, char disk[DISK_NAME_SIZE])
{
	int code = disk_name_in(s->dir, name, disk);

	return code ? code : store_exists(s, name);
}

static int open_folder(struct store *s, const char *name, struct folder *f)
{
	char disk[DISK_NAME_SIZE];
	int code = find(s, name, disk);

	return code ? code : folder_open(s->dir, disk, s->opener, false, f);
}

/* Who is told what is found. */
struct teller {
	inspect_found *found;
	void *context;
};

static void tell(void *context, const char *file, int64_t at,
		 const char *repair, const char *what)
{
	const struct teller *t = context;
	const struct inspect_finding f = { file, at, what, repair };

	t->found(t->context, &f);
}

int inspect_check(struct store *s, const char *name, inspect_found *found,
		  void *context)
{
	struct teller to = { found, context };
	struct index x;
	struct check c = { .x = &x, .found = tell, .context = &to };
	char disk[DISK_NAME_SIZE];
	int code = find(s, name, disk);

	if (code)
		return code;
	index_init(&x);
	code = index_open(&x, s->dir, disk, s->opener, false);
	if (!code) {
		check_entry_files(&c);
		code = check_all(&c);
		check_end(&c);
	}
	index_close(&x);
	return code;
}

int inspect_forget(struct store *s, const char *name)
{
	struct folder f;
	int code = open_folder(s, name, &f);

	if (code)
		return code;
	code = check_forget(&f);
	folder_close(&f);
	return code;
}

int inspect_dump(struct store *s, const char *name, inspect_line *line,
		 void *context)
{
	struct folder f;
	int code = open_folder(s, name, &f);

	if (code)
		return code;
	code = dump_journal(&f, line, context);
	folder_close(&f);
	return code;
}

int inspect_mend(struct store *s, const char *name)
{
	struct mailbox *m;
	int code = mailbox_open(s, name, false, &m);

	if (!code)
		mailbox_close(&m);
	return code;
}
