#include "tlsproxy/keys.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "tlsproxy/context.h"
#include "tlsproxy/incoming.h"
#include "tlsproxy/pem.h"

#define NAME_MAX_BYTES 255

static struct {
	struct map *sni; /* name, or ".parent" for all below it → SSL_CTX */
	char why[600];
} self;

static bool complain(const char *file, const char *what)
{
	snprintf(self.why, sizeof(self.why), "%s: %s", file, what);
	log_error("%s", self.why);
	return false;
}

static void check_mode(const char *file)
{
	struct stat st;

	if (stat(file, &st) == 0 && st.st_mode & S_IROTH)
		log_warn("%s: every user can read this key", file);
}

/* An expired certificate is still served: for mail servers, which seldom check
 * it, it is better than none. */
static void check_dates(const char *file, SSL_CTX *ctx)
{
	X509 *cert = SSL_CTX_get0_certificate(ctx);
	int days, seconds;

	if (!cert ||
	    !ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)))
		return;
	if (days < 0 || seconds < 0)
		log_error("%s: the certificate has expired", file);
	else if (days < 7)
		log_warn("%s: the certificate expires in %d days", file, days);
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		log_error("%s: the certificate is not valid yet", file);
}

/* Reads one pair into CTX. */
static bool read_pair(SSL_CTX *ctx, const char *cert, const char *key)
{
	char text[400];
	const char *why = pem_use_chain(ctx, cert);

	if (why) {
		snprintf(text, sizeof(text), "cannot use this certificate: %s",
			 why);
		return complain(cert, text);
	}
	why = pem_use_key(ctx, key);
	if (why) {
		snprintf(text, sizeof(text),
			 "cannot use this key for the certificate %s: %s", cert,
			 why);
		return complain(key, text);
	}
	check_mode(key);
	check_dates(cert, ctx);
	return true;
}

static SSL_CTX *find_context(const char *name)
{
	char low[NAME_MAX_BYTES + 1];
	SSL_CTX *ctx;

	if (!str_copy(low, sizeof(low), name))
		return NULL;
	str_lower(low);
	ctx = map_get(self.sni, low);
	for (char *dot = strchr(low, '.'); !ctx && dot;
	     dot = strchr(dot + 1, '.'))
		ctx = map_get(self.sni, dot);
	return ctx;
}

/* OpenSSL asks which certificate to show. An unknown name gets the default
 * one: the client decides what that is worth. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = name ? find_context(name) : NULL;

	(void)alert;
	(void)arg;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	if (ctx)
		SSL_set_SSL_CTX(ssl, ctx);
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *server_context(const struct config *c)
{
	static const unsigned char id[] = "posthorn";
	SSL_CTX *ctx = context_new(TLS_server_method());

	if (str_equal(config_string(c, "smtpd_tls_protocols"), ">=TLSv1.3"))
		SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_dh_auto(ctx, 1);
	/* only tickets are used for resumption; their keys are made with the
	 * context, before the fork, so that any worker can read them */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	SSL_CTX_set_num_tickets(ctx, 1);
	incoming_setup(ctx);
	return ctx;
}

/* One word of tls_server_sni. Several pairs of one name (RSA and ECDSA) go
 * into one context. */
static void read_sni(const struct config *c, const char *word)
{
	char *copy = mem_strdup(word);
	char *rest = copy, *name = strsep(&rest, ":");
	char *cert = strsep(&rest, ":"), *key = strsep(&rest, ":");
	SSL_CTX *ctx, *known;

	if (!*name || !cert || !*cert || rest) {
		log_error("tls_server_sni wants name:certificate:key: %s",
			  word);
		free(copy);
		return;
	}
	known = map_get(self.sni, str_lower(name));
	ctx = known ? known : server_context(c);
	if (!read_pair(ctx, cert, key && *key ? key : cert)) {
		if (!known)
			SSL_CTX_free(ctx);
	} else if (!known) {
		map_put(self.sni, name, ctx);
	}
	free(copy);
}

/* The pair of these two parameters, if they are set. */
static bool read_named(SSL_CTX *ctx, const struct config *c, const char *cert,
		       const char *key)
{
	const char *file = config_string(c, cert);

	return *file && read_pair(ctx, file, config_string(c, key));
}

SSL_CTX *keys_read(const struct config *c, const char **why)
{
	const struct strlist *names = config_list(c, "tls_server_sni");
	SSL_CTX *ctx = server_context(c);
	bool any;

	self.sni = map_new();
	str_copy(self.why, sizeof(self.why), "there is no certificate");
	for (size_t i = 0; i < names->n; i++)
		read_sni(c, names->item[i]);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	any = read_named(ctx, c, "smtpd_tls_eccert_file",
			 "smtpd_tls_eckey_file");
	any = read_named(ctx, c, "smtpd_tls_cert_file", "smtpd_tls_key_file") ||
	      any;
	*why = self.why;
	if (any) {
		*why = NULL;
		return ctx;
	}
	SSL_CTX_free(ctx);
	return NULL;
}
