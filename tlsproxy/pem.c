#include "tlsproxy/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "tlsproxy/context.h"

#define PEM_MAX (16 << 20) /* bytes: a hundred times all known authorities */

/* A file's content. */
struct pem {
	struct buf text;
	BIO *bio;
};

static const char *load(struct pem *p, const char *file, int *err)
{
	*p = (struct pem){ 0 };
	buf_init(&p->text, PEM_MAX);
	*err = file_read(file, &p->text);
	if (*err)
		return err_why(*err);
	p->bio = BIO_new_mem_buf(p->text.len ? p->text.data : "",
				 (int)p->text.len);
	return p->bio ? NULL : context_error();
}

static void unload(struct pem *p)
{
	BIO_free(p->bio);
	buf_free(&p->text);
}

/* Never asks on a terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

/* Nothing more is in the file, and that is how reading it ended. */
static bool is_end(void)
{
	unsigned long code = ERR_peek_last_error();

	if (ERR_GET_LIB(code) != ERR_LIB_PEM ||
	    ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();
	return true;
}

static bool add_rest(SSL_CTX *ctx, BIO *bio)
{
	X509 *x;

	SSL_CTX_clear_chain_certs(ctx);
	while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)))
		if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			return false;
		}
	return is_end();
}

const char *pem_use_chain(SSL_CTX *ctx, const char *file)
{
	struct pem p;
	int err;
	const char *why = load(&p, file, &err);
	X509 *x = why ? NULL
		      : PEM_read_bio_X509_AUX(p.bio, NULL, no_passphrase, NULL);

	if (!why && (!x || SSL_CTX_use_certificate(ctx, x) != 1 ||
		     !add_rest(ctx, p.bio)))
		why = context_error();
	X509_free(x);
	unload(&p);
	return why;
}

const char *pem_use_key(SSL_CTX *ctx, const char *file)
{
	struct pem p;
	int err;
	const char *why = load(&p, file, &err);
	EVP_PKEY *key =
		why ? NULL
		    : PEM_read_bio_PrivateKey(p.bio, NULL, no_passphrase, NULL);

	if (!why && (!key || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
		     SSL_CTX_check_private_key(ctx) != 1))
		why = context_error();
	EVP_PKEY_free(key);
	unload(&p);
	return why;
}

/* How many of ALL are certificates; all that is trusted goes to STORE. */
static int trust(X509_STORE *store, STACK_OF(X509_INFO) *all)
{
	int n = 0;

	for (int i = 0; i < sk_X509_INFO_num(all); i++) {
		X509_INFO *one = sk_X509_INFO_value(all, i);

		if (one->x509 && X509_STORE_add_cert(store, one->x509) != 1)
			return -1;
		if (one->crl && X509_STORE_add_crl(store, one->crl) != 1)
			return -1;
		n += one->x509 != NULL;
	}
	return n;
}

const char *pem_use_authorities(SSL_CTX *ctx, const char *file, bool *missing)
{
	STACK_OF(X509_INFO) *all = NULL;
	struct pem p;
	int n, err;
	const char *why = load(&p, file, &err);

	*missing = err == ERR_NOT_FOUND;
	if (!why) {
		all = PEM_X509_INFO_read_bio(p.bio, NULL, no_passphrase, NULL);
		n = all ? trust(SSL_CTX_get_cert_store(ctx), all) : -1;
		if (n < 0)
			why = context_error();
		else if (n == 0)
			why = "it holds no certificate";
	}
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	unload(&p);
	return why;
}
