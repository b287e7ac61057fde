#include "authcheck/dkim-key.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "authcheck/tags.h"
#include "base/str.h"
#include "mime/decode.h"

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

#define ED25519_BYTES 32

/* An RSA key: as everybody publishes it, or as RFC 6376 has it. */
static EVP_PKEY *read_rsa(const unsigned char *der, long n)
{
	const unsigned char *p = der;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, n);

	p = der;
	if (!key)
		key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, n);
	if (key && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

/* The key TEXT, in base64, which has its faults, for ALGORITHM; or NULL. */
static EVP_PKEY *read_key(const char *text, const char *algorithm)
{
	EVP_PKEY *key = NULL;
	struct buf der;
	const unsigned char *p;

	buf_init(&der, 65536);
	mime_decode_base64(&der, text, strlen(text));
	p = (const unsigned char *)der.data;
	if (str_starts(algorithm, "rsa-"))
		key = der.len ? read_rsa(p, (long)der.len) : NULL;
	else if (der.len == ED25519_BYTES)
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p,
						  ED25519_BYTES);
	buf_free(&der);
	return key;
}

const char *dkim_key_name(struct arena *a, const char *selector,
			  const char *domain)
{
	return arena_printf(a, "%s._domainkey.%s", selector, domain);
}

enum dkim_key_status dkim_key_find(struct lookup *l, const char *selector,
				   const char *domain, const char *algorithm,
				   struct dkim_public *key, const char **why)
{
	const char *name = dkim_key_name(l->arena, selector, domain);
	const struct dns_answer *d = lookup_dns(l, name, "TXT");
	const char *text, *flags;
	struct tags t;

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
	*why = "key record with a fault";
	key->key = read_key(tags_get_compact(l->arena, &t, "p"), algorithm);
	if (!key->key)
		return DKIM_KEY_NONE;
	*why = "key too small";
	if (str_starts(algorithm, "rsa-") &&
	    EVP_PKEY_get_bits(key->key) < RSA_BITS_MIN) {
		EVP_PKEY_free(key->key);
		return DKIM_KEY_SMALL;
	}
	flags = tags_get(&t, "t");
	key->strict = flags && tags_list_has(flags, ':', "s");
	return DKIM_KEY_GOOD;
}
