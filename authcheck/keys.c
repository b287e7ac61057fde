#include "authcheck/keys.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "address/address.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define FILE_MAX (1 << 20)
#define PEM_MAX (64 << 10)
#define RSA_BITS_MIN 1024 /* RFC 8301 section 3.2 */

struct place {
	const char *path;
	int line;
	struct buf *faults;
};

static bool fault(const struct place *p, const char *what, const char *of)
{
	buf_printf(p->faults, "%s:%d: %s%s\n", p->path, p->line, what, of);
	return false;
}

/* The kind of the key, which must be one that we can sign with. */
static bool judge_key(const struct place *p, const char *file,
		      struct dkim_key *k)
{
	BIO *bio = BIO_new_mem_buf(k->pem, -1);
	EVP_PKEY *key =
		bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (char[]){ "" })
		    : NULL;
	int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
	bool good = false;

	k->ed25519 = type == EVP_PKEY_ED25519;
	if (!key)
		fault(p, "no private key without passphrase in PEM: ", file);
	else if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
		fault(p, "an RSA key needs 1024 bits or more: ", file);
	else if (type != EVP_PKEY_RSA && !k->ed25519)
		fault(p, "neither an RSA nor an Ed25519 key: ", file);
	else
		good = true;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return good;
}

static bool read_key(const struct place *p, const char *file,
		     struct dkim_key *k)
{
	struct stat st;
	struct buf b;
	int err;

	buf_init(&b, PEM_MAX);
	err = file_read(file, &b);
	if (err) {
		buf_free(&b);
		buf_printf(p->faults, "%s:%d: cannot read the key %s: %s\n",
			   p->path, p->line, file, err_why(err));
		return false;
	}
	k->pem = buf_steal(&b);
	buf_free(&b);
	if (stat(file, &st) == 0 && (st.st_mode & 077))
		return fault(p, "others may read the key (chmod 600): ", file);
	return judge_key(p, file, k);
}

static void free_key(struct dkim_key *k)
{
	if (k->pem)
		mem_wipe(k->pem, strlen(k->pem));
	free(k->pem);
	free(k->domain);
	free(k->selector);
	free(k);
}

/* A selector is labels of a domain name (RFC 6376 section 3.1). */
static bool good_selector(const char *s)
{
	char canonical[ADDRESS_DOMAIN_SIZE];

	return *s != '[' && address_domain(s, strlen(s), canonical) == ERR_OK;
}

static char *key_path(const char *path, const char *file)
{
	char *copy, *full;

	if (*file == '/')
		return mem_strdup(file);
	copy = mem_strdup(path);
	full = mem_printf("%s/%s", dirname(copy), file);
	free(copy);
	return full;
}

/* One line: DOMAIN SELECTOR FILE. */
static void read_line(const struct place *p, const char *line,
		      struct dkim_key **end)
{
	char domain[ADDRESS_DOMAIN_SIZE], *file;
	struct strlist word = { NULL, 0 };
	struct dkim_key *k = NULL;
	bool good = false;

	strlist_split(&word, line);
	if (word.n != 3) {
		fault(p, "wanted: DOMAIN SELECTOR FILE", "");
		strlist_free(&word);
		return;
	}
	k = mem_alloc(sizeof(*k));
	file = key_path(p->path, word.item[2]);
	if (word.item[0][0] == '[' ||
	    address_domain(word.item[0], strlen(word.item[0]), domain))
		fault(p, "no domain: ", word.item[0]);
	else if (!good_selector(word.item[1]))
		fault(p, "no selector: ", word.item[1]);
	else
		good = read_key(p, file, k);
	if (good) {
		k->domain = mem_strdup(domain);
		k->selector = mem_strdup(word.item[1]);
		*end = k;
	} else {
		free_key(k);
	}
	free(file);
	strlist_free(&word);
}

struct dkim_key *keys_load(const char *path, struct buf *faults)
{
	struct place p = { path, 0, faults };
	struct dkim_key *keys = NULL, **end = &keys;
	struct buf b;
	char *rest, *line;
	int err;

	buf_init(&b, FILE_MAX);
	err = file_read(path, &b);
	if (err && err != ERR_NOT_FOUND)
		buf_printf(faults, "%s: %s\n", path, err_why(err));
	rest = err ? NULL : b.data;
	while ((line = strsep(&rest, "\n"))) {
		p.line++;
		line = str_trim(line);
		if (!*line || *line == '#')
			continue;
		read_line(&p, line, end);
		if (*end)
			end = &(*end)->next;
	}
	buf_free(&b);
	return keys;
}

void keys_free(struct dkim_key **keys)
{
	while (*keys) {
		struct dkim_key *next = (*keys)->next;

		free_key(*keys);
		*keys = next;
	}
}

size_t keys_of(const struct dkim_key *keys, const char *domain,
	       const struct dkim_key **key)
{
	size_t n = 0;

	for (; keys && n < KEYS_PER_DOMAIN; keys = keys->next)
		if (str_equal_ci(keys->domain, domain))
			key[n++] = keys;
	return n;
}
