/*
 * Converts a message in two walks over its parts, which lib/mime has found in
 * the mapped content. The first decides whether it is possible and what each
 * part needs; the second writes: it copies up to the next change, writes the
 * replacement, and goes on. The same walk with a sink that only counts gives
 * the new size for SIZE=.
 */
#include "remote-send/seven-bit.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "mime/field.h"
#include "mime/param.h"

/* A conversion on its way through the content. */
struct walk {
	const struct seven_bit *b;
	size_t at; /* what is before was written */
	mime_sink *sink;
	void *context;
	int err;
};

/* How a leaf's body becomes ASCII. */
struct method {
	const char *encoding; /* what the header says then */
	int (*write)(const char *data, size_t n, mime_sink *sink,
		     void *context);
};

static const struct method to_qp = { "quoted-printable", mime_encode_qp };
static const struct method to_base64 = { "base64", mime_encode_base64 };
static const struct method mend_qp = { "quoted-printable", mime_mend_qp };
static const struct method mend_base64 = { "base64", mime_mend_base64 };

static bool is_8bit(const struct seven_bit *b, size_t from, size_t to)
{
	return mime_count_8bit(b->data + from, to - from, 1) > 0;
}

static size_t end_of(const struct mime_part *part)
{
	return part->body + part->nbody;
}

static bool is_field(const struct mime_field *f)
{
	for (size_t i = 0; i < f->nname; i++)
		if (f->name[i] <= ' ' || f->name[i] > '~')
			return false;
	return f->nname > 0;
}

/* Where the body of a part begins. Text that lib/mime took for a header,
 * though it is not one, is body to other programs. */
static size_t body_of(const struct seven_bit *b, const struct mime_part *part)
{
	const char *p = b->data + part->header, *end = p + part->nheader;
	struct mime_field f;

	while (part->kind == MIME_LEAF && mime_field_next(&p, end, &f))
		if (!is_field(&f))
			return (size_t)(f.raw - b->data);
	return part->body;
}

static bool has_8bit_body(const struct seven_bit *b,
			  const struct mime_part *part)
{
	return is_8bit(b, body_of(b, part), end_of(part));
}

static bool read_type(const struct seven_bit *b, const struct mime_part *part,
		      struct mime_value *v)
{
	struct mime_field f;

	return mime_field_find(b->data + part->header,
			       body_of(b, part) - part->header, "Content-Type",
			       &f) &&
	       mime_value_parse(b->arena, &f, true, v);
}

/* Quoted-printable keeps line ends as line ends, which is only right for text;
 * text that is mostly beyond ASCII is shorter in base64. */
static const struct method *method_by_type(const struct seven_bit *b,
					   const struct mime_part *part,
					   const struct mime_value *type)
{
	size_t body = body_of(b, part), n = end_of(part) - body;
	size_t many = n / 6 + 1;

	if (!str_equal_ci(type->type, "text"))
		return str_equal_ci(type->type, "message") ? &to_qp
							   : &to_base64;
	return mime_count_8bit(b->data + body, n, many) < many ? &to_qp
							       : &to_base64;
}

/* Types that may not be encoded, which would hide their parts (RFC 2045
 * section 6.4, RFC 2046 sections 5.2.2 and 5.2.3). */
static bool is_composite(const struct mime_value *type)
{
	static const char *const message[] = { "rfc822", "partial",
					       "external-body", "global" };

	if (str_equal_ci(type->type, "multipart"))
		return true;
	if (!str_equal_ci(type->type, "message"))
		return false;
	for (size_t i = 0; i < sizeof(message) / sizeof(message[0]); i++)
		if (str_equal_ci(type->subtype, message[i]))
			return true;
	return false;
}

/* The method for a leaf, or NULL if there is none. */
static const struct method *find_method(const struct seven_bit *b,
					const struct mime_part *part)
{
	static const char *const identity[] = { "7bit", "8bit", "binary" };
	const char *header = b->data + part->header, *encoding;
	struct mime_value type;

	if (!read_type(b, part, &type))
		type = (struct mime_value){ "text", "plain", .nparams = 0 };
	if (is_composite(&type))
		return NULL;
	encoding = mime_encoding(b->arena, header,
				 body_of(b, part) - part->header);
	for (size_t i = 0; i < sizeof(identity) / sizeof(identity[0]); i++)
		if (str_equal_ci(encoding, identity[i]))
			return method_by_type(b, part, &type);
	if (str_equal_ci(encoding, "quoted-printable"))
		return &mend_qp;
	return str_equal_ci(encoding, "base64") ? &mend_base64 : NULL;
}

/* Are the delimiters of a multipart ASCII, so that they can stay? */
static bool has_good_boundary(const struct seven_bit *b,
			      const struct mime_part *part)
{
	size_t line = part->child->header;

	while (line > part->body &&
	       (line == part->child->header || b->data[line - 1] != '\n'))
		line--;
	return !is_8bit(b, line, part->child->header);
}

static bool can_convert(const struct seven_bit *b, const struct mime_part *part)
{
	if (!has_8bit_body(b, part))
		return true;
	if (part->kind == MIME_LEAF)
		return find_method(b, part) != NULL;
	if (!part->child ||
	    (part->kind == MIME_MULTIPART && !has_good_boundary(b, part)))
		return false;
	for (const struct mime_part *c = part->child; c; c = c->next)
		if (!can_convert(b, c))
			return false;
	return true;
}

static void put(struct walk *w, const char *data, size_t n)
{
	if (!w->err && n > 0)
		w->err = w->sink(w->context, data, n);
}

static void put_text(struct walk *w, const char *text)
{
	put(w, text, strlen(text));
}

/* Writes up to TO unchanged. */
static void copy_to(struct walk *w, size_t to)
{
	put(w, w->b->data + w->at, to - w->at);
	w->at = to;
}

/* Writes up to TO, a preamble, delimiter or epilogue, which programs do not
 * show. */
static void mask_to(struct walk *w, size_t to)
{
	if (!w->err)
		w->err = mime_mask(w->b->data + w->at, to - w->at, w->sink,
				   w->context);
	w->at = to;
}

static void put_encoding(struct walk *w, const char *encoding)
{
	put_text(w, "Content-Transfer-Encoding: ");
	put_text(w, encoding);
	put_text(w, "\r\n");
}

/* A message without MIME becomes MIME; the charset of its 8-bit text is
 * unknown (RFC 1428 section 3). */
static void put_missing(struct walk *w, const struct mime_part *part)
{
	const char *header = w->b->data + part->header;
	struct mime_field f;

	if (part != w->b->root)
		return;
	if (!mime_field_find(header, part->nheader, "MIME-Version", &f))
		put_text(w, "MIME-Version: 1.0\r\n");
	if (!mime_field_find(header, part->nheader, "Content-Type", &f))
		put_text(w, "Content-Type: text/plain; "
			    "charset=unknown-8bit\r\n");
}

/* The header, which says ENCODING now. */
static void convert_header(struct walk *w, const struct mime_part *part,
			   const char *encoding)
{
	const char *p = w->b->data + part->header;
	const char *end = w->b->data + body_of(w->b, part);
	struct mime_field f;
	bool said = false;

	copy_to(w, part->header);
	while (mime_field_next(&p, end, &f)) {
		if (!mime_field_is(&f, "Content-Transfer-Encoding"))
			put(w, f.raw, f.nraw);
		else if (!said)
			put_encoding(w, encoding);
		said = said || mime_field_is(&f, "Content-Transfer-Encoding");
	}
	if (!said)
		put_encoding(w, encoding);
	put_missing(w, part);
	put_text(w, "\r\n");
	w->at = body_of(w->b, part);
}

static void convert_leaf(struct walk *w, const struct mime_part *part)
{
	const struct method *m = find_method(w->b, part);

	convert_header(w, part, m->encoding);
	if (!w->err)
		w->err = m->write(w->b->data + w->at, end_of(part) - w->at,
				  w->sink, w->context);
	w->at = end_of(part);
}

static void convert(struct walk *w, const struct mime_part *part)
{
	/* ASCII is left to the next copy_to */
	if (!has_8bit_body(w->b, part))
		return;
	if (part->kind == MIME_LEAF) {
		convert_leaf(w, part);
		return;
	}
	convert_header(w, part, "7bit");
	for (const struct mime_part *c = part->child; c; c = c->next) {
		mask_to(w, c->header);
		convert(w, c);
		copy_to(w, end_of(c));
	}
	mask_to(w, end_of(part));
}

int seven_bit_write(const struct seven_bit *b, mime_sink *sink, void *context)
{
	struct walk w = { .b = b, .sink = sink, .context = context };

	convert(&w, b->root);
	copy_to(&w, b->n);
	return w.err;
}

static int count(void *context, const void *data, size_t n)
{
	int64_t *size = context;

	(void)data;
	*size += (int64_t)n;
	return ERR_OK;
}

/* Maps the content, which shares memory with the page cache. A disk error ends
 * the process, and qmgr tries again later. */
static bool map_content(struct seven_bit *b, const struct job *j)
{
	off_t page = (off_t)sysconf(_SC_PAGESIZE);
	off_t start = j->offset / page * page;
	struct stat st;

	/* the content may not extend beyond the end of the file */
	if (fstat(j->fd, &st) < 0 || st.st_size < j->offset + j->length)
		return false;
	b->nmap = (size_t)(j->offset + j->length - start);
	b->map = mmap(NULL, b->nmap, PROT_READ, MAP_PRIVATE, j->fd, start);
	if (b->map == MAP_FAILED) {
		b->map = NULL;
		return false;
	}
	b->data = b->map + (j->offset - start);
	b->n = (size_t)j->length;
	return true;
}

void seven_bit_look(struct seven_bit *b, struct arena *a, const struct job *j)
{
	*b = (struct seven_bit){ .state = SEVEN_BIT_CLEAN, .arena = a };
	if (j->length == 0)
		return;
	b->state = SEVEN_BIT_UNREADABLE;
	if (!map_content(b, j))
		return;
	b->state = SEVEN_BIT_CLEAN;
	if (!is_8bit(b, 0, b->n))
		return;
	b->root = mime_parse(a, b->data, b->n);
	if (!has_8bit_body(b, b->root))
		return;
	b->state = SEVEN_BIT_IMPOSSIBLE;
	if (!can_convert(b, b->root))
		return;
	b->state = SEVEN_BIT_CONVERTED;
	err_ignore(seven_bit_write(b, count, &b->size)); /* counts alone */
}

void seven_bit_end(struct seven_bit *b)
{
	if (b->map)
		munmap(b->map, b->nmap);
	*b = (struct seven_bit){ .state = SEVEN_BIT_UNKNOWN };
}
