#include "mime/delivered.h"

#define FIELDS_MAX 100
#define VALUE_MAX_BYTES 1000 /* more than any address has */

void mime_delivered_note(const struct mime_field *f, struct strlist *found)
{
	struct buf value;

	if (found->n >= FIELDS_MAX || !mime_field_is(f, "Delivered-To"))
		return;
	buf_init(&value, VALUE_MAX_BYTES);
	mime_unfold(&value, f->value, f->nvalue);
	strlist_add(found, value.over || !value.len ? "" : value.data);
	buf_free(&value);
}

bool mime_delivered_has(const struct strlist *found, const char *address)
{
	return strlist_has_ci(found, address);
}
