#include "imapd/sources.h"

#include <string.h>

#include "base/str.h"
#include "imapd/others.h"

struct source_kind {
	const char *word;
	bool named; /* one or more names follow */
	bool (*has)(const struct session *s, const char *name,
		    const struct store_folder *f);
};

static bool is_selected(const struct session *s, const char *name,
			const struct store_folder *f)
{
	(void)name;
	return s->box && str_equal(f->name, s->name);
}

/* Where mail is delivered unless a rule says otherwise. */
static bool is_inbox(const struct session *s, const char *name,
		     const struct store_folder *f)
{
	(void)s;
	(void)name;
	return str_equal(f->name, "INBOX");
}

static bool is_any(const struct session *s, const char *name,
		   const struct store_folder *f)
{
	(void)s;
	(void)name;
	(void)f;
	return true;
}

static bool is_subscribed(const struct session *s, const char *name,
			  const struct store_folder *f)
{
	(void)s;
	(void)name;
	return f->subscribed;
}

static bool is_named(const struct session *s, const char *name,
		     const struct store_folder *f)
{
	(void)s;
	return str_equal(f->name, name);
}

static bool is_in_tree(const struct session *s, const char *name,
		       const struct store_folder *f)
{
	size_t n = strlen(name);

	return is_named(s, name, f) ||
	       (str_starts(f->name, name) && f->name[n] == '/');
}

static bool is_child(const struct session *s, const char *name,
		     const struct store_folder *f)
{
	size_t n = strlen(name);

	return is_named(s, name, f) ||
	       (is_in_tree(s, name, f) && !strchr(f->name + n + 1, '/'));
}

static const struct source_kind kinds[] = {
	{ "selected", false, is_selected },
	{ "inboxes", false, is_inbox },
	{ "personal", false, is_any },
	{ "subscribed", false, is_subscribed },
	{ "mailboxes", true, is_named },
	{ "subtree", true, is_in_tree },
	{ "subtree-one", true, is_child },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void add(struct sources *out, const struct source_kind *kind,
		const char *name)
{
	out->source[out->n++] = (struct source){ kind, name };
	if (kind->has == is_selected)
		out->selected = true;
	else
		out->others = true;
}

/* One name, or a list of them. */
static bool read_names(struct session *s, const struct source_kind *kind,
		       const struct arg *a, struct sources *out)
{
	const struct arg *list = a->type == ARG_LIST ? a->list : a;
	size_t n = a->type == ARG_LIST ? args_count(list) : 1;
	char name[FOLDER_NAME_SIZE];

	if (n == 0)
		return conn_bad(&s->c, "A mailbox name is missing.");
	for (; n > 0; n--, list++) {
		if (!session_name(s, list, name))
			return false;
		add(out, kind, arena_strdup(s->c.arena, name));
		out->theirs |= others_name(s, name);
	}
	return true;
}

/* How many names there can be. */
static size_t count_all(const struct arg *a)
{
	size_t n = 0;

	for (; a->type != ARG_END; a++)
		n += a->type == ARG_LIST ? args_count(a->list) : 1;
	return n;
}

static const struct source_kind *find_kind(const struct arg *a)
{
	for (size_t i = 0; i < KINDS; i++)
		if (arg_is(a, kinds[i].word))
			return &kinds[i];
	return NULL;
}

/* The specifier at *A; moves *A behind it. */
static bool read_one(struct session *s, const struct arg **a,
		     struct sources *out)
{
	const struct source_kind *kind = find_kind((*a)++);

	if (!kind)
		return conn_bad(&s->c, "Unknown source of mailboxes.");
	if (kind->named)
		return read_names(s, kind, (*a)++, out);
	add(out, kind, NULL);
	return true;
}

static void make_room(struct session *s, struct sources *out, size_t n)
{
	*out = (struct sources){ 0 };
	out->source = arena_alloc(s->c.arena, n * sizeof(*out->source));
}

bool sources_parse(struct session *s, const struct arg *a, struct sources *out)
{
	if (a->type != ARG_LIST || a->list->type == ARG_END)
		return conn_bad(&s->c, "IN takes a list of mailboxes.");
	a = a->list;
	make_room(s, out, count_all(a));
	while (a->type != ARG_END)
		if (!read_one(s, &a, out))
			return false;
	return true;
}

bool sources_parse_one(struct session *s, const struct arg **a,
		       struct sources *out)
{
	make_room(s, out, count_all(*a) + 1);
	return read_one(s, a, out);
}

void sources_skip(const struct arg **a)
{
	const struct source_kind *kind = find_kind(*a);

	if ((*a)->type != ARG_END)
		(*a)++;
	if (kind && kind->named && (*a)->type != ARG_END)
		(*a)++;
}

bool sources_have(const struct session *s, const struct sources *all,
		  const struct store_folder *f)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->source[i].kind->has(s, all->source[i].name, f))
			return true;
	return false;
}
