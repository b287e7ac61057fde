/*
 * GETMETADATA and SETMETADATA (RFC 5464). All entries of folders are the
 * user's, and so are the private ones of the account; its shared ones are the
 * server's, which only the administrator changes.
 */
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/metadata.h"
#include "imapd/notify.h"
#include "imaptext/imaptext.h"

#define SHARED "/shared/"

const char *annotations_parse(struct session *s, const struct arg *a,
			      struct annotations *wanted)
{
	char name[METADATA_NAME_SIZE];

	wanted->name = arena_alloc(s->c.arena,
				   (args_count(a) + 1) * sizeof(*wanted->name));
	for (; a->type != ARG_END; a++) {
		if (!arg_astring(a) || metadata_name(a->s, name) != ERR_OK)
			return "Not the name of an entry.";
		wanted->name[wanted->n++] = arena_strdup(s->c.arena, name);
	}
	return wanted->n > 0 ? NULL : "An entry is missing.";
}

/* A value that no other string can hold is a literal8. */
static void put_value(struct session *s, const struct metadata_entry *e,
		      struct buf *out)
{
	if (!e) {
		buf_puts(out, "NIL");
	} else if (memchr(e->value, '\0', e->n)) {
		buf_printf(out, "~{%zu}\r\n", e->n);
		buf_put(out, e->value, e->n);
	} else if (enabled(s, ENABLED_NAMES_UTF8)) {
		imap_put_utf8(out, e->value, e->n);
	} else {
		imap_put_string(out, e->value, e->n);
	}
}

/* An astring: the names that are in use are atoms. */
void metadata_put_name(const char *name, struct buf *out)
{
	const char *p = name;

	while (*p && args_atom_byte(*p))
		p++;
	if (*p)
		imap_put_string(out, name, strlen(name));
	else
		buf_puts(out, name);
}

struct put {
	struct session *s;
	const char *mailbox;
	struct annotations *wanted;
	struct buf *out;
	size_t count;
};

static void put_pair(struct put *p, const char *name,
		     const struct metadata_entry *e)
{
	if (e && e->n > p->wanted->max) {
		if (e->n > p->wanted->longest)
			p->wanted->longest = e->n;
		return;
	}
	if (p->count++ == 0) {
		buf_puts(p->out, "* METADATA ");
		session_put_name(p->s, p->out, p->mailbox);
		buf_puts(p->out, " (");
	} else {
		buf_putc(p->out, ' ');
	}
	metadata_put_name(name, p->out);
	buf_putc(p->out, ' ');
	put_value(p->s, e, p->out);
}

/* Is NAME one of the wanted, or not too far below it? */
static bool is_wanted(const struct annotations *wanted, const char *name)
{
	for (size_t i = 0; i < wanted->n; i++) {
		size_t n = strlen(wanted->name[i]);
		const char *rest = name + n;

		if (strncmp(name, wanted->name[i], n) == 0 &&
		    (!*rest ||
		     (*rest == '/' && (wanted->depth == DEPTH_INFINITY ||
				       !strchr(rest + 1, '/')))))
			return true;
	}
	return false;
}

void annotations_put(struct session *s, const char *name,
		     const struct metadata *m, struct annotations *wanted,
		     struct buf *out)
{
	struct put p = { s, name, wanted, out, 0 };

	if (wanted->depth == DEPTH_0)
		for (size_t i = 0; i < wanted->n; i++)
			put_pair(&p, wanted->name[i],
				 metadata_find(m, wanted->name[i]));
	else
		for (size_t i = 0; i < m->n; i++)
			if (is_wanted(wanted, m->entry[i].name))
				put_pair(&p, m->entry[i].name, &m->entry[i]);
	if (p.count > 0)
		buf_puts(out, ")\r\n");
}

static bool read_depth(const struct arg *a, enum metadata_depth *depth)
{
	static const char *const words[] = { "0", "1", "infinity" };

	for (*depth = DEPTH_0; *depth <= DEPTH_INFINITY; (*depth)++)
		if (arg_is(a, words[*depth]))
			return true;
	return false;
}

/* "(MAXSIZE n DEPTH d)" */
static const char *read_options(const struct arg *a, struct annotations *wanted)
{
	for (; a->type != ARG_END; a += 2)
		if (arg_is(a, "MAXSIZE")) {
			if (!arg_number(&a[1], 0, &wanted->max))
				return "MAXSIZE takes a number.";
		} else if (arg_is(a, "DEPTH")) {
			if (!read_depth(&a[1], &wanted->depth))
				return "DEPTH takes 0, 1 or infinity.";
		} else {
			return "Unknown option.";
		}
	return NULL;
}

/* The options come before the mailbox in the grammar of RFC 5464, and after it
 * in its examples, two of which also have entries without parentheses. */
static const char *read_request(struct session *s, const struct arg **mailbox,
				struct annotations *wanted)
{
	const struct arg *a = s->c.args;
	bool first = a->type == ARG_LIST;
	const char *why = first ? read_options((a++)->list, wanted) : NULL;

	*mailbox = a;
	if (a->type == ARG_END)
		return "A mailbox is missing.";
	a++;
	if (!why && !first && a->type == ARG_LIST && a[1].type != ARG_END)
		why = read_options((a++)->list, wanted);
	if (!why && a->type == ARG_LIST && a[1].type == ARG_END)
		a = a->list;
	return why ? why : annotations_parse(s, a, wanted);
}

/* The argument as a folder's name, or "" for the account. False, and the
 * client was told, if it is none. */
static bool read_mailbox(struct session *s, const struct arg *a, char *name)
{
	*name = '\0';
	return (arg_astring(a) && a->n == 0) || session_name(s, a, name);
}

static bool is_shared(const char *name)
{
	return str_starts(name, SHARED);
}

/* In a visit what is private is somebody else's. */
static void drop_private(const struct session *s, struct metadata *m)
{
	size_t i = 0;

	while (s->visitor && i < m->n)
		if (is_shared(m->entry[i].name))
			i++;
		else
			metadata_remove(m, m->entry[i].name);
}

int annotations_read(struct session *s, const char *name, const char *use,
		     struct metadata *m)
{
	int code = metadata_read_with(s->store, name, use, m);

	drop_private(s, m);
	return code;
}

/* The server's entries are beside the account's. */
static int read_entries(struct session *s, const char *name, struct metadata *m)
{
	int code = metadata_read(s->store, name, m);

	for (size_t i = 0; !code && !*name && s->server && i < s->server->n;
	     i++) {
		const struct metadata_entry *e = &s->server->entry[i];

		metadata_set(m, e->name, e->value, e->n);
	}
	drop_private(s, m);
	return code;
}

void cmd_getmetadata(struct session *s)
{
	struct annotations wanted = { .max = UINT64_MAX };
	char name[FOLDER_NAME_SIZE];
	const struct arg *mailbox;
	struct metadata m = { 0 };
	const char *why = read_request(s, &mailbox, &wanted);
	int code;

	if (why) {
		conn_bad(&s->c, why);
		return;
	}
	if (!read_mailbox(s, mailbox, name))
		return;
	code = read_entries(s, name, &m);
	if (code) {
		session_fail(s, code);
		return;
	}
	buf_reset(&s->out);
	annotations_put(s, name, &m, &wanted, &s->out);
	metadata_free(&m);
	stream_put(s->c.io, s->out.data, s->out.len);
	if (wanted.longest > 0)
		session_reply(s,
			      "OK [METADATA LONGENTRIES %" PRIu64
			      "] Getmetadata completed.",
			      wanted.longest);
	else
		session_reply(s, "OK Getmetadata completed.");
}

/* Pairs of entries and values. */
static const char *read_changes(const struct arg *a, struct metadata *changes)
{
	char name[METADATA_NAME_SIZE];

	if (a->type == ARG_END)
		return "An entry is missing.";
	for (; a->type != ARG_END; a += 2) {
		if (!arg_astring(&a[0]) ||
		    metadata_name(a[0].s, name) != ERR_OK ||
		    !metadata_is_entry(name))
			return "Not the name of an entry.";
		if (arg_is(&a[1], "NIL"))
			metadata_set(changes, name, NULL, 0);
		else if (a[1].type == ARG_STRING || a[1].type == ARG_BINARY)
			metadata_set(changes, name, a[1].s, a[1].n);
		else
			return "A value is a string or NIL.";
	}
	return NULL;
}

/* Does it change what is the server's? */
static bool changes_server(const char *name, const struct metadata *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		if (!*name && is_shared(changes->entry[i].name))
			return true;
	return false;
}

static bool changes_private(const struct metadata *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		if (!is_shared(changes->entry[i].name))
			return true;
	return false;
}

static void set(struct session *s, const char *name,
		const struct metadata *changes)
{
	int code = metadata_change(s->store, name, changes);

	if (code == ERR_OK)
		notify_own_metadata(s, name, changes);
	if (code == ERR_OK)
		session_reply(s, "OK Setmetadata completed.");
	else if (code == ERR_TOO_LONG)
		session_reply(s, "NO [METADATA MAXSIZE %d] Value too long.",
			      METADATA_VALUE_MAX);
	else if (code == ERR_LIMIT)
		session_reply(s, "NO [METADATA TOOMANY] No room for that.");
	else if (code == ERR_UNSUPPORTED)
		session_reply(s, "NO [USEATTR] Not possible as special use.");
	else
		session_fail(s, code);
}

void cmd_setmetadata(struct session *s)
{
	const struct arg *a = s->c.args;
	struct metadata changes = { 0 };
	char name[FOLDER_NAME_SIZE];
	const char *why = a[1].type == ARG_LIST
				  ? read_changes(a[1].list, &changes)
				  : "SETMETADATA takes a list.";

	if (why)
		conn_bad(&s->c, why);
	else if (!read_mailbox(s, &a[0], name))
		; /* the client was told */
	else if (changes_server(name, &changes))
		session_reply(s, "NO [NOPERM] Only the administrator changes "
				 "what the server shares.");
	else if (s->visitor && changes_private(&changes))
		session_reply(s, "NO [METADATA NOPRIVATE] In folders of others "
				 "nothing is private.");
	else
		set(s, name, &changes);
	metadata_free(&changes);
}
