/*
 * Tables: the list of types, opening, and rereading changed files.
 */
#include "table/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "log/log.h"
#include "log/rate.h"
#include "table/type.h"

static const struct table_type *const types[] = {
	&table_hash,   &table_btree,  &table_texthash, &table_aliases,
	&table_inline, &table_static, &table_cidr,     &table_pcre,
};

#define NTYPES (sizeof(types) / sizeof(types[0]))

#define KEY_MAX 4096
#define DOUBT_MAX 65536

struct table {
	const struct table_type *type;
	char *spec;
	char *path; /* NULL if the table is not a file */
	bool targets; /* see table_list_open */
	void *content;
	struct buf doubt; /* what of it was not understood, one line */
	struct log_rate unsure_lines;
	pid_t opener;	    /* which process made `content` */
	pid_t looker;	    /* … and which saw last that it is the file */
	bool unsure;	    /* it may have changed before it was truncated */
	struct stamp stamp; /* of the file that `content` is, or was tried */
	int trouble;	    /* errno of the last look, ENODATA: emptied */
};

static const struct table_type *find_type(const char *spec, size_t n)
{
	for (size_t i = 0; i < NTYPES; i++)
		if (strlen(types[i]->name) == n &&
		    memcmp(types[i]->name, spec, n) == 0)
			return types[i];
	return NULL;
}

void table_types(struct buf *out)
{
	for (size_t i = 0; i < NTYPES; i++)
		buf_printf(out, "%s: %s\n", types[i]->name, types[i]->help);
}

static void complain_type(const char *spec, struct buf *faults)
{
	buf_printf(faults, "table %s: unknown type; known are", spec);
	for (size_t i = 0; i < NTYPES; i++)
		buf_printf(faults, " %s", types[i]->name);
	buf_puts(faults, "\n");
}

static void drop(struct table *t)
{
	if (t->content)
		t->type->free(t->content);
	t->content = NULL;
}

/* CONTENT, in which DOUBT was not understood, is what the table has now. */
static void take(struct table *t, void *content, struct buf *doubt,
		 struct buf *faults)
{
	drop(t);
	t->content = content;
	t->opener = getpid();
	buf_reset(&t->doubt);
	buf_put(&t->doubt, doubt->data, doubt->len);
	if (doubt->len)
		buf_printf(faults,
			   "table %s: mail to names that are not found waits "
			   "until that is mended\n",
			   t->spec);
}

/* Reads the file; on failure the former content stays. If it changed during
 * the reading, it is read again at the next look: false, and the stamp is WAS
 * until then. */
static bool load(struct table *t, const struct stamp *was, struct buf *faults)
{
	struct buf doubt;
	const struct text_reading r = { t->path, faults, &doubt, t->targets };
	struct timespec written = t->stamp.written;
	bool whole;
	void *fresh;

	buf_init(&doubt, DOUBT_MAX);
	fresh = t->type->load(&r);
	whole = stamp_holds(&t->stamp, t->path);
	if (!whole) {
		t->stamp = *was;
		t->stamp.written = written;
		if (fresh)
			t->type->free(fresh);
	} else if (fresh) {
		take(t, fresh, &doubt, faults);
	}
	buf_free(&doubt);
	return whole;
}

/* In a child the parent's content may be unusable. */
static void disown(struct table *t)
{
	if (!t->content || !(t->type->flags & TABLE_OWN) ||
	    t->opener == getpid())
		return;
	drop(t);
	t->stamp = (struct stamp){ 0 };
}

/* Logs once why the file cannot be looked at. */
static void out_of_reach(struct table *t, int errnum, struct buf *faults)
{
	if (errnum != t->trouble)
		buf_printf(faults, "%s: %s%s\n", t->path, strerror(errnum),
			   t->content ? "; the former content stays in use"
				      : "");
	t->trouble = errnum;
}

/* Logs once that the file was cut. */
static void was_cut(struct table *t)
{
	if (t->trouble != ENODATA)
		log_error("table %s: %s was emptied or cut within a line, "
			  "not replaced%s",
			  t->spec, t->path,
			  t->content ? "; the former content stays in use"
				     : "");
	t->trouble = ENODATA;
}

/* If the content is the file itself, and that was written to, there is no
 * former content to keep using. */
static void drop_if_written(struct table *t, const struct stamp *was,
			    enum stamp_state state)
{
	if ((t->type->flags & TABLE_OWN) &&
	    (state != STAMP_NEW || was->st.st_ino == t->stamp.st.st_ino))
		drop(t);
}

/* Looks at the file and reads it if it has changed. */
static void refresh(struct table *t, struct buf *faults)
{
	struct stamp was = t->stamp;
	bool lines = !(t->type->flags & TABLE_OWN); /* no database */
	enum stamp_state state = stamp_look(&t->stamp, t->path, lines);

	if (state == STAMP_LOST) {
		out_of_reach(t, errno, faults);
		return;
	}
	if (state != STAMP_SAME)
		drop_if_written(t, &was, state);
	if (state == STAMP_CUT)
		was_cut(t);
	else
		t->trouble = 0;
	if (state == STAMP_NEW && !load(t, &was, faults))
		state = STAMP_BUSY;
	if (state == STAMP_SAME || state == STAMP_NEW)
		t->looker = getpid();
}

static void refresh_and_log(struct table *t)
{
	struct buf faults;

	disown(t);
	buf_init(&faults, 65536);
	refresh(t, &faults);
	log_warn_lines(t->spec, faults.data);
	buf_free(&faults);
}

/* The content of a table that is no file. */
static void load_name(struct table *t, const char *name, struct buf *faults)
{
	const struct text_reading r = { name, faults, &t->doubt, t->targets };

	t->content = t->type->load(&r);
}

struct table *table_open(const char *spec, bool targets, struct buf *faults)
{
	size_t n = strcspn(spec, ":");
	const struct table_type *type = find_type(spec, n);
	struct table *t;

	if (!type || spec[n] != ':') {
		complain_type(spec, faults);
		return NULL;
	}
	if ((type->flags & TABLE_FILE) && spec[n + 1] != '/') {
		buf_printf(faults, "table %s: needs an absolute path\n", spec);
		return NULL;
	}
	t = mem_alloc(sizeof(*t));
	t->type = type;
	t->spec = mem_strdup(spec);
	t->targets = targets;
	buf_init(&t->doubt, DOUBT_MAX);
	if (type->flags & TABLE_FILE) {
		t->path = mem_printf("%s%s", spec + n + 1, type->suffix);
		refresh(t, faults);
	} else {
		load_name(t, spec + n + 1, faults);
		if (!t->content)
			table_free(&t);
	}
	return t;
}

void table_free(struct table **t)
{
	if (!*t)
		return;
	drop(*t);
	free((*t)->path);
	free((*t)->spec);
	buf_free(&(*t)->doubt);
	free(*t);
	*t = NULL;
}

void table_look(struct table *t)
{
	if (t->path)
		refresh_and_log(t);
}

/* No content: the file is missing, or there is a fault, which was logged when
 * it was found. */
static int no_content(const struct table *t)
{
	bool lacks = (t->type->flags & TABLE_MAY_LACK) && t->trouble == ENOENT;

	return lacks ? ERR_UNSURE : ERR_TEMP;
}

/* A process that has the content from its parent, and had not seen the file
 * itself before it was truncated, does not know its last content: a missing
 * key may have been added since. */
static bool is_unsure(const struct table *t)
{
	return t->path && t->looker != getpid() && stamp_is_young(&t->stamp);
}

/* KEY was not found, but may be in a line that was not understood. */
static int doubt_it(struct table *t, const char *key)
{
	if (log_rate_allows(&t->unsure_lines, 1, "names that are not found"))
		log_warn("table %s: %s is not found, but may be in what is "
			 "not understood: %s",
			 t->spec, key, t->doubt.data);
	return ERR_UNSURE;
}

/* Asks the content for KEY. */
static int ask(struct table *t, const char *key, struct buf *value)
{
	char folded[KEY_MAX];

	if (!str_copy(folded, sizeof(folded), key))
		return ERR_NOT_FOUND;
	if (!(t->type->flags & TABLE_EXACT))
		str_lower(folded);
	return t->type->get(t->content, folded, value);
}

int table_get(struct table *t, const char *key, struct buf *value)
{
	int err;

	buf_reset(value);
	table_look(t);
	if (!t->content)
		return no_content(t);
	err = ask(t, key, value);
	if (err == ERR_NOT_FOUND && is_unsure(t)) {
		buf_puts(value, "the file is being written");
		err = ERR_TEMP;
	}
	if (!err && value->over)
		err = ERR_TOO_LONG;
	if (err && err != ERR_NOT_FOUND) {
		log_warn("table %s: lookup of %s: %s", t->spec, key,
			 value->len ? value->data : err_why(err));
		err = ERR_TEMP;
	}
	return err == ERR_NOT_FOUND && t->doubt.len ? doubt_it(t, key) : err;
}

const char *table_doubt(const struct table *t)
{
	return t->doubt.data;
}

const char *table_spec(const struct table *t)
{
	return t->spec;
}

bool table_is_pattern(const struct table *t)
{
	return t->type->flags & TABLE_PATTERN;
}

uid_t table_owner(const struct table *t)
{
	return t->path ? t->stamp.st.st_uid : 0;
}
