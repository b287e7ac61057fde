#include "imapd/range.h"

#include <string.h>

#include "base/str.h"

static bool parse_number(const char *p, size_t n, bool negative,
			 uint32_t *number)
{
	int64_t value;

	if (negative && (n == 0 || *p++ != '-'))
		return false;
	n -= negative;
	if (!str_span_to_int(p, n, 1, UINT32_MAX, &value) ||
	    !str_isdigit((unsigned char)*p))
		return false;
	*number = (uint32_t)value;
	return true;
}

bool range_parse(const struct arg *a, struct range *r)
{
	const char *colon = a->type == ARG_ATOM ? strchr(a->s, ':') : NULL;
	uint32_t swap;

	if (!colon)
		return false;
	r->text = a->s;
	r->from_end = a->s[0] == '-';
	if (!parse_number(a->s, (size_t)(colon - a->s), r->from_end,
			  &r->first) ||
	    !parse_number(colon + 1, strlen(colon + 1), r->from_end, &r->last))
		return false;
	if (r->last < r->first) {
		swap = r->first;
		r->first = r->last;
		r->last = swap;
	}
	return true;
}

void range_apply(const struct range *r, size_t n, size_t *start, size_t *count)
{
	size_t last = r->last < n ? r->last : n;

	*start = 0;
	*count = 0;
	if (r->first > n)
		return;
	*count = last - r->first + 1;
	*start = r->from_end ? n - last : r->first - 1;
}
