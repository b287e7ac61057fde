/*
 * LIST and LSUB, with the selection and return options of RFC 5258, RFC 5819
 * and RFC 6154. Names are matched in the form they have on the wire.
 */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/pattern.h"
#include "imapd/status.h"
#include "imaptext/imaptext.h"

enum {
	SELECT_SUBSCRIBED = 1 << 0,
	SELECT_SPECIAL_USE = 1 << 1,
	SELECT_RECURSIVE = 1 << 2,
	SELECT_REMOTE = 1 << 3,
	RETURN_SUBSCRIBED = 1 << 4,
	RETURN_CHILDREN = 1 << 5,
	RETURN_SPECIAL_USE = 1 << 6
};

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
	{ NULL, 0 },
};

struct listing {
	struct session *s;
	struct store_list all;
	const char *verb;
	unsigned options;
	unsigned status; /* items of RETURN (STATUS (…)), or 0 */
	bool extended;
	const char **pattern;
	size_t npatterns;
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
	return true;
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
			if (!status_parse(++a, &l->status))
				return false;
		} else if (!read_option(return_options, a, &l->options)) {
			return false;
		}
	}
	return true;
}

/* REFERENCE before each pattern (RFC 3501 section 6.3.8). */
static bool read_patterns(struct listing *l, const struct arg *ref,
			  const struct arg *a)
{
	const struct arg *list = a->type == ARG_LIST ? a->list : a;
	size_t n = a->type == ARG_LIST ? args_count(list) : 1, i;

	if (!arg_astring(ref))
		return false;
	l->extended |= a->type == ARG_LIST;
	l->pattern = arena_alloc(l->s->c.arena, (n + 1) * sizeof(char *));
	for (i = 0; i < n; i++) {
		if (!arg_astring(&list[i]))
			return false;
		l->pattern[l->npatterns++] =
			arena_printf(l->s->c.arena, "%s%s", ref->s, list[i].s);
	}
	return true;
}

static bool matches(const struct listing *l, const char *name)
{
	char wire[FOLDER_NAME_SIZE];
	size_t i;

	if (!store_name_to_mutf7(name, wire, sizeof(wire)))
		return false;
	for (i = 0; i < l->npatterns; i++)
		if (pattern_match(l->pattern[i], wire))
			return true;
	return false;
}

/* Is a folder below F subscribed? */
static bool subscribed_below(const struct listing *l,
			     const struct store_folder *f)
{
	size_t n = strlen(f->name), i;

	for (i = 0; i < l->all.n; i++) {
		const struct store_folder *g = &l->all.folder[i];

		if (g->subscribed && str_starts(g->name, f->name) &&
		    g->name[n] == '/')
			return true;
	}
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
	int code = ERR_OK;

	if (l->status && f->exists)
		code = status_put(l->s, f->name, l->status, b);
	return code != ERR_NOT_FOUND && code != ERR_DENIED;
}

static void put_row(struct listing *l, const struct store_folder *f,
		    bool noselect, bool child_info)
{
	struct buf *b = &l->s->out, status;

	buf_init(&status, STATUS_MAX);
	noselect |= !put_status(l, f, &status);
	buf_reset(b);
	buf_printf(b, "* %s (", l->verb);
	put_attributes(l, b, f, noselect);
	buf_puts(b, ") \"/\" ");
	session_put_name(b, f->name);
	if (child_info)
		buf_puts(b, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	buf_puts(b, "\r\n");
	buf_put(b, status.data, status.len);
	stream_put(l->s->c.io, b->data, b->len);
	buf_free(&status);
}

static void consider(struct listing *l, const struct store_folder *f)
{
	bool subscribed = l->options & SELECT_SUBSCRIBED;
	bool below = false, wanted;

	if (subscribed && l->options & SELECT_RECURSIVE)
		below = subscribed_below(l, f);
	wanted = subscribed ? f->subscribed || below
			    : f->exists || f->has_children;
	if (l->options & SELECT_SPECIAL_USE && !f->special_use)
		wanted = false;
	if (wanted && matches(l, f->name))
		put_row(l, f, !f->exists, below);
}

/* LSUB with a "%" pattern also names the level above subscribed folders, with
 * \Noselect (RFC 3501 section 6.3.9). */
static void consider_lsub(struct listing *l, const struct store_folder *f)
{
	const char *pattern = l->pattern[0];
	size_t n = strlen(pattern);
	bool percent = n > 0 && pattern[n - 1] == '%';

	if (!f->subscribed && !(percent && subscribed_below(l, f)))
		return;
	if (matches(l, f->name))
		put_row(l, f, !f->subscribed, false);
}

static void run(struct listing *l,
		void (*row)(struct listing *, const struct store_folder *))
{
	int code = store_list(l->s->store, &l->all);
	size_t i;

	if (code != ERR_OK) {
		session_fail(l->s, code);
		return;
	}
	for (i = 0; i < l->all.n; i++)
		row(l, &l->all.folder[i]);
	store_list_free(&l->all);
	session_reply(l->s, "OK %s completed.", l->verb);
}

/* An empty pattern asks for the separator. */
static void tell_separator(struct session *s)
{
	conn_put(&s->c, "* LIST (\\Noselect) \"/\" \"\"");
	session_reply(s, "OK List completed.");
}

void cmd_list(struct session *s)
{
	struct listing l = { .s = s, .verb = "LIST" };
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
