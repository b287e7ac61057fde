/*
 * The right side of an alias, and the lines of a .forward or :include: file:
 * table/aliases.h says what a target may be. The text is split into items at
 * commas and line ends outside quotes and comments; the first byte of an item
 * says what it is: a command, a file, a file of more targets, or an address. A
 * byte order mark, which some editors put before the first line, is no target.
 * One bad item makes the whole text unusable, with a reason: with half of a
 * list, some would get the mail and some would not.
 */
#include "table/aliases.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "table/text.h"

#define ITEM_MAX 16384	/* bytes of one target; only commands are long */
#define ADDRESS_MAX 512 /* 64 + 1 + 255 octets and quotes */

struct scanner {
	struct arena *arena;
	const char *at;
	const char *item; /* the last one */
	struct alias_target *target;
	size_t n, cap;
	const char *why;
};

static bool is_separator(char c)
{
	return c == ',' || c == '\n' || c == '\0';
}

/* Skips white space, separators and comment lines to the next item. */
static void skip_to_item(struct scanner *s, bool line_start)
{
	for (; *s->at; s->at++) {
		if (*s->at == '\n')
			line_start = true;
		else if (*s->at == '#' && line_start)
			s->at += strcspn(s->at, "\n") - 1;
		else if (*s->at == ',')
			line_start = false;
		else if (!str_isspace(*s->at))
			return;
	}
}

/* The end of the quoted string that begins at P: after its last quote. */
static const char *quoted_end(const char *p)
{
	for (p++; *p && *p != '"' && *p != '\n'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p == '"' ? p + 1 : NULL;
}

/* The end of the comment that begins at P; comments nest (RFC 5322 3.2.2). */
static const char *comment_end(const char *p)
{
	int depth = 0;

	for (; *p && *p != '\n'; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return NULL;
}

/* The end of the item at P: a separator outside quotes and comments. */
static const char *item_end(struct scanner *s, const char *p, bool comments)
{
	while (!is_separator(*p)) {
		const char *next = p + 1;

		if (*p == '"')
			next = quoted_end(p);
		else if (*p == '(' && comments)
			next = comment_end(p);
		else if (*p == '\\' && p[1] && p[1] != '\n')
			next = p + 2;
		if (!next) {
			s->why = *p == '"' ? "a quote is not closed"
					   : "a comment is not closed";
			return NULL;
		}
		p = next;
	}
	return p;
}

/* Copies N bytes at P without the backslashes of a quoted string. */
static char *unquote(struct arena *a, const char *p, size_t n)
{
	char *out = arena_alloc(a, n + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\\' && i + 1 < n)
			i++;
		out[len++] = p[i];
	}
	return out;
}

/* Removes comments outside quotes, in place. */
static void drop_comments(char *text)
{
	char *to = text;

	for (const char *p = text; *p;) {
		const char *end = *p == '"'   ? quoted_end(p)
				  : *p == '(' ? comment_end(p)
					      : p + 1;

		if (!end)
			end = p + strlen(p);
		if (*p != '(') {
			memmove(to, p, (size_t)(end - p));
			to += end - p;
		}
		p = end;
	}
	*to = '\0';
}

/* "Name <address>" becomes the address; false if brackets do not pair. */
static bool take_brackets(char **text)
{
	char *p = *text, *end;

	while (*p && *p != '<') {
		const char *next = *p == '"' ? quoted_end(p) : p + 1;

		p += next ? next - p : 1;
	}
	if (*p == '\0')
		return true;
	end = strrchr(p, '>');
	if (!end || end[1 + strspn(end + 1, " \t\r")] != '\0')
		return false;
	*end = '\0';
	*text = p + 1;
	return true;
}

/* Does TEXT have a byte that is not allowed outside quotes in an address? */
static bool has_stray(const char *text)
{
	bool quoted = false;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f)
			return true;
		if (c == '\\' && text[1])
			text++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && strchr(" ()<>,;", c))
			return true;
	}
	return false;
}

static const char *clean_address(struct scanner *s, const char *item)
{
	char *text = arena_strdup(s->arena, item);

	drop_comments(text);
	text = str_trim(text);
	if (!take_brackets(&text)) {
		s->why = "< and > do not pair";
		return NULL;
	}
	text = str_trim(text);
	if (*text == '\0')
		s->why = "an address is empty";
	else if (strlen(text) > ADDRESS_MAX)
		s->why = "an address is too long";
	else if (has_stray(text))
		s->why = "a target is not an address (is a comma or a quote "
			 "missing?)";
	return s->why ? NULL : text;
}

static const struct kind_mark {
	const char *mark;
	enum alias_kind kind;
} marks[] = {
	{ "|", ALIAS_COMMAND },
	{ "/", ALIAS_FILE },
	{ ":include:", ALIAS_INCLUDE },
	{ "\\", ALIAS_SELF },
};

/* The kind of TEXT. Its mark is cut off, except the "/" of a path. */
static enum alias_kind classify(const char **text)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (!str_starts_ci(*text, marks[i].mark))
			continue;
		if (marks[i].kind != ALIAS_FILE)
			*text += strlen(marks[i].mark);
		return marks[i].kind;
	}
	return ALIAS_ADDRESS;
}

static bool add(struct scanner *s, enum alias_kind kind, const char *text)
{
	if (s->n == ALIASES_TARGETS_MAX) {
		s->why = "too many targets";
		return false;
	}
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 8;
		struct alias_target *grown =
			arena_alloc(s->arena, cap * sizeof(*grown));

		if (s->n)
			memcpy(grown, s->target, s->n * sizeof(*grown));
		s->target = grown;
		s->cap = cap;
	}
	s->target[s->n++] = (struct alias_target){ kind, text };
	return true;
}

static bool add_item(struct scanner *s, const char *item)
{
	const char *text = item;
	enum alias_kind kind = classify(&text);

	if (strlen(item) > ITEM_MAX) {
		s->why = "a target is too long";
		return false;
	}
	if (kind == ALIAS_ADDRESS || kind == ALIAS_SELF) {
		text = clean_address(s, text);
		return text && add(s, kind, text);
	}
	while (str_isspace(*text))
		text++;
	if (kind == ALIAS_COMMAND && *text == '\0')
		s->why = "a command is empty";
	else if (kind == ALIAS_INCLUDE && *text != '/')
		s->why = ":include: needs an absolute path";
	return !s->why && add(s, kind, text);
}

/* An item that is one quoted string, when it stands for more than a quoted
 * local part: a command, a file … Gives NULL if it is not. */
static char *whole_quoted(struct scanner *s, const char *start, const char *end)
{
	const char *close = *start == '"' ? quoted_end(start) : NULL;
	const char *text;
	char *inner;

	if (!close || close + strspn(close, " \t\r") != end)
		return NULL;
	inner = unquote(s->arena, start + 1, (size_t)(close - start - 2));
	text = inner;
	return classify(&text) == ALIAS_ADDRESS ? NULL : inner;
}

static bool scan_item(struct scanner *s)
{
	const char *start = s->item = s->at;
	bool comments = *start != '|' && *start != '/' && *start != ':';
	const char *end = item_end(s, start, comments);
	char *item;

	if (!end)
		return false;
	item = whole_quoted(s, start, end);
	if (!item)
		item = str_trim(
			arena_strndup(s->arena, start, (size_t)(end - start)));
	s->at = end;
	return add_item(s, item);
}

static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

int aliases_targets(struct arena *a, const char *text,
		    struct alias_target **target, size_t *n, const char **why)
{
	unsigned line;

	return aliases_targets_of_file(a, text, target, n, why, &line);
}

int aliases_targets_of_file(struct arena *a, const char *text,
			    struct alias_target **target, size_t *n,
			    const char **why, unsigned *line)
{
	struct scanner s = { .arena = a,
			     .at = text_after_mark(text, strlen(text)) };

	skip_to_item(&s, true);
	while (*s.at && scan_item(&s))
		skip_to_item(&s, false);
	*target = s.target;
	*n = s.n;
	*why = s.why;
	*line = s.why ? line_of(text, s.item) : 0;
	return s.why ? ERR_SYNTAX : ERR_OK;
}
