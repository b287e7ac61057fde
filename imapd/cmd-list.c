/*
 * LIST and LSUB, with the selection and return options of RFC 5258, RFC 5819,
 * RFC 6154 and RFC 9590. Names are matched in the form they have on the wire.
 */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/metadata.h"
#include "imapd/namespace.h"
#include "imapd/others.h"
#include "imapd/pattern.h"
#include "imapd/rights.h"
#include "imapd/status.h"
#include "imaptext/imaptext.h"
#include "mime/encode.h"

enum {
	SELECT_SUBSCRIBED = 1 << 0,
	SELECT_SPECIAL_USE = 1 << 1,
	SELECT_RECURSIVE = 1 << 2,
	SELECT_REMOTE = 1 << 3, /* we have none */
	RETURN_SUBSCRIBED = 1 << 4,
	RETURN_CHILDREN = 1 << 5,
	RETURN_SPECIAL_USE = 1 << 6,
	RETURN_MYRIGHTS = 1 << 7 /* RFC 8440 */
};

/* Options that say which names are wanted, rather than how. */
#define SELECT_BASE (SELECT_SUBSCRIBED | SELECT_SPECIAL_USE)

#define STATUS_MAX 4096 /* a name, quoted, and some numbers */

struct option {
	const char *name;
	unsigned bit;
};

static const struct option select_options[] = {
	{ "SUBSCRIBED", SELECT_SUBSCRIBED },
	{ "SPECIAL-USE", SELECT_SPECIAL_USE },
	{ "RECURSIVEMATCH", SELECT_RECURSIVE },
	{ "REMOTE", SELECT_REMOTE },
	{ NULL, 0 },
};

static const struct option return_options[] = {
	{ "SUBSCRIBED", RETURN_SUBSCRIBED },
	{ "CHILDREN", RETURN_CHILDREN },
	{ "SPECIAL-USE", RETURN_SPECIAL_USE },
	{ "MYRIGHTS", RETURN_MYRIGHTS },
	{ NULL, 0 },
};

struct listing {
	struct session *s;
	struct store_list all;
	const char *verb;
	unsigned options;
	unsigned status; /* items of RETURN (STATUS (…)), or 0 */
	struct annotations wanted; /* of RETURN (METADATA (…)) */
	bool extended;
	const char **pattern;
	size_t npatterns;
	const char *oldname; /* of the one folder, or NULL */
	struct strlist owners; /* whose folders other sessions list */
};

static bool read_option(const struct option *table, const struct arg *a,
			unsigned *options)
{
	for (; table->name; table++)
		if (arg_is(a, table->name)) {
			*options |= table->bit;
			return true;
		}
	return false;
}

static bool read_selection(struct listing *l, const struct arg *a)
{
	for (; a->type != ARG_END; a++)
		if (!read_option(select_options, a, &l->options))
			return false;
	return !(l->options & SELECT_RECURSIVE) || l->options & SELECT_BASE;
}

static bool read_return(struct listing *l, const struct arg *a)
{
	if (a->type == ARG_END)
		return true;
	l->extended = true;
	if (!arg_is(a, "RETURN") || a[1].type != ARG_LIST ||
	    a[2].type != ARG_END)
		return false;
	for (a = a[1].list; a->type != ARG_END; a++) {
		if (arg_is(a, "STATUS")) {
			if (!status_parse(l->s, ++a, &l->status))
				return false;
		} else if (arg_is(a, "METADATA")) {
			if ((++a)->type != ARG_LIST ||
			    annotations_parse(l->s, a->list, &l->wanted))
				return false;
		} else if (!read_option(return_options, a, &l->options)) {
			return false;
		}
	}
	return true;
}

/* In normal form C, too, as a new folder's name would be. */
static void add_pattern(struct listing *l, const char *pattern)
{
	size_t size = 4 * strlen(pattern) + 1; /* NFC takes three times at most */
	char *nfc = arena_alloc(l->s->c.arena, size);

	l->pattern[l->npatterns++] = pattern;
	if (store_name_to_nfc(pattern, nfc, size) && !str_equal(nfc, pattern))
		l->pattern[l->npatterns++] = nfc;
}

/* REFERENCE before each pattern (RFC 3501 section 6.3.8). */
static bool read_patterns(struct listing *l, const struct arg *ref,
			  const struct arg *a)
{
	const struct arg *list = a->type == ARG_LIST ? a->list : a;
	size_t n = a->type == ARG_LIST ? args_count(list) : 1, i;

	if (!arg_astring(ref) || n == 0)
		return false;
	l->extended |= a->type == ARG_LIST;
	l->pattern = arena_alloc(l->s->c.arena, 2 * n * sizeof(char *));
	for (i = 0; i < n; i++) {
		if (!arg_astring(&list[i]))
			return false;
		add_pattern(l, arena_printf(l->s->c.arena, "%s%s", ref->s,
					    list[i].s));
	}
	return true;
}

/* A pattern with bytes beyond ASCII is in UTF-8, as a name would be. */
static bool matches(const struct listing *l, const char *name)
{
	char wire[FOLDER_NAME_SIZE], full[FOLDER_NAME_SIZE];
	size_t i;

	if (!session_wire_name(l->s, name, wire) ||
	    !session_full_name(l->s, name, full))
		return false;
	for (i = 0; i < l->npatterns; i++) {
		const char *p = l->pattern[i];

		if (pattern_match(p, mime_count_8bit(p, strlen(p), 1) ? full
								      : wire))
			return true;
	}
	return false;
}

/* Does F meet the selection criteria, whatever its name? */
static bool is_selected(const struct listing *l, const struct store_folder *f)
{
	if (l->options & SELECT_SPECIAL_USE && !f->special_use)
		return false;
	if (l->options & SELECT_SUBSCRIBED)
		return f->subscribed;
	return f->exists || f->has_children;
}

static bool is_subscribed(const struct listing *l, const struct store_folder *f)
{
	(void)l;
	return f->subscribed;
}

static bool is_hidden(const struct listing *l, const struct store_folder *f)
{
	return is_selected(l, f) && !matches(l, f->name);
}

/* Is a folder below F as ASKED? They are those that follow it. */
static bool any_below(const struct listing *l, const struct store_folder *f,
		      bool (*asked)(const struct listing *,
				    const struct store_folder *))
{
	const struct store_folder *g, *end = l->all.folder + l->all.n;
	size_t n = strlen(f->name);

	for (g = f + 1;
	     g < end && str_starts(g->name, f->name) && g->name[n] == '/'; g++)
		if (asked(l, g))
			return true;
	return false;
}

static void put_attributes(const struct listing *l, struct buf *b,
			   const struct store_folder *f, bool noselect)
{
	if (noselect)
		buf_puts(b, l->extended && !f->exists ? "\\NonExistent "
						      : "\\Noselect ");
	if (l->options & (SELECT_SUBSCRIBED | RETURN_SUBSCRIBED) &&
	    f->subscribed && l->extended)
		buf_puts(b, "\\Subscribed ");
	buf_puts(b, f->has_children ? "\\HasChildren" : "\\HasNoChildren");
	if (f->special_use)
		buf_printf(b, " %s", f->special_use);
}

/* The STATUS that is asked for with F, into B; what cannot be found out now is
 * left out. False: F cannot be selected, which LIST has to say (RFC 5819). */
static bool put_status(const struct listing *l, const struct store_folder *f,
		       struct buf *b)
{
	unsigned rights = ACL_ALL;
	int code = ERR_OK;

	if (l->status && f->exists)
		code = rights_find(l->s, f->name, &rights);
	if (!(rights & ACL_READ))
		return false;
	if (!code && l->status && f->exists)
		code = status_put(l->s, f->name, l->status, b);
	return code != ERR_NOT_FOUND && code != ERR_DENIED;
}

/* The annotations that are asked for with F; what cannot be read now is left
 * out. */
static void put_metadata(struct listing *l, const struct store_folder *f,
			 struct buf *b)
{
	struct metadata m = { 0 };

	if (l->wanted.n > 0 && f->exists &&
	    annotations_read(l->s, f->name, f->special_use, &m) == ERR_OK)
		annotations_put(l->s, f->name, &m, &l->wanted, b);
	metadata_free(&m);
}

/* What cannot be found out now is left out. */
static void put_myrights(const struct listing *l, const struct store_folder *f,
			 struct buf *b)
{
	unsigned rights;

	if (l->options & RETURN_MYRIGHTS && f->exists &&
	    rights_find(l->s, f->name, &rights) == ERR_OK)
		acl_put_myrights(l->s, f->name, rights, b);
}

/* What is true of a folder below (RFC 5258 section 3.5). */
static void put_child_info(const struct listing *l, struct buf *b)
{
	const char *space = "";

	buf_puts(b, " (\"CHILDINFO\" (");
	for (const struct option *o = select_options; o->name; o++)
		if (o->bit & l->options & SELECT_BASE) {
			buf_printf(b, "%s\"%s\"", space, o->name);
			space = " ";
		}
	buf_puts(b, "))");
}

static void put_oldname(const struct listing *l, struct buf *b)
{
	buf_puts(b, " (\"OLDNAME\" (");
	imap_put_utf8(b, l->oldname, strlen(l->oldname));
	buf_puts(b, "))");
}

static void put_row(struct listing *l, const struct store_folder *f,
		    bool noselect, bool child_info)
{
	struct buf *b = &l->s->out, status;

	buf_init(&status, STATUS_MAX);
	noselect |= is_selected(l, f) && !put_status(l, f, &status);
	buf_reset(b);
	buf_printf(b, "* %s (", l->verb);
	put_attributes(l, b, f, noselect);
	buf_puts(b, ") \"/\" ");
	session_put_name(l->s, b, f->name);
	if (child_info)
		put_child_info(l, b);
	if (l->oldname)
		put_oldname(l, b);
	buf_puts(b, "\r\n");
	buf_put(b, status.data, status.len);
	if (is_selected(l, f)) {
		put_metadata(l, f, b);
		put_myrights(l, f, b);
	}
	stream_put(l->s->c.io, b->data, b->len);
	buf_free(&status);
}

/* Does another session list the folder NAME? */
static bool is_theirs(const struct listing *l, const char *name)
{
	char prefix[NAMESPACE_PREFIX_SIZE];

	for (size_t i = 0; i < l->owners.n; i++) {
		namespace_prefix(l->s, l->owners.item[i], prefix);
		if (str_starts(name, prefix))
			return true;
	}
	return false;
}

/* A name that does not meet the criteria is told with RECURSIVEMATCH, for the
 * sake of those below it that will not be told themselves. */
static void consider(struct listing *l, const struct store_folder *f)
{
	bool recursive = l->options & SELECT_RECURSIVE;

	if (!matches(l, f->name) || is_theirs(l, f->name))
		return;
	if (is_selected(l, f))
		put_row(l, f, !f->exists,
			recursive && any_below(l, f, is_selected));
	else if (recursive && any_below(l, f, is_hidden))
		put_row(l, f, !f->exists, true);
}

/* LSUB with a "%" pattern also names the level above subscribed folders, with
 * \Noselect (RFC 3501 section 6.3.9). */
static void consider_lsub(struct listing *l, const struct store_folder *f)
{
	const char *pattern = l->pattern[0];
	size_t n = strlen(pattern);
	bool percent = n > 0 && pattern[n - 1] == '%';

	if (is_theirs(l, f->name))
		return;
	if (!f->subscribed && !(percent && any_below(l, f, is_subscribed)))
		return;
	if (matches(l, f->name))
		put_row(l, f, !f->subscribed, false);
}

/* The level above OWNER's folders. */
static struct store_folder level_of(const struct session *s, const char *owner)
{
	char prefix[NAMESPACE_PREFIX_SIZE];

	namespace_prefix(s, owner, prefix);
	prefix[strlen(prefix) - 1] = '\0'; /* "/" */
	return (struct store_folder){ .name = mem_strdup(prefix),
				      .has_children = true };
}

/* The levels above the folders of others: OTHERS if there is one of them, and
 * each of the owners. */
static void put_levels(struct listing *l,
		       void (*row)(struct listing *,
				   const struct store_folder *))
{
	const struct store_list ours = l->all;
	struct store_folder *f = mem_array(l->owners.n + 1, sizeof(*f));
	bool others = false;

	l->all = (struct store_list){ f, 0 };
	for (size_t i = 0; i < l->owners.n; i++) {
		const char *owner = l->owners.item[i];

		if (!others && !namespace_is_public(l->s, owner)) {
			others = true;
			f[l->all.n++] = (struct store_folder){
				.name = mem_strdup(OTHERS), .has_children = true
			};
		}
		f[l->all.n++] = level_of(l->s, owner);
	}
	for (size_t i = 0; i < l->all.n; i++)
		row(l, &f[i]);
	store_list_free(&l->all);
	l->all = ours;
}

/* The folders of other users, which their sessions list. */
static void run_others(struct listing *l,
		       void (*row)(struct listing *,
				   const struct store_folder *))
{
	if (l->owners.n > 0)
		put_levels(l, row);
	for (size_t i = 0; i < l->owners.n; i++)
		others_list(l->s, l->owners.item[i], &l->all);
	strlist_free(&l->owners);
}

static void run(struct listing *l,
		void (*row)(struct listing *, const struct store_folder *))
{
	int code = session_list(l->s, &l->all);
	size_t i;

	if (code != ERR_OK) {
		session_fail(l->s, code);
		return;
	}
	others_owners(l->s, l->pattern, l->npatterns, &l->owners);
	for (i = 0; i < l->all.n; i++)
		row(l, &l->all.folder[i]);
	run_others(l, row);
	store_list_free(&l->all);
	session_reply(l->s, "OK %s completed.", l->verb);
}

int list_put_folder(struct session *s, const char *name, const char *oldname)
{
	struct listing l = {
		.s = s,
		.verb = "LIST",
		.options = RETURN_SUBSCRIBED,
		.extended = true,
		.oldname = oldname,
	};
	struct store_folder f;
	int code;

	if (!enabled(s, ENABLED_REV2))
		return ERR_OK;
	code = session_folder(s, name, &f);
	f.name = arena_strdup(s->c.arena, name);
	if (code == ERR_OK)
		put_row(&l, &f, !f.exists, false);
	return code;
}

void list_put_oldname(struct session *s, const char *name, const char *oldname)
{
	int code = oldname ? list_put_folder(s, name, oldname) : ERR_OK;

	if (code != ERR_OK)
		session_failure(s, code); /* for the log */
}

/* An empty pattern asks for the separator. */
static void tell_separator(struct session *s)
{
	conn_put(&s->c, "* LIST (\\Noselect) \"/\" \"\"");
	session_reply(s, "OK List completed.");
}

void cmd_list(struct session *s)
{
	struct listing l = { .s = s,
			     .verb = "LIST",
			     .wanted = { .max = UINT64_MAX } };
	const struct arg *a = s->c.args;

	if (a->type == ARG_LIST) {
		l.extended = true;
		if (!read_selection(&l, a->list)) {
			conn_bad(&s->c, "Unknown selection option.");
			return;
		}
		a++;
	}
	if (args_count(a) < 2 || !read_patterns(&l, &a[0], &a[1])) {
		conn_bad(&s->c, "LIST takes a reference and a pattern.");
		return;
	}
	if (!read_return(&l, a + 2)) {
		conn_bad(&s->c, "Unknown return option.");
		return;
	}
	if (!l.extended && !*a[1].s)
		tell_separator(s);
	else
		run(&l, consider);
}

void cmd_lsub(struct session *s)
{
	struct listing l = { .s = s, .verb = "LSUB" };

	if (s->c.args[1].type == ARG_LIST ||
	    !read_patterns(&l, &s->c.args[0], &s->c.args[1]))
		conn_bad(&s->c, "LSUB takes a reference and a pattern.");
	else
		run(&l, consider_lsub);
}

/* Only in a visit: to which of the owner's folders, by their full names, the
 * visitor has subscribed. */
void cmd_subscribed(struct session *s)
{
	char name[FOLDER_NAME_SIZE];

	strlist_free(&s->visitor_subscribed);
	for (const struct arg *a = s->c.args; a->type != ARG_END; a++) {
		if (!session_name(s, a, name))
			return;
		strlist_add(&s->visitor_subscribed, name);
	}
	session_reply(s, "OK Subscribed completed.");
}
