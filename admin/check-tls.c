/* Certificates and keys. */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/check.h"
#include "base/mem.h"

#define WARN_DAYS 14

static X509 *load_certificate(FILE *in)
{
	return PEM_read_X509(in, NULL, NULL, NULL);
}

static int no_password(char *buf, int size, int rwflag, void *context)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)context;
	return -1;
}

static EVP_PKEY *load_key(FILE *in)
{
	return PEM_read_PrivateKey(in, NULL, no_password, NULL);
}

/* The file at PATH, or NULL after reporting why not. */
static FILE *open_pem(struct findings *f, const char *param, const char *path)
{
	FILE *in = fopen(path, "re");

	if (!in)
		check_fault(f, "%s = %s: cannot be read: %s%s", param, path,
			    strerror(errno),
			    errno == EACCES && geteuid() != 0
				    ? "; run posthorn check as root, or give "
				      "the file to the user that the suite "
				      "runs as"
				    : "");
	return in;
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
	FILE *a = open_pem(f, param, cert);
	FILE *b = same && !a ? NULL : open_pem(f, key_param, key);
	X509 *x = a ? load_certificate(a) : NULL;
	EVP_PKEY *k = b ? load_key(b) : NULL;

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
	if (a)
		fclose(a);
	if (b)
		fclose(b);
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

	if (*path && access(path, R_OK) < 0)
		check_warning(f,
			      "smtp_tls_CAfile = %s: %s; no other host's "
			      "certificate can be verified (package "
			      "ca-certificates)",
			      path, strerror(errno));
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
