#include "authcheck/from.h"

#include <string.h>

#include "address/address.h"
#include "base/err.h"
#include "base/str.h"
#include "mime/author.h"
#include "mime/field.h"

/* No author has a longer list: bounds the parsing. */
#define READINGS_MAX 10000

static void set_fault(struct from *f, const char *text)
{
	if (!f->fault)
		f->fault = text;
}

static void add(struct from *f, const char *domain)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_equal(f->domain[i], domain))
			return;
	if (f->n == FROM_DOMAINS_MAX)
		set_fault(f, "From has too many domains");
	else
		str_copy(f->domain[f->n++], sizeof(f->domain[0]), domain);
}

/* A mailbox without a domain cannot be judged. What was only guessed and has no
 * dot is not a domain either. */
static void take(void *context, const char *domain, bool shown)
{
	char canonical[ADDRESS_DOMAIN_SIZE];
	struct from *f = context;

	if (!*domain)
		return;
	f->addresses += shown;
	if (f->readings++ >= READINGS_MAX) {
		set_fault(f, "From has too many addresses");
		return;
	}
	if (address_domain(domain, strlen(domain), canonical) != ERR_OK) {
		if (shown || strchr(domain, '.'))
			set_fault(f, "From has an invalid domain");
	} else if (canonical[0] != '[') {
		add(f, canonical);
	}
}

void from_find(const struct message *m, struct from *f)
{
	const char *pos = m->data, *end = m->data + m->header;
	struct mime_field field;
	size_t fields = 0;

	*f = (struct from){ .fault = NULL };
	while (mime_field_next(&pos, end, &field)) {
		if (!mime_field_is(&field, "From"))
			continue;
		fields++;
		if (!mime_author_domains(field.value, field.nvalue, take, f))
			set_fault(f, "From may show more than can be read");
	}
	if (fields == 0)
		set_fault(f, "there is no From field");
	else if (fields > 1)
		set_fault(f, "there are several From fields");
	else if (f->addresses == 0)
		set_fault(f, "there is no address in From");
}
