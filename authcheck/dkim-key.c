#include "authcheck/dkim-key.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "authcheck/tags.h"
#include "base/encode.h"
#include "base/str.h"

#define RSA_BITS_MIN 1024 /* RFC 8301 section 3.2 */

/* The k= that goes with a signature's a=. */
static bool type_fits(const char *type, const char *algorithm)
{
	size_t n = strlen(type);

	return strncmp(algorithm, type, n) == 0 && algorithm[n] == '-';
}

static const char *fault_of(struct arena *a, const struct tags *t,
			    const char *algorithm)
{
	const char *version = tags_get(t, "v"), *type = tags_get(t, "k");
	const char *hashes = tags_get(t, "h"), *services = tags_get(t, "s");
	const char *key = tags_get_compact(a, t, "p");

	if (version &&
	    (!str_equal(version, "DKIM1") || !str_equal(t->tag[0].name, "v")))
		return "key record of another version";
	if (!key)
		return "key record without key";
	if (!*key)
		return "key revoked";
	if (!type_fits(type ? type : "rsa", algorithm))
		return "key of another type";
	if (hashes && !tags_list_has(hashes, ':', "sha256"))
		return "key not for sha256";
	if (services && !tags_list_has(services, ':', "*") &&
	    !tags_list_has(services, ':', "email"))
		return "key not for mail";
	return NULL;
}

const char *dkim_key_fault(struct arena *a, const char *record,
			   const char *algorithm)
{
	struct tags t;

	if (!tags_parse(a, record, strlen(record), &t))
		return "key record with a fault";
	return fault_of(a, &t, algorithm);
}

/* The size of the RSA key in base64 KEY, in bits; 0 if it is not one, which the
 * library will report. The library itself counts in bytes. */
static int rsa_bits(const char *key)
{
	const unsigned char *p;
	EVP_PKEY *pkey = NULL;
	struct buf der;
	int bits = 0;

	buf_init(&der, 65536);
	if (decode_base64(&der, key, strlen(key))) {
		p = (const unsigned char *)der.data;
		pkey = d2i_PUBKEY(NULL, &p, (long)der.len);
	}
	if (pkey && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA)
		bits = EVP_PKEY_get_bits(pkey);
	EVP_PKEY_free(pkey);
	buf_free(&der);
	return bits;
}

/* The tags that the library reads. */
static const char *essence(struct arena *a, const struct tags *t)
{
	const char *type = tags_get(t, "k"), *flags = tags_get(t, "t");

	return arena_printf(a, "v=DKIM1; k=%s;%s%s%s p=%s", type ? type : "rsa",
			    flags ? " t=" : "", flags ? flags : "",
			    flags ? ";" : "", tags_get_compact(a, t, "p"));
}

const char *dkim_key_name(struct arena *a, const char *selector,
			  const char *domain)
{
	return arena_printf(a, "%s._domainkey.%s", selector, domain);
}

enum dkim_key_status dkim_key_find(struct lookup *l, const char *selector,
				   const char *domain, const char *algorithm,
				   const char **record, const char **why)
{
	const char *name = dkim_key_name(l->arena, selector, domain);
	const struct dns_answer *d = lookup_dns(l, name, "TXT");
	const char *text;
	struct tags t;
	int bits;

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
	text = d->record[0].text;
	*why = "key record with a fault";
	if (!tags_parse(l->arena, text, strlen(text), &t))
		return DKIM_KEY_NONE;
	*why = fault_of(l->arena, &t, algorithm);
	if (*why)
		return DKIM_KEY_NONE;
	bits = rsa_bits(tags_get_compact(l->arena, &t, "p"));
	*why = "key too small";
	if (bits > 0 && bits < RSA_BITS_MIN)
		return DKIM_KEY_SMALL;
	*record = essence(l->arena, &t);
	return DKIM_KEY_GOOD;
}
