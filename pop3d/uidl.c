#include "pop3d/uidl.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define WIDTH_MAX 20

/* A variable, or a byte that stands for itself. */
struct piece {
	char what; /* u v f g; 0: it is `byte` */
	char byte;
	bool hex;
	int width; /* with zeros before it; 0: none */
};

/* After '%': a width that begins with 0, X, the variable. NULL, or what is
 * wrong. */
static const char *parse_variable(const char **p, struct piece *out)
{
	const char *s = *p;

	if (*s == '0') {
		while (str_isdigit(*++s) && out->width <= WIDTH_MAX)
			out->width = 10 * out->width + *s - '0';
		if (out->width < 1 || out->width > WIDTH_MAX)
			return "a width is 01 to 020";
	}
	out->hex = *s == 'X';
	s += out->hex;
	if (!*s || !strchr("uvfg", *s))
		return "after % comes u, v, f or g, before u and v perhaps a "
		       "width, as 08, and X";
	if (strchr("fg", *s) && s > *p)
		return "f and g have neither width nor X";
	out->what = *s;
	*p = s + 1;
	return NULL;
}

/* The piece at *P, which moves behind it. NULL, or what is wrong. */
static const char *parse(const char **p, struct piece *out)
{
	*out = (struct piece){ .byte = *(*p)++ };
	if (out->byte == '%' && **p != '%')
		return parse_variable(p, out);
	if (out->byte == '%')
		++*p;
	if (out->byte < 0x21 || out->byte > 0x7e)
		return "ids have only printable ASCII, and no space";
	return NULL;
}

static void put(struct buf *b, const struct piece *p,
		const struct uidl_message *m)
{
	uint32_t number = p->what == 'u' ? m->uid : m->uidvalidity;

	if (!p->what)
		buf_putc(b, p->byte);
	else if (p->what == 'f' || p->what == 'g')
		buf_put(b, m->base, m->nbase);
	else if (p->hex)
		buf_printf(b, "%0*" PRIx32, p->width, number);
	else
		buf_printf(b, "%0*" PRIu32, p->width, number);
}

static bool is_valid(const struct buf *b)
{
	if (b->over || b->len == 0)
		return false;
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] < 0x21 || b->data[i] > 0x7e)
			return false;
	return true;
}

/* False: it is not a valid id. */
static bool format_id(const char *format, const struct uidl_message *m,
		      char id[UIDL_SIZE])
{
	struct piece piece;
	struct buf b;
	bool good = true;

	buf_init(&b, UIDL_SIZE - 1);
	while (*format && good) {
		good = !parse(&format, &piece) &&
		       (m->base || (piece.what != 'f' && piece.what != 'g'));
		if (good)
			put(&b, &piece, m);
	}
	good = good && is_valid(&b) && str_copy(id, UIDL_SIZE, b.data);
	buf_free(&b);
	return good;
}

const char *uidl_fault(const char *format)
{
	const struct uidl_message most = { UINT32_MAX, UINT32_MAX, "x", 1 };
	const char *p = format, *fault = NULL;
	char id[UIDL_SIZE];
	struct piece piece;
	bool unique = false;

	while (*p && !fault) {
		fault = parse(&p, &piece);
		unique = unique || (piece.what && piece.what != 'v');
	}
	if (fault)
		return fault;
	if (!unique)
		return "without %u, %f or %g messages have the same id";
	return format_id(format, &most, id) ? NULL
					    : "ids have 70 bytes at most";
}

void uidl_make(const char *format, const struct uidl_message *m,
	       char id[UIDL_SIZE])
{
	/* numbers always fit */
	if (!format_id(format, m, id) && !format_id(UIDL_DEFAULT, m, id))
		*id = '\0';
}
