#include "authcheck/from.h"

#include <string.h>

#include "address/address.h"
#include "base/err.h"
#include "base/str.h"
#include "mime/field.h"

#define ADDRESSES_MAX 100

static void add_domain(struct from *f, const char *address)
{
	const char *at = strrchr(address, '@');

	if (!at || at[1] == '[') {
		f->proper = false;
		return;
	}
	for (size_t i = 0; i < f->n; i++)
		if (str_equal_ci(f->domain[i], at + 1))
			return;
	if (f->n == FROM_DOMAINS_MAX ||
	    !str_copy(f->domain[f->n], sizeof(f->domain[f->n]), at + 1)) {
		f->proper = false;
		return;
	}
	f->n++;
}

static void add_field(struct from *f, const struct mime_field *field)
{
	struct strlist addresses = { NULL, 0 };

	if (address_header(field->value, field->nvalue, ADDRESSES_MAX,
			   &addresses) != ERR_OK)
		f->proper = false;
	for (size_t i = 0; i < addresses.n; i++)
		add_domain(f, addresses.item[i]);
	strlist_free(&addresses);
}

void from_find(const struct message *m, struct from *f)
{
	const char *pos = m->data, *end = m->data + m->header;
	struct mime_field field;
	size_t fields = 0;

	f->n = 0;
	f->proper = true;
	while (mime_field_next(&pos, end, &field))
		if (mime_field_is(&field, "From")) {
			add_field(f, &field);
			fields++;
		}
	if (fields != 1 || f->n != 1)
		f->proper = false;
}
