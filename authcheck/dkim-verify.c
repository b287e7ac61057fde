/*
 * Verification: the keys are judged in dkim-key.c, the signatures' own text in
 * dkim-signature.c; here what they cover is hashed and held against them. The
 * body is read once for all of them.
 */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "authcheck/dkim-canon.h"
#include "authcheck/dkim-key.h"
#include "authcheck/dkim.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "mime/decode.h"

#define HASH_BYTES 32 /* of SHA-256, the one that counts */

/* A body as some signatures see it. */
struct body {
	struct dkim_canon canon;
	int64_t limit; /* bytes that are hashed, -1: all */
	EVP_MD_CTX *hash;
	char digest[HASH_BYTES];
};

/* A field, and the one of the same name above it. */
struct line {
	struct mime_field field;
	struct line *above;
};

/* The fields of one name, from the last one up. */
struct chain {
	struct line *last;
	struct line *next; /* what H= takes next … */
	size_t user;	   /* … of this signature */
};

struct verification {
	struct lookup *lookup;
	const struct message *message;
	struct dkim_result *result;
	struct dkim_public key[DKIM_SIGNATURES_MAX];
	struct body *of[DKIM_SIGNATURES_MAX]; /* what each covers */
	struct body body[DKIM_SIGNATURES_MAX];
	size_t nbodies;
	struct map *chains; /* by names in lower case */
};

static void fetch_key(struct verification *v, size_t i)
{
	struct dkim_signature *s = &v->result->signature[i];
	struct dkim_public key = { NULL, false };
	const char *why;

	switch (dkim_key_find(v->lookup, s->selector, s->domain, s->algorithm,
			      &key, &why)) {
	case DKIM_KEY_GOOD:
		v->key[i] = key;
		if (key.strict && s->terms.sub_domain)
			dkim_judge(s, DKIM_PERMERROR,
				   "key not for sub-domains");
		return;
	case DKIM_KEY_SMALL:
		dkim_judge(s, DKIM_POLICY, why);
		return;
	case DKIM_KEY_TEMP:
		dkim_judge(s, DKIM_TEMPERROR, why);
		return;
	case DKIM_KEY_NONE:
		dkim_judge(s, DKIM_PERMERROR, why);
		return;
	}
}

static void hash_body(void *context, const char *data, size_t n)
{
	struct body *b = context;
	int64_t left = b->limit - b->canon.length;

	if (b->limit >= 0 && left < (int64_t)n)
		n = left > 0 ? (size_t)left : 0;
	EVP_DigestUpdate(b->hash, data, n);
}

static EVP_MD_CTX *new_hash(void)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();

	if (hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(hash);
		hash = NULL;
	}
	return hash;
}

/* The body of the I-th: one that another has, too, or a new one. False: there
 * is no memory. */
static bool choose_body(struct verification *v, size_t i)
{
	const struct dkim_terms *t = &v->result->signature[i].terms;
	struct body *b;

	for (size_t k = 0; k < v->nbodies; k++)
		if (v->body[k].canon.relaxed == t->relaxed_body &&
		    v->body[k].limit == t->limit) {
			v->of[i] = &v->body[k];
			return true;
		}
	b = v->of[i] = &v->body[v->nbodies];
	b->hash = new_hash();
	b->limit = t->limit;
	dkim_canon_begin(&b->canon, t->relaxed_body, hash_body, b);
	v->nbodies += b->hash != NULL;
	return b->hash;
}

static bool take_piece(void *context, char *data, size_t n)
{
	struct verification *v = context;

	for (size_t i = 0; i < v->nbodies; i++)
		dkim_canon_body(&v->body[i].canon, data, n);
	return true;
}

static int hash_bodies(struct verification *v)
{
	int err = v->nbodies ? message_body(v->message, take_piece, v) : ERR_OK;

	for (size_t i = 0; i < v->nbodies; i++) {
		struct body *b = &v->body[i];

		dkim_canon_end(&b->canon);
		EVP_DigestFinal_ex(b->hash, (unsigned char *)b->digest, NULL);
		EVP_MD_CTX_free(b->hash);
	}
	return err;
}

static struct chain *chain_of(struct verification *v, const char *name,
			      size_t n)
{
	char *lower = str_lower(arena_strndup(v->lookup->arena, name, n));

	return map_get(v->chains, lower);
}

static void add_line(struct verification *v, const struct mime_field *f)
{
	struct arena *a = v->lookup->arena;
	struct chain *c = chain_of(v, f->name, f->nname);
	struct line *line = arena_alloc(a, sizeof(*line));

	if (!c) {
		c = arena_alloc(a, sizeof(*c));
		map_put(v->chains,
			str_lower(arena_strndup(a, f->name, f->nname)), c);
		c->last = NULL;
		c->user = DKIM_SIGNATURES_MAX;
	}
	line->field = *f;
	line->above = c->last;
	c->last = line;
}

static void read_header(struct verification *v)
{
	const struct message *m = v->message;
	const char *pos = m->data, *end = m->data + m->header;
	struct mime_field f;

	v->chains = map_new();
	while (mime_field_next(&pos, end, &f))
		if (f.nname > 0)
			add_line(v, &f);
}

/* The field that a NAME in h= of the I-th stands for, or NULL: the last one
 * that is not taken yet, and not its own. */
static const struct mime_field *next_field(struct verification *v, size_t i,
					   const char *name, size_t n)
{
	const char *own = v->result->signature[i].terms.field.raw;
	struct chain *c = chain_of(v, name, n);
	struct line *line;

	if (!c)
		return NULL;
	if (c->user != i)
		c->next = c->last;
	c->user = i;
	line = c->next;
	if (line && line->field.raw == own)
		line = line->above;
	c->next = line ? line->above : NULL;
	return line ? &line->field : NULL;
}

/* The fields that the I-th covers, and its own, as they are hashed. */
static void put_header(struct verification *v, size_t i, struct buf *out)
{
	const struct dkim_terms *t = &v->result->signature[i].terms;
	const char *p = t->fields;

	for (size_t n; *p; p += n + (p[n] == ':')) {
		const struct mime_field *f;

		n = strcspn(p, ":");
		f = next_field(v, i, p, n);
		if (!f)
			continue;
		dkim_canon_field(out, f, t->relaxed_header);
		buf_puts(out, "\r\n");
	}
	dkim_canon_signature(out, &t->field, t->relaxed_header);
}

static bool is_signed(EVP_PKEY *key, const struct buf *b, const char *digest)
{
	const unsigned char *sig = (const unsigned char *)b->data;
	const unsigned char *hash = (const unsigned char *)digest;
	EVP_PKEY_CTX *rsa = NULL;
	EVP_MD_CTX *md = NULL;
	bool good;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
		rsa = EVP_PKEY_CTX_new(key, NULL);
		good = rsa && EVP_PKEY_verify_init(rsa) == 1 &&
		       EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_PADDING) ==
			       1 &&
		       EVP_PKEY_CTX_set_signature_md(rsa, EVP_sha256()) == 1 &&
		       EVP_PKEY_verify(rsa, sig, b->len, hash, HASH_BYTES) == 1;
	} else {
		md = EVP_MD_CTX_new();
		good = md &&
		       EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
		       EVP_DigestVerify(md, sig, b->len, hash, HASH_BYTES) == 1;
	}
	EVP_PKEY_CTX_free(rsa);
	EVP_MD_CTX_free(md);
	return good;
}

/* Do header and signature of the I-th fit? */
static bool header_fits(struct verification *v, size_t i)
{
	const struct dkim_signature *s = &v->result->signature[i];
	char digest[HASH_BYTES];
	struct buf text, b;
	bool good;

	buf_init(&text, 4 * MESSAGE_HEADER_MAX);
	buf_init(&b, 65536);
	put_header(v, i, &text);
	mime_decode_base64(&b, s->b, strlen(s->b));
	good = !text.over && b.len > 0 &&
	       EVP_Digest(text.data, text.len, (unsigned char *)digest, NULL,
			  EVP_sha256(), NULL) == 1 &&
	       is_signed(v->key[i].key, &b, digest);
	buf_free(&text);
	buf_free(&b);
	return good;
}

static bool body_fits(const struct body *body, const char *bh)
{
	struct buf hash;
	bool good;

	buf_init(&hash, 65536);
	mime_decode_base64(&hash, bh, strlen(bh));
	good = hash.len == HASH_BYTES &&
	       memcmp(hash.data, body->digest, HASH_BYTES) == 0;
	buf_free(&hash);
	return good;
}

/* A signature that leaves part of the body to anybody proves nothing of
 * it. */
static void conclude(struct verification *v, size_t i)
{
	struct dkim_signature *s = &v->result->signature[i];
	const struct body *body = v->of[i];

	if (body->limit > body->canon.length)
		dkim_judge(s, DKIM_PERMERROR, "l= exceeds the body");
	else if (!body_fits(body, s->terms.bh))
		dkim_judge(s, DKIM_FAIL, "body was changed");
	else if (!header_fits(v, i))
		dkim_judge(s, DKIM_FAIL, "signature does not fit");
	else if (body->limit >= 0 && body->limit < body->canon.length)
		dkim_judge(s, DKIM_POLICY, "part of the body not signed");
	else
		dkim_judge(s, DKIM_PASS, "");
}

static void summarize(struct dkim_result *r)
{
	r->summary = r->n > 0 ? r->signature[0].result : DKIM_NONE;
	for (size_t i = 0; i < r->n; i++)
		if (r->signature[i].result == DKIM_PASS)
			r->summary = DKIM_PASS;
}

void dkim_plan(struct lookup *l, const struct dkim_result *r, int64_t ms)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct dkim_signature *s = &r->signature[i];

		if (s->result == DKIM_NONE)
			lookup_plan(
				l,
				dkim_key_name(l->arena, s->selector, s->domain),
				"TXT", ms);
	}
}

int dkim_verify_message(struct lookup *l, const struct message *m,
			struct dkim_result *r)
{
	struct verification v = { .lookup = l, .message = m, .result = r };
	int err;

	for (size_t i = 0; i < r->n; i++) {
		struct dkim_signature *s = &r->signature[i];

		if (s->result == DKIM_NONE)
			fetch_key(&v, i);
		if (s->result == DKIM_NONE && !choose_body(&v, i))
			dkim_judge(s, DKIM_TEMPERROR, "no memory");
	}
	err = hash_bodies(&v);
	if (!err && v.nbodies > 0)
		read_header(&v);
	for (size_t i = 0; i < r->n; i++) {
		if (r->signature[i].result == DKIM_NONE && err)
			dkim_judge(&r->signature[i], DKIM_TEMPERROR,
				   "the message could not be read");
		else if (r->signature[i].result == DKIM_NONE)
			conclude(&v, i);
		EVP_PKEY_free(v.key[i].key);
	}
	if (v.chains)
		map_free(&v.chains);
	summarize(r);
	return err;
}
