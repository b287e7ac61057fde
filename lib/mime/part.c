/*
 * One pass over the message, line by line, with a stack of the open
 * multiparts: a line that is the boundary of one of them ends all parts within
 * it. A part's place is kept as offsets; its sizes for IMAP are counted on the
 * way, since each line end counts two octets.
 *
 * Beyond the limits of part.h nothing new is opened: what follows is text of
 * the current part. So the tree is bounded, and each byte is read once.
 */
#include "mime/part.h"

#include <string.h>

#include "base/str.h"
#include "mime/field.h"
#include "mime/param.h"

/* A boundary that may end what is being read. */
struct boundary {
	const char *text;
	size_t n;
};

/* What a line turned out to be. */
struct delimiter {
	int level;   /* index into the boundaries, -1: the end of data */
	bool close;  /* "--boundary--" */
	size_t at;   /* where the content before it ends */
	size_t bare; /* counters there */
	size_t lines;
};

struct parser {
	struct arena *a;
	const char *data;
	size_t n;
	size_t at;    /* the next line */
	size_t lines; /* line ends before it */
	size_t bare;  /* of these, without CR */
	struct boundary boundary[MIME_DEPTH_MAX];
	int depth;  /* boundaries open */
	int nested; /* parts around the current one */
	size_t parts;
	bool global; /* message/global is a message */
};

static void parse_part(struct parser *p, struct mime_part *part,
		       struct delimiter *end);

/* Skips one line and counts it; gives where it began. */
static size_t next_line(struct parser *p)
{
	size_t start = p->at;
	const char *lf = memchr(p->data + start, '\n', p->n - start);

	if (!lf) {
		p->at = p->n;
		return start;
	}
	p->at = (size_t)(lf - p->data) + 1;
	p->lines++;
	if (lf == p->data || lf[-1] != '\r')
		p->bare++;
	return start;
}

/* Does the line S, N consist of "--", B, and nothing but blanks? */
static bool is_boundary(const char *s, size_t n, const struct boundary *b,
			bool *close)
{
	if (n < b->n + 2 || memcmp(s + 2, b->text, b->n) != 0)
		return false;
	s += b->n + 2;
	n -= b->n + 2;
	*close = n >= 2 && s[0] == '-' && s[1] == '-';
	if (*close) {
		s += 2;
		n -= 2;
	}
	while (n > 0 && str_isspace((unsigned char)*s)) {
		s++;
		n--;
	}
	return n == 0;
}

/* Which open boundary is the line at AT, innermost first; -1: none. */
static int match_boundary(const struct parser *p, size_t at, bool *close)
{
	const char *s = p->data + at;
	size_t n = p->at - at;
	int i;

	if (n < 3 || s[0] != '-' || s[1] != '-')
		return -1;
	for (i = p->depth - 1; i >= 0; i--)
		if (is_boundary(s, n, &p->boundary[i], close))
			return i;
	return -1;
}

/* The content before a delimiter line ends before the line end in front of
 * it (RFC 2046 section 5.1.1), but not before FROM. */
static void end_before(const struct parser *p, size_t from, size_t line,
		       struct delimiter *d)
{
	d->at = line;
	if (line <= from || p->data[line - 1] != '\n')
		return;
	d->at--;
	d->lines--;
	if (d->at > from && p->data[d->at - 1] == '\r')
		d->at--;
	else if (d->at == 0 || p->data[d->at - 1] != '\r')
		d->bare--;
}

/* Reads on to the next delimiter of any open multipart. Content begins at
 * FROM: the line end there may belong to the delimiter. */
static void skip_to_delimiter(struct parser *p, size_t from,
			      struct delimiter *d)
{
	while (p->at < p->n) {
		size_t lines = p->lines, bare = p->bare;
		size_t line = next_line(p);

		d->level = match_boundary(p, line, &d->close);
		if (d->level < 0)
			continue;
		d->lines = lines;
		d->bare = bare;
		end_before(p, from, line, d);
		return;
	}
	*d = (struct delimiter){ -1, false, p->n, p->bare, p->lines };
}

/* Skips the header. A delimiter inside it ends part and header. */
static bool skip_header(struct parser *p, struct delimiter *d)
{
	size_t lines, bare, line, n;

	while (p->at < p->n) {
		lines = p->lines;
		bare = p->bare;
		line = next_line(p);
		n = p->at - line;
		d->level = match_boundary(p, line, &d->close);
		if (d->level >= 0) {
			d->at = line;
			d->lines = lines;
			d->bare = bare;
			return false;
		}
		if (p->data[line] == '\n' || (n == 2 && p->data[line] == '\r' &&
					      p->data[line + 1] == '\n'))
			return true;
	}
	return true;
}

static bool is_message(const struct parser *p, const struct mime_value *v)
{
	return str_equal_ci(v->type, "message") &&
	       (str_equal_ci(v->subtype, "rfc822") ||
		(p->global && str_equal_ci(v->subtype, "global")));
}

/* It cannot contain anything. */
static void make_leaf(struct mime_part *part)
{
	part->cut = part->kind == MIME_MESSAGE;
	part->kind = MIME_LEAF;
}

/* What the header says about the body; the boundary if it is a multipart. */
static void read_type(struct parser *p, struct mime_part *part,
		      struct boundary *b)
{
	struct mime_field f;
	struct mime_value v;
	const char *text;

	part->kind = part->in_digest ? MIME_MESSAGE : MIME_LEAF;
	if (!mime_field_find(p->data + part->header, part->nheader,
			     "Content-Type", &f))
		return;
	part->kind = MIME_LEAF;
	if (!mime_value_parse(p->a, &f, true, &v))
		return;
	if (is_message(p, &v))
		part->kind = MIME_MESSAGE;
	if (!str_equal_ci(v.type, "multipart"))
		return;
	text = mime_value_text(p->a, &v, "boundary");
	if (!text || !*text)
		return;
	part->kind = MIME_MULTIPART;
	part->digest = str_equal_ci(v.subtype, "digest");
	*b = (struct boundary){ text, strlen(text) };
}

static struct mime_part *new_part(struct parser *p, bool in_digest)
{
	struct mime_part *part = arena_alloc(p->a, sizeof(*part));

	part->in_digest = in_digest;
	p->parts++;
	return part;
}

static bool may_nest(const struct parser *p)
{
	return p->nested < MIME_DEPTH_MAX && p->parts < MIME_PARTS_MAX;
}

/* Preamble, parts, epilogue. D gets the delimiter that ended it. */
static void parse_multipart(struct parser *p, struct mime_part *part,
			    const struct boundary *b, struct delimiter *d)
{
	struct mime_part **link = &part->child;
	int level = p->depth;

	p->boundary[p->depth++] = *b;
	skip_to_delimiter(p, part->body, d);
	while (d->level == level && !d->close) {
		if (p->parts >= MIME_PARTS_MAX) {
			skip_to_delimiter(p, p->at, d);
			continue;
		}
		*link = new_part(p, part->digest);
		parse_part(p, *link, d);
		link = &(*link)->next;
	}
	p->depth = level;
	/* The line end of "--boundary--" may belong to the next delimiter. */
	if (d->level == level)
		skip_to_delimiter(p, p->at - 2, d);
}

/* The part's header from the parser's place, then its body up to a delimiter
 * of an enclosing multipart, which D gets. */
static void parse_part(struct parser *p, struct mime_part *part,
		       struct delimiter *d)
{
	struct boundary b = { NULL, 0 };
	size_t bare = p->bare, lines;
	bool open;

	part->header = p->at;
	open = skip_header(p, d);
	part->body = open ? p->at : d->at;
	part->nheader = part->body - part->header;
	part->header_crlf = part->nheader + (open ? p->bare : d->bare) - bare;
	read_type(p, part, &b);
	if (!open) {
		make_leaf(part);
		return;
	}
	bare = p->bare;
	lines = p->lines;
	p->nested++;
	if (part->kind != MIME_LEAF && !may_nest(p))
		make_leaf(part);
	if (part->kind == MIME_MULTIPART) {
		parse_multipart(p, part, &b, d);
	} else if (part->kind == MIME_MESSAGE) {
		part->child = new_part(p, false);
		parse_part(p, part->child, d);
	} else {
		skip_to_delimiter(p, part->body, d);
	}
	p->nested--;
	part->nbody = d->at - part->body;
	part->body_crlf = part->nbody + d->bare - bare;
	part->body_lines = d->lines - lines;
}

static struct mime_part *parse(struct arena *a, const char *data, size_t n,
			       bool global)
{
	struct parser p = { .a = a, .data = data, .n = n, .global = global };
	struct mime_part *root = new_part(&p, false);
	struct delimiter d = { .level = -1 };

	parse_part(&p, root, &d);
	return root;
}

struct mime_part *mime_parse(struct arena *a, const char *data, size_t n)
{
	return parse(a, data, n, false);
}

struct mime_part *mime_parse_global(struct arena *a, const char *data, size_t n)
{
	return parse(a, data, n, true);
}
