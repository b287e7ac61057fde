/*
 * A line of the file is "folder NAME" or "subscription NAME", added when that
 * was done. After a power cut between the two it is done again, which finds
 * what is there. Sessions that do it at once do no harm: one of them makes a
 * folder, the others find it.
 */
#include "mailbox/autocreate.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "mailbox/names.h"
#include "mailbox/private.h"

#define FILE_MAX (1u << 20)

static const char folder_word[] = "folder";
static const char subscription_word[] = "subscription";

static bool has_line(const struct strlist *l, const char *word,
		     const char *name)
{
	char *line = mem_printf("%s %s", word, name);
	bool has = false;

	for (size_t i = 0; i < l->n && !has; i++)
		has = str_equal(l->item[i], line);
	free(line);
	return has;
}

static void add_line(struct strlist *l, const char *word, const char *name)
{
	char *line = mem_printf("%s %s", word, name);

	strlist_add(l, line);
	free(line);
}

static bool has_all(const struct strlist *done, const char *word,
		    const struct strlist *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (!has_line(done, word, names->item[i]))
			return false;
	return true;
}

/* The folder that is there for NAME, whose special use is USE or NULL. */
static const struct store_folder *find(const struct store_list *all,
				       const char *name, const char *use)
{
	const struct store_folder *found = NULL;

	for (size_t i = 0; i < all->n; i++) {
		const struct store_folder *f = &all->folder[i];

		if (use && str_equal(f->special_use, use))
			return f;
		if (f->exists && str_equal(f->name, name))
			found = f;
	}
	return found;
}

/* Another session may have made it, and its user deleted it, since this one
 * read the file. */
static bool is_made(struct store *s, const char *name)
{
	struct strlist now = { 0 };
	bool made = names_lines(s, DISK_AUTOCREATED, &now) == ERR_OK &&
		    has_line(&now, folder_word, name);

	strlist_free(&now);
	return made;
}

static int make_one(struct store *s, const struct store_list *all,
		    const char *name)
{
	const char *use = names_usual_use(name);
	const struct store_folder *f = find(all, name, use);
	int code;

	if (f)
		return use && !f->special_use ? names_set_use(s, name, use)
					      : ERR_OK;
	if (is_made(s, name))
		return ERR_OK;
	code = store_create(s, name, use);
	return code == ERR_EXISTS ? ERR_OK : code;
}

/* A folder that its user deleted, or nobody made, is not subscribed. */
static int subscribe_one(struct store *s, const struct store_list *all,
			 const char *name)
{
	const struct store_folder *f = find(all, name, names_usual_use(name));

	return f && !f->subscribed ? names_subscribe(s, f->name, true)
				   : ERR_OK;
}

static void keep_first(int *first, int code)
{
	if (!*first)
		*first = code;
}

/* Could NAME not be made, and so is it subscribed later? */
static bool is_pending(const struct strlist *create, const struct strlist *done,
		       const struct strlist *fresh, const char *name)
{
	for (size_t i = 0; i < create->n; i++)
		if (str_equal(create->item[i], name))
			return !has_line(done, folder_word, name) &&
			       !has_line(fresh, folder_word, name);
	return false;
}

typedef int do_one(struct store *s, const struct store_list *all,
		   const char *name);

/* Does ONE with each of NAMES with which that was not done before, as a line of
 * DONE with WORD would say, and adds such a line to FRESH. A subscription waits
 * until its folder, if it is one of CREATE, is made. Gives the first failure. */
static int do_all(struct store *s, const struct strlist *names,
		  const char *word, do_one *one, const struct strlist *create,
		  const struct strlist *done, struct strlist *fresh)
{
	struct store_list all;
	int first = store_list(s, &all);
	size_t n = first ? 0 : names->n;

	for (size_t i = 0; i < n; i++) {
		const char *name = names->item[i];
		int code;

		if (has_line(done, word, name) ||
		    (names != create && is_pending(create, done, fresh, name)))
			continue;
		code = one(s, &all, name);
		if (!code)
			add_line(fresh, word, name);
		keep_first(&first, code);
	}
	store_list_free(&all);
	return first;
}

static int write_lines(struct store *s, const struct strlist *l)
{
	struct buf b;
	int code;

	buf_init(&b, FILE_MAX);
	for (size_t i = 0; i < l->n; i++)
		buf_printf(&b, "%s\n", l->item[i]);
	code = b.over ? ERR_TOO_LONG
		      : store_replace_file(s->dir, DISK_AUTOCREATED, b.data,
					   b.len);
	buf_free(&b);
	return code;
}

/* Adds the lines FRESH to those that are there now. */
static int remember(struct store *s, const struct strlist *fresh)
{
	struct strlist now = { 0 };
	int code;

	if (fresh->n == 0)
		return ERR_OK;
	code = store_lock(s);
	if (code)
		return code;
	code = names_lines(s, DISK_AUTOCREATED, &now);
	for (size_t i = 0; i < fresh->n; i++)
		strlist_add(&now, fresh->item[i]);
	if (!code)
		code = write_lines(s, &now);
	store_unlock(s);
	strlist_free(&now);
	return code;
}

int autocreate_run(struct store *s, const struct strlist *create,
		   const struct strlist *subscribe)
{
	struct strlist done = { 0 }, fresh = { 0 };
	int code = names_lines(s, DISK_AUTOCREATED, &done);

	if (!code && (!has_all(&done, folder_word, create) ||
		      !has_all(&done, subscription_word, subscribe))) {
		code = do_all(s, create, folder_word, make_one, create, &done,
			      &fresh);
		keep_first(&code,
			   do_all(s, subscribe, subscription_word,
				  subscribe_one, create, &done, &fresh));
		keep_first(&code, remember(s, &fresh));
	}
	strlist_free(&done);
	strlist_free(&fresh);
	return code;
}
