/* Certificates and keys. */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/check.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define WARN_DAYS 14
#define PEM_MAX (16 << 20) /* bytes, as tlsproxy reads */

static int no_password(char *buf, int size, int rwflag, void *context)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)context;
	return -1;
}

/* Reads the file at PATH into B. False: why not was reported. */
static bool read_pem(struct findings *f, const char *param, const char *path,
		     struct buf *b)
{
	int err;

	buf_init(b, PEM_MAX);
	err = file_read(path, b);
	if (err)
		check_fault(f, "%s: %s%s", param, err_why(err),
			    err == ERR_DENIED && geteuid() != 0
				    ? "; run posthorn check as root, or give "
				      "the file to the user that the suite "
				      "runs as"
				    : "");
	return !err;
}

static BIO *bio_of(const struct buf *b)
{
	return BIO_new_mem_buf(b->len ? b->data : "", (int)b->len);
}

static X509 *load_certificate(const struct buf *b)
{
	BIO *in = bio_of(b);
	X509 *x = PEM_read_bio_X509(in, NULL, no_password, NULL);

	BIO_free(in);
	return x;
}

static EVP_PKEY *load_key(const struct buf *b)
{
	BIO *in = bio_of(b);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);

	BIO_free(in);
	return k;
}

static void check_dates(struct findings *f, const char *param, const char *path,
			const X509 *x)
{
	int days, seconds;

	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		check_fault(f, "%s = %s: this certificate is not valid yet",
			    param, path);
	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)))
		return;
	if (days < 0 || seconds < 0)
		check_fault(f,
			    "%s = %s: this certificate has expired; get a new "
			    "one, then posthorn reload",
			    param, path);
	else if (days < WARN_DAYS)
		check_warning(f, "%s = %s: this certificate expires in %d days",
			      param, path, days);
}

/* The files CERT and KEY, which PARAM and KEY_PARAM name; the certificate
 * should be for NAME. */
static void check_pair(struct findings *f, const char *param, const char *cert,
		       const char *key_param, const char *key, const char *name)
{
	bool same = strcmp(cert, key) == 0;
	struct buf cert_text, key_text = { 0 };
	bool a = read_pem(f, param, cert, &cert_text);
	bool b = (a || !same) && read_pem(f, key_param, key, &key_text);
	X509 *x = a ? load_certificate(&cert_text) : NULL;
	EVP_PKEY *k = b ? load_key(&key_text) : NULL;

	if (a && !x)
		check_fault(f, "%s = %s: holds no certificate (PEM)", param,
			    cert);
	if (b && !k)
		check_fault(f, "%s = %s: holds no key (PEM) without a password",
			    key_param, key);
	if (x)
		check_dates(f, param, cert, x);
	if (x && X509_check_host(x, name, 0, 0, NULL) != 1)
		check_warning(f, "%s = %s: this certificate is not for %s",
			      param, cert, name);
	if (x && k && X509_check_private_key(x, k) != 1)
		check_fault(f, "%s: %s is not the key of %s", key_param, key,
			    cert);
	if (b)
		check_file(f, key_param, key, true);
	X509_free(x);
	EVP_PKEY_free(k);
	buf_free(&cert_text);
	buf_free(&key_text);
}

/* WORD is name:certificate:key. */
static void check_sni(struct findings *f, const char *word)
{
	char *copy = mem_strdup(word), *rest = copy;
	const char *name = strsep(&rest, ":");
	const char *cert = rest ? strsep(&rest, ":") : NULL;

	if (!cert || !rest)
		check_fault(f,
			    "tls_server_sni: %s is not of the form "
			    "name:certificate:key",
			    word);
	else
		check_pair(f, "tls_server_sni", cert, "tls_server_sni", rest,
			   name);
	free(copy);
}

static void check_authorities(struct findings *f, const struct config *c)
{
	const char *path = config_string(c, "smtp_tls_CAfile");
	struct buf b;
	int err;

	if (!*path)
		return;
	buf_init(&b, PEM_MAX);
	err = file_read(path, &b);
	buf_free(&b);
	if (err)
		check_warning(f,
			      "smtp_tls_CAfile: %s; no other host's "
			      "certificate can be verified (package "
			      "ca-certificates)",
			      err_why(err));
}

void check_tls(struct findings *f, const struct config *c)
{
	const char *host = config_string(c, "myhostname");
	const char *cert = config_string(c, "smtpd_tls_cert_file");
	const char *ecc = config_string(c, "smtpd_tls_eccert_file");
	const struct strlist *sni = config_list(c, "tls_server_sni");

	check_authorities(f, c);
	if (!*cert)
		check_warning(f, "smtpd_tls_cert_file is empty: there is no "
				 "TLS, and %s",
			      config_bool(c, "disable_plaintext_auth")
				      ? "nobody can log in"
				      : "no submission; IMAP and POP3 take "
					"passwords in the clear");
	else
		check_pair(f, "smtpd_tls_cert_file", cert, "smtpd_tls_key_file",
			   config_string(c, "smtpd_tls_key_file"), host);
	if (*ecc)
		check_pair(f, "smtpd_tls_eccert_file", ecc,
			   "smtpd_tls_eckey_file",
			   config_string(c, "smtpd_tls_eckey_file"), host);
	for (size_t i = 0; i < sni->n; i++)
		check_sni(f, sni->item[i]);
}
