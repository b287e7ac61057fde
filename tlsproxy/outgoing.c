#include "tlsproxy/outgoing.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/str.h"
#include "log/log.h"
#include "tlsproxy/context.h"
#include "tlsproxy/pem.h"

#define TLSA_MAX 100 /* records of one host that are used */

/* Gives why they cannot be used, or NULL. */
static const char *load_authorities(SSL_CTX *ctx, const char *file)
{
	static char text[400];
	bool missing;
	const char *why = pem_use_authorities(ctx, file, &missing);

	if (!why)
		return NULL;
	snprintf(text, sizeof(text),
		 "smtp_tls_CAfile: %s: %s: no certificate of another host can "
		 "be verified",
		 file, why);
	log_error("%s", text);
	/* many machines have none */
	return missing ? NULL : text;
}

SSL_CTX *outgoing_context(const struct config *c, const char **why)
{
	const char *file = config_string(c, "smtp_tls_CAfile");
	SSL_CTX *ctx = context_new(TLS_client_method());

	*why = *file ? load_authorities(ctx, file) : NULL;
	if (SSL_CTX_dane_enable(ctx) != 1)
		log_error("OpenSSL has no DANE: %s", context_error());
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

/* Takes the next decimal number off *P; false if there is none. */
static bool take_number(const char **p, uint8_t *value)
{
	size_t n = strspn(*p, "0123456789");
	int64_t number;

	if (!str_span_to_int(*p, n, 0, 255, &number))
		return false;
	*value = (uint8_t)number;
	*p += n;
	*p += strspn(*p, " ");
	return true;
}

/* One record "usage selector matching hex". Those with the usages 0 and 1
 * are not for mail (RFC 7672 section 3.1.3), those with parameters that
 * OpenSSL does not know cannot be used: both are skipped. */
static bool add_tlsa(SSL *ssl, const char *text, int *usable)
{
	uint8_t usage, selector, matching;
	struct buf data;
	bool good;

	buf_init(&data, 65536);
	good = take_number(&text, &usage) && take_number(&text, &selector) &&
	       take_number(&text, &matching) &&
	       decode_hex(&data, text, strlen(text));
	if (good && usage >= 2 &&
	    SSL_dane_tlsa_add(ssl, usage, selector, matching,
			      (const unsigned char *)data.data, data.len) > 0)
		(*usable)++;
	context_error();
	buf_free(&data);
	return good;
}

/* *USABLE: how many records can be used. */
static const char *set_dane(SSL *ssl, const struct ipc_in *m, int *usable)
{
	int n = 0;

	/* outgoing_verified wants to know */
	SSL_set_app_data(ssl, ssl);
	if (SSL_dane_enable(ssl, ipc_text(m, "sni")) <= 0)
		return "DANE needs the name of the host";
	/* usage 3 checks neither names nor dates: RFC 7672 section 3.1.1 */
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < m->nattrs; i++) {
		if (strcmp(m->attr[i].name, "tlsa") != 0)
			continue;
		if (n++ < TLSA_MAX && !add_tlsa(ssl, m->attr[i].value, usable))
			return "malformed TLSA record";
	}
	return NULL;
}

static const char *set_names(SSL *ssl, const struct ipc_in *m)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < m->nattrs; i++)
		if (strcmp(m->attr[i].name, "name") == 0 &&
		    SSL_add1_host(ssl, m->attr[i].value) != 1)
			return "malformed name";
	return NULL;
}

const char *outgoing_prepare(SSL *ssl, const struct ipc_in *m)
{
	const char *level = ipc_text(m, "level"), *sni = ipc_text(m, "sni");
	const char *fault = NULL;
	bool must = false;
	int usable = 0;

	if (str_equal(level, "dane"))
		fault = set_dane(ssl, m, &usable);
	else if (*sni && SSL_set_tlsext_host_name(ssl, sni) != 1)
		fault = "malformed server name";
	if (!fault)
		fault = set_names(ssl, m);
	if (str_equal(level, "verify"))
		must = true;
	else if (str_equal(level, "dane"))
		must = usable > 0;
	else if (!str_equal(level, "may"))
		fault = "unknown level";
	/* if nothing is required, weak keys are better than clear text */
	if (!must)
		SSL_set_security_level(ssl, 0);
	SSL_set_verify(ssl, must ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	context_error();
	return fault;
}

bool outgoing_verified(SSL *ssl, const char **why)
{
	long result = SSL_get_verify_result(ssl);
	const X509 *cert = SSL_get0_peer_certificate(ssl);

	*why = "";
	if (result != X509_V_OK)
		*why = X509_verify_cert_error_string(result);
	else if (!cert)
		*why = "the peer showed no certificate";
	else if (SSL_get0_dane_authority(ssl, NULL, NULL) >= 0)
		return true;
	else if (SSL_get_app_data(ssl))
		*why = "no TLSA record can be used";
	else if (!SSL_get0_peername(ssl))
		*why = "no name was asked for";
	return !**why;
}
