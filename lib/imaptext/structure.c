#include "imaptext/imaptext.h"

#include "base/str.h"
#include "mime/field.h"
#include "mime/param.h"

struct writer {
	struct buf *out;
	struct arena *a;
	const char *data;
	bool extension;
};

static void put_part(struct writer *w, const struct mime_part *part);

static bool find(const struct writer *w, const struct mime_part *part,
		 const char *name, struct mime_field *f)
{
	return mime_field_find(w->data + part->header, part->nheader, name, f);
}

/* Content-ID and the like: the value unchanged. */
static void put_field(struct writer *w, const struct mime_part *part,
		      const char *name)
{
	struct mime_field f;
	struct buf value;

	if (!find(w, part, name, &f)) {
		buf_puts(w->out, "NIL");
		return;
	}
	buf_init(&value, IMAP_TEXT_MAX);
	mime_unfold(&value, f.value, f.nvalue);
	imap_put_string(w->out, value.data, value.len);
	buf_free(&value);
}

static void put_params(struct writer *w, struct mime_value *v)
{
	size_t i;

	mime_value_join(w->a, v);
	if (v->nparams == 0) {
		buf_puts(w->out, "NIL");
		return;
	}
	for (i = 0; i < v->nparams; i++) {
		buf_putc(w->out, i == 0 ? '(' : ' ');
		imap_put_nstring(w->out, v->param[i].name);
		buf_putc(w->out, ' ');
		imap_put_nstring(w->out, v->param[i].value);
	}
	buf_putc(w->out, ')');
}

static void put_disposition(struct writer *w, const struct mime_part *part)
{
	struct mime_field f;
	struct mime_value v;

	if (!find(w, part, "Content-Disposition", &f) ||
	    !mime_value_parse(w->a, &f, false, &v)) {
		buf_puts(w->out, "NIL");
		return;
	}
	buf_putc(w->out, '(');
	imap_put_nstring(w->out, v.type);
	buf_putc(w->out, ' ');
	put_params(w, &v);
	buf_putc(w->out, ')');
}

/* Content-Language: one or several tags (RFC 3282). */
static void put_language(struct writer *w, const struct mime_part *part)
{
	struct strlist tags = { NULL, 0 };
	struct mime_field f;
	struct buf value;
	size_t i;

	if (find(w, part, "Content-Language", &f)) {
		buf_init(&value, 1024);
		mime_unfold(&value, f.value, f.nvalue);
		strlist_split(&tags, value.data);
		buf_free(&value);
	}
	for (i = 0; i < tags.n; i++) {
		buf_putc(w->out, i == 0 ? '(' : ' ');
		imap_put_nstring(w->out, tags.item[i]);
	}
	buf_puts(w->out, tags.n ? ")" : "NIL");
	strlist_free(&tags);
}

/* body-fld-dsp, -lang, -loc: what all parts end with. */
static void put_common(struct writer *w, const struct mime_part *part)
{
	buf_putc(w->out, ' ');
	put_disposition(w, part);
	buf_putc(w->out, ' ');
	put_language(w, part);
	buf_putc(w->out, ' ');
	put_field(w, part, "Content-Location");
}

/* Text without a charset is in us-ascii (RFC 2045 section 5.2). */
static void add_charset(struct arena *a, struct mime_value *v)
{
	if (!str_equal_ci(v->type, "text") ||
	    mime_value_text(a, v, "charset") || v->nparams == MIME_PARAMS_MAX)
		return;
	v->param[v->nparams].name = "charset";
	v->param[v->nparams++].value = "us-ascii";
}

/* The effective Content-Type: one that does not parse counts as text/plain in
 * us-ascii (RFC 2045 section 5.2). */
static void read_type(struct writer *w, const struct mime_part *part,
		      struct mime_value *v)
{
	struct mime_field f;

	if (find(w, part, "Content-Type", &f) &&
	    mime_value_parse(w->a, &f, true, v) &&
	    (part->kind == MIME_MULTIPART ||
	     !str_equal_ci(v->type, "multipart"))) {
		add_charset(w->a, v);
		return;
	}
	v->nparams = 0;
	v->type = part->in_digest ? "message" : "text";
	v->subtype = part->in_digest ? "rfc822" : "plain";
	add_charset(w->a, v);
}

static void put_encoding(struct writer *w, const struct mime_part *part)
{
	imap_put_nstring(w->out, mime_encoding(w->a, w->data + part->header,
					       part->nheader));
}

static void put_message(struct writer *w, const struct mime_part *child)
{
	buf_putc(w->out, ' ');
	imap_envelope(w->out, w->data + child->header, child->nheader);
	buf_putc(w->out, ' ');
	put_part(w, child);
}

static void put_single(struct writer *w, const struct mime_part *part)
{
	struct mime_value v;

	read_type(w, part, &v);
	/* A part beyond the limits is not shown as the type it claims, since
	 * a message without its structure would be an invalid answer. */
	if (part->cut) {
		v.type = "application";
		v.subtype = "octet-stream";
	}
	imap_put_nstring(w->out, v.type);
	buf_putc(w->out, ' ');
	imap_put_nstring(w->out, v.subtype);
	buf_putc(w->out, ' ');
	put_params(w, &v);
	buf_putc(w->out, ' ');
	put_field(w, part, "Content-ID");
	buf_putc(w->out, ' ');
	put_field(w, part, "Content-Description");
	buf_putc(w->out, ' ');
	put_encoding(w, part);
	buf_printf(w->out, " %zu", part->body_crlf);
	if (part->kind == MIME_MESSAGE)
		put_message(w, part->child);
	if (part->kind == MIME_MESSAGE || str_equal_ci(v.type, "text"))
		buf_printf(w->out, " %zu", part->body_lines);
	if (!w->extension)
		return;
	buf_putc(w->out, ' ');
	put_field(w, part, "Content-MD5");
	put_common(w, part);
}

/* A multipart without parts is shown with one empty text, since the grammar
 * requires one or more. */
static void put_multipart(struct writer *w, const struct mime_part *part)
{
	static const char empty[] = "(\"text\" \"plain\" (\"charset\" "
				    "\"us-ascii\") NIL NIL \"7bit\" 0 0";
	const struct mime_part *child;
	struct mime_value v;

	for (child = part->child; child; child = child->next)
		put_part(w, child);
	if (!part->child) {
		buf_puts(w->out, empty);
		buf_puts(w->out, w->extension ? " NIL NIL NIL NIL)" : ")");
	}
	read_type(w, part, &v);
	buf_putc(w->out, ' ');
	imap_put_nstring(w->out, v.subtype);
	if (!w->extension)
		return;
	buf_putc(w->out, ' ');
	put_params(w, &v);
	put_common(w, part);
}

static void put_part(struct writer *w, const struct mime_part *part)
{
	buf_putc(w->out, '(');
	if (part->kind == MIME_MULTIPART)
		put_multipart(w, part);
	else
		put_single(w, part);
	buf_putc(w->out, ')');
}

void imap_structure(struct buf *out, const char *data,
		    const struct mime_part *root, bool extension)
{
	struct writer w = { out, arena_new(), data, extension };

	put_part(&w, root);
	arena_free(&w.a);
}
