#include "imapd/args.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct parser {
	struct arena *a;
	const char *p;
	const char *end;
	size_t left; /* arguments that may still come */
	int depth;
	bool utf8;
	bool flat;
	const char *why;
};

/* A list while it grows. */
struct growing {
	struct arg *arg;
	size_t n;
	size_t cap;
};

static bool fail(struct parser *p, const char *why)
{
	p->why = why;
	return false;
}

static struct arg *add(struct parser *p, struct growing *g)
{
	struct arg *more;

	if (g->n + 1 >= g->cap) {
		more = arena_alloc(p->a,
				   (g->cap ? g->cap * 2 : 8) * sizeof(*more));
		if (g->n > 0)
			memcpy(more, g->arg, g->n * sizeof(*more));
		g->arg = more;
		g->cap = g->cap ? g->cap * 2 : 8;
	}
	g->arg[g->n + 1].type = ARG_END;
	return &g->arg[g->n++];
}

static bool parse_quoted(struct parser *p, struct arg *arg)
{
	const char *start = ++p->p, *q;
	char *to;

	for (q = start; q < p->end && *q != '"'; q++) {
		if (*q == '\r' || *q == '\n')
			return fail(p, "Line end in quoted string");
		if (*q == '\\' && q + 1 < p->end)
			q++;
	}
	if (q >= p->end)
		return fail(p, "Missing quote");
	to = arena_alloc(p->a, (size_t)(q - start) + 1);
	arg->s = to;
	for (; p->p < q; p->p++) {
		if (*p->p == '\\')
			p->p++;
		*to++ = *p->p;
	}
	arg->n = (size_t)(to - arg->s);
	arg->type = ARG_STRING;
	p->p = q + 1;
	return !p->utf8 || str_is_utf8(arg->s, arg->n) ||
	       fail(p, "Quoted string is not UTF-8");
}

/* The N bytes at S, as they are, and a NUL. */
static const char *copy_bytes(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

/* "{n}" CRLF and n bytes, as the reader checked and assembled them; or the same
 * with "~" before it. */
static bool parse_literal(struct parser *p, struct arg *arg)
{
	const char *close = memchr(p->p, '}', (size_t)(p->end - p->p));
	size_t digits;
	int64_t n;

	arg->type = *p->p == '~' ? ARG_BINARY : ARG_STRING;
	p->p += *p->p == '~';
	if (!close || close == p->p + 1)
		return fail(p, "Wrong literal");
	digits = (size_t)(close - p->p) - 1 - (close[-1] == '+');
	if (!str_span_to_int(p->p + 1, digits, 0, UINT32_MAX, &n) ||
	    p->end - close < 3 || memcmp(close, "}\r\n", 3) != 0 ||
	    p->end - close - 3 < n)
		return fail(p, "Wrong literal");
	arg->n = (size_t)n;
	arg->s = copy_bytes(p->a, close + 3, arg->n);
	p->p = close + 3 + n;
	return true;
}

/* Lenient: also takes what ends lists of header names ("]<0.10>"), wildcards
 * and bytes beyond ASCII, which commands check where it matters. */
static bool parse_atom(struct parser *p, struct arg *arg)
{
	const char *start = p->p;

	while (p->p < p->end && !strchr("() \"", *p->p)) {
		if ((unsigned char)*p->p < ' ' || *p->p == 0x7f)
			return fail(p, "Control character");
		p->p++;
	}
	arg->type = ARG_ATOM;
	arg->n = (size_t)(p->p - start);
	arg->s = arena_strndup(p->a, start, arg->n);
	return true;
}

static bool parse_list(struct parser *p, struct growing *g, bool nested);

static bool parse_arg(struct parser *p, struct arg *arg)
{
	struct growing g = { NULL, 0, 0 };

	if (p->left == 0)
		return fail(p, "Too many arguments");
	p->left--;
	if (*p->p == '"')
		return parse_quoted(p, arg);
	if (*p->p == '{' ||
	    (*p->p == '~' && p->p + 1 < p->end && p->p[1] == '{'))
		return parse_literal(p, arg);
	if (p->flat && (*p->p == '(' || *p->p == ')')) {
		arg->type = *p->p++ == '(' ? ARG_OPEN : ARG_CLOSE;
		return true;
	}
	if (*p->p != '(')
		return parse_atom(p, arg);
	if (p->depth == 0)
		return fail(p, "Too many nested lists");
	p->p++;
	p->depth--;
	if (!parse_list(p, &g, true))
		return false;
	p->depth++;
	arg->type = ARG_LIST;
	arg->list = g.arg;
	return true;
}

static bool parse_list(struct parser *p, struct growing *g, bool nested)
{
	struct arg empty;
	const char *before;

	add(p, g)->type = ARG_END;
	g->n = 0;
	for (;;) {
		before = p->p;
		while (p->p < p->end && *p->p == ' ')
			p->p++;
		if (p->p == p->end)
			return !nested || fail(p, "Missing )");
		if (*p->p == ')' && !p->flat) {
			p->p++;
			return nested || fail(p, "Unexpected )");
		}
		memset(&empty, 0, sizeof(empty));
		empty.glued = g->n > 0 && before == p->p;
		if (!parse_arg(p, &empty))
			return false;
		*add(p, g) = empty;
	}
}

struct arg *args_parse(struct arena *a, const char *text, size_t n,
		       const struct args_limits *limits, const char **why)
{
	struct parser p = {
		.a = a,
		.p = text,
		.end = text + n,
		.left = limits->args,
		.depth = limits->depth,
		.utf8 = limits->utf8,
		.flat = limits->flat,
	};
	struct growing g = { NULL, 0, 0 };

	if (!parse_list(&p, &g, false)) {
		*why = p.why;
		return NULL;
	}
	return g.arg;
}

bool arg_is(const struct arg *a, const char *word)
{
	return a->type == ARG_ATOM && str_equal_ci(a->s, word);
}

const char *arg_astring(const struct arg *a)
{
	return a->type == ARG_ATOM || a->type == ARG_STRING ? a->s : NULL;
}

bool arg_number(const struct arg *a, int64_t min, uint64_t *n)
{
	int64_t value;

	if (a->type != ARG_ATOM ||
	    !str_span_to_int(a->s, a->n, min, INT64_MAX, &value))
		return false;
	*n = (uint64_t)value;
	return true;
}

bool args_atom_byte(char c)
{
	unsigned char byte = (unsigned char)c;

	return byte > ' ' && byte < 0x7f && !strchr("(){%*\"\\]", byte);
}

size_t args_count(const struct arg *a)
{
	size_t n = 0;

	while (a[n].type != ARG_END)
		n++;
	return n;
}
