/*
 * Parameters in pieces (RFC 2231 section 3), joined as IMAP shows them. If they
 * are ambiguous, because a piece is missing or occurs twice, all of them stay
 * as they are.
 */
#include "mime/param.h"

#include <string.h>

#include "base/encode.h"
#include "base/str.h"

/* "name*3*" is a piece of "name". */
struct piece {
	const char *name; /* not ended by a NUL */
	size_t n;
	int64_t number;
	bool encoded;
};

static bool read_piece(const char *param, struct piece *p)
{
	const char *end = param + strlen(param), *digits;

	p->encoded = end > param && end[-1] == '*';
	end -= p->encoded;
	for (digits = end;
	     digits > param && str_isdigit((unsigned char)digits[-1]); digits--)
		;
	if (digits == end || digits - param < 2 || digits[-1] != '*' ||
	    (*digits == '0' && end - digits > 1))
		return false;
	p->name = param;
	p->n = (size_t)(digits - param) - 1;
	return str_span_to_int(digits, (size_t)(end - digits), 0,
			       MIME_PARAMS_MAX - 1, &p->number);
}

static bool is_piece_of(const char *name, const char *param, struct piece *p)
{
	return read_piece(param, p) && str_span_is(p->name, p->n, name);
}

/* The pieces of one parameter, by number. */
struct pieces {
	const char *value[MIME_PARAMS_MAX];
	bool encoded[MIME_PARAMS_MAX];
	int n;
	int highest;
	bool twice;
	bool any_encoded;
};

static void collect(const struct mime_value *v, const char *name,
		    struct pieces *all)
{
	struct piece p;

	*all = (struct pieces){ .highest = -1 };
	for (size_t i = 0; i < v->nparams; i++) {
		if (!is_piece_of(name, v->param[i].name, &p))
			continue;
		all->twice |= all->value[p.number] != NULL;
		all->value[p.number] = v->param[i].value;
		all->encoded[p.number] = p.encoded;
		all->any_encoded |= p.encoded;
		if (all->highest < p.number)
			all->highest = (int)p.number;
		all->n++;
	}
}

static bool is_plain(unsigned char c)
{
	return str_isalnum(c) || (c && strchr("!#$&+-.^_`{|}~", c));
}

static void put_encoded(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (is_plain((unsigned char)*text)) {
			buf_putc(out, *text);
			continue;
		}
		buf_putc(out, '%');
		encode_hex(out, text, 1);
	}
}

/* If a part is encoded, the result is encoded as a whole; without a charset
 * before the first piece, it has an empty one. */
static const char *join(struct arena *a, const struct pieces *all)
{
	const char *text;
	struct buf b;
	size_t max = 3;

	for (int i = 0; i < all->n; i++)
		max += 3 * strlen(all->value[i]);
	buf_init(&b, max);
	if (all->any_encoded && !all->encoded[0])
		buf_puts(&b, "''");
	for (int i = 0; i < all->n; i++)
		if (all->any_encoded && !all->encoded[i])
			put_encoded(&b, all->value[i]);
		else
			buf_puts(&b, all->value[i]);
	text = arena_strndup(a, b.data, b.len);
	buf_free(&b);
	return text;
}

/* Takes the pieces of NAME off V, from FROM on. */
static void remove_pieces(struct mime_value *v, size_t from, const char *name)
{
	size_t to = from;
	struct piece p;

	for (size_t i = from; i < v->nparams; i++)
		if (!is_piece_of(name, v->param[i].name, &p))
			v->param[to++] = v->param[i];
	v->nparams = to;
}

/* Is the parameter at AT a piece, and the first one of its NAME? */
static bool is_first(struct arena *a, const struct mime_value *v, size_t at,
		     const char **name)
{
	struct piece p, other;

	if (!read_piece(v->param[at].name, &p))
		return false;
	*name = arena_strndup(a, p.name, p.n);
	for (size_t i = 0; i < at; i++)
		if (is_piece_of(*name, v->param[i].name, &other))
			return false;
	return true;
}

void mime_value_join(struct arena *a, struct mime_value *v)
{
	const char *name;
	struct pieces all;

	for (size_t i = 0; i < v->nparams; i++) {
		if (!is_first(a, v, i, &name))
			continue;
		collect(v, name, &all);
		if (all.twice || all.highest != all.n - 1)
			continue;
		v->param[i].value = join(a, &all);
		v->param[i].name =
			all.any_encoded ? arena_printf(a, "%s*", name) : name;
		remove_pieces(v, i + 1, name);
	}
}
