#include "mime/unbinary.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "mime/field.h"
#include "mime/param.h"

#define ENCODING "Content-Transfer-Encoding"

struct out {
	const char *data;
	size_t at; /* so much of it was given */
	mime_sink *sink;
	void *context;
	int code;
};

static bool is_binary(const struct mime_part *part, const char *data)
{
	struct arena *a = arena_new();
	bool binary = str_equal_ci(
		mime_encoding(a, data + part->header, part->nheader), "binary");

	arena_free(&a);
	return binary;
}

static void put(struct out *o, const char *data, size_t n)
{
	if (o->code == ERR_OK && n > 0)
		o->code = o->sink(o->context, data, n);
}

/* Gives what comes before the byte at TO as it is. */
static void copy_to(struct out *o, size_t to)
{
	if (to > o->at) {
		put(o, o->data + o->at, to - o->at);
		o->at = to;
	}
}

/* The header of PART, with another encoding. */
static void put_header(struct out *o, const struct mime_part *part,
		       const char *encoding)
{
	const char *pos = o->data + part->header, *end = pos + part->nheader;
	struct mime_field f;

	while (mime_field_next(&pos, end, &f)) {
		if (!mime_field_is(&f, ENCODING)) {
			put(o, f.raw, f.nraw);
			continue;
		}
		put(o, ENCODING ": ", sizeof(ENCODING ": ") - 1);
		put(o, encoding, strlen(encoding));
		put(o, "\r\n", 2);
	}
	put(o, "\r\n", 2);
	o->at = part->body;
}

static void put_part(struct out *o, const struct mime_part *part)
{
	bool binary = is_binary(part, o->data), leaf = part->kind == MIME_LEAF;
	const struct mime_part *child;

	copy_to(o, part->header);
	if (binary)
		put_header(o, part, leaf ? "base64" : "8bit");
	if (binary && leaf) {
		if (o->code == ERR_OK)
			o->code = mime_encode_base64(o->data + part->body,
						     part->nbody, o->sink,
						     o->context);
		o->at = part->body + part->nbody;
	}
	for (child = part->child; child; child = child->next)
		put_part(o, child);
}

int mime_unbinary(const struct mime_part *root, const char *data, size_t n,
		  mime_sink *sink, void *context)
{
	struct out o = { .data = data, .sink = sink, .context = context };

	put_part(&o, root);
	copy_to(&o, n);
	/* base64 that ends the message has no line end yet */
	if (root->kind == MIME_LEAF && is_binary(root, data))
		put(&o, "\r\n", 2);
	return o.code;
}

/* Is there a NUL from *AT up to TO? */
static bool has_nul(const char *data, size_t *at, size_t to)
{
	bool found = to > *at && memchr(data + *at, '\0', to - *at);

	*at = to;
	return found;
}

static bool is_clean(const struct mime_part *part, const char *data, size_t *at)
{
	const struct mime_part *child;

	if (part->kind == MIME_LEAF && is_binary(part, data)) {
		if (has_nul(data, at, part->body))
			return false;
		*at = part->body + part->nbody;
	}
	for (child = part->child; child; child = child->next)
		if (!is_clean(child, data, at))
			return false;
	return true;
}

bool mime_is_binary_in_parts(const struct mime_part *root, const char *data,
			     size_t n)
{
	size_t at = 0;

	return is_clean(root, data, &at) && !has_nul(data, &at, n);
}
