#include "authcheck/dkim-key.h"

#include <string.h>

#include "authcheck/tags.h"
#include "base/str.h"

/* The k= that goes with a signature's a=. */
static bool type_fits(const char *type, const char *algorithm)
{
	size_t n = strlen(type);

	return strncmp(algorithm, type, n) == 0 && algorithm[n] == '-';
}

const char *dkim_key_fault(struct arena *a, const char *record,
			   const char *algorithm)
{
	const char *version, *type, *hashes, *services, *key;
	struct tags t;

	if (!tags_parse(a, record, strlen(record), &t))
		return "key record with a fault";
	version = tags_get(&t, "v");
	if (version &&
	    (!str_equal(version, "DKIM1") || !str_equal(t.tag[0].name, "v")))
		return "key record of another version";
	key = tags_get_compact(a, &t, "p");
	if (!key)
		return "key record without key";
	if (!*key)
		return "key revoked";
	type = tags_get(&t, "k");
	if (!type_fits(type ? type : "rsa", algorithm))
		return "key of another type";
	hashes = tags_get(&t, "h");
	if (hashes && !tags_list_has(hashes, ':', "sha256"))
		return "key not for sha256";
	services = tags_get(&t, "s");
	if (services && !tags_list_has(services, ':', "*") &&
	    !tags_list_has(services, ':', "email"))
		return "key not for mail";
	return NULL;
}

enum dkim_key_status dkim_key_find(const struct lookup *l, const char *selector,
				   const char *domain, const char *algorithm,
				   const char **record, const char **why)
{
	const char *name =
		arena_printf(l->arena, "%s._domainkey.%s", selector, domain);
	const struct dns_answer *d = lookup_dns(l, name, "TXT");

	*why = "no key";
	if (d->status == DNS_TEMP) {
		*why = "no answer for the key";
		return DKIM_KEY_TEMP;
	}
	if (d->status != DNS_FOUND)
		return DKIM_KEY_NONE;
	if (d->n > 1) {
		*why = "several key records";
		return DKIM_KEY_NONE;
	}
	*record = d->record[0].text;
	*why = dkim_key_fault(l->arena, *record, algorithm);
	return *why ? DKIM_KEY_NONE : DKIM_KEY_GOOD;
}
