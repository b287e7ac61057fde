#include "mime/param.h"

#include "base/str.h"
#include "mime/token.h"

/* tspecials of RFC 2045, without those that real mail has in bare values */
static const char specials[] = "()<>@,;:\\\"/[]?=";
static const char value_specials[] = "();\"";

#define VALUE_MAX 8192

static const char *keep(struct arena *a, struct buf *b)
{
	const char *s = arena_strndup(a, b->data, b->len);

	buf_reset(b);
	return s;
}

/* "; name=value": false where the list ends. */
static bool scan_param(struct arena *a, struct mime_scan *s, struct buf *b,
		       struct mime_value *v)
{
	const char *name;

	mime_scan_blank(s, NULL);
	if (!mime_scan_char(s, ';'))
		return false;
	mime_scan_blank(s, NULL);
	if (!mime_scan_run(s, specials, b))
		return s->p < s->end && *s->p == ';';
	name = keep(a, b);
	mime_scan_blank(s, NULL);
	if (!mime_scan_char(s, '='))
		return true;
	mime_scan_blank(s, NULL);
	if (!mime_scan_quoted(s, b))
		mime_scan_run(s, value_specials, b);
	v->param[v->nparams].name = name;
	v->param[v->nparams++].value = keep(a, b);
	return true;
}

static bool scan_value(struct arena *a, struct mime_scan *s, bool slash,
		       struct buf *b, struct mime_value *v)
{
	mime_scan_blank(s, NULL);
	if (!mime_scan_run(s, specials, b))
		return false;
	v->type = keep(a, b);
	mime_scan_blank(s, NULL);
	if (slash) {
		if (!mime_scan_char(s, '/'))
			return false;
		mime_scan_blank(s, NULL);
		if (!mime_scan_run(s, specials, b))
			return false;
		v->subtype = keep(a, b);
	}
	while (v->nparams < MIME_PARAMS_MAX && scan_param(a, s, b, v))
		;
	return true;
}

bool mime_value_parse(struct arena *a, const struct mime_field *f, bool slash,
		      struct mime_value *v)
{
	struct mime_scan s = { f->value, f->value + f->nvalue };
	struct buf b;
	bool good;

	v->type = v->subtype = NULL;
	v->nparams = 0;
	buf_init(&b, VALUE_MAX);
	good = scan_value(a, &s, slash, &b, v);
	buf_free(&b);
	return good;
}

const char *mime_value_get(const struct mime_value *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->nparams; i++)
		if (str_equal_ci(v->param[i].name, name))
			return v->param[i].value;
	return NULL;
}
