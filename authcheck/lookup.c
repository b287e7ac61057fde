#include "authcheck/lookup.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define NAME_MAX_DNS 253
#define LABEL_MAX 63
#define QUESTION_MS 20000 /* for one question, however much time is left */

bool lookup_good_name(const char *name)
{
	size_t label = 0, n = strlen(name);

	if (n == 0 || n > NAME_MAX_DNS)
		return false;
	for (const char *p = name; *p; p++) {
		if (*p < ' ' || *p > '~' || strchr("\\\"();@$[]", *p))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > LABEL_MAX || (*p == '.' && p[1] == '.'))
			return false;
	}
	return name[0] != '.' && name[n - 1] != '.';
}

struct dns_answer *lookup_dns(const struct lookup *l, const char *name,
			      const char *type)
{
	char *asked = arena_strdup(l->arena, name);
	size_t n = strlen(asked);
	int64_t left = l->until_ms - clock_ms();
	struct dns_answer *none;

	if (n > 0 && asked[n - 1] == '.')
		asked[n - 1] = '\0';
	if (lookup_good_name(asked) && left > 0)
		return dns_query(l->arena, str_lower(asked), type,
				 left < QUESTION_MS ? left : QUESTION_MS);
	none = arena_alloc(l->arena, sizeof(*none));
	none->status = left > 0 ? DNS_NO_NAME : DNS_TEMP;
	none->canonical = asked;
	none->why = left > 0 ? "" : "no time left";
	return none;
}
