#include "tlsproxy/incoming.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

/*
 * Names as RFC 7301 has them on the wire: a byte of length before each. IANA
 * lists imap and pop3 (RFC 7301's registry); SMTP has none, and clients that
 * send one send smtp or esmtp, so both are accepted.
 */
struct row {
	const char *service;
	const char *protocols;
	const char *tickets; /* the parameter that allows them; NULL: always */
};

static const struct row rows[] = {
	{ "smtp", "\4smtp\5esmtp", "smtpd_tls_session_tickets" },
	{ "submission", "\4smtp\5esmtp", NULL },
	{ "imap", "\4imap", NULL },
	{ "pop3", "\4pop3", NULL },
};

/* For requests that do not say what they are. */
static const struct row unnamed = { "", "", NULL };

/* A client that asks for other protocols than ours was sent here by mistake,
 * or in a cross-protocol attack: it gets the alert no_application_protocol
 * (RFC 7301 section 3.2). One that asks for none, as most do, is served. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
		   const unsigned char *in, unsigned in_len, void *arg)
{
	const struct row *row = SSL_get_app_data(ssl);
	const unsigned char *ours = (const unsigned char *)row->protocols;
	unsigned char *found;

	(void)arg;
	if (SSL_select_next_proto(&found, n, ours,
				  (unsigned)strlen(row->protocols), in,
				  in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

void incoming_setup(SSL_CTX *ctx)
{
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
}

static const struct row *find(const char *service)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_equal(rows[i].service, service))
			return &rows[i];
	return *service ? NULL : &unnamed;
}

const char *incoming_prepare(SSL *ssl, const struct ipc_in *m,
			     const struct config *c)
{
	const struct row *row = find(ipc_text(m, "service"));

	if (!row)
		return "unknown service";
	SSL_set_accept_state(ssl);
	SSL_set_app_data(ssl, (void *)(uintptr_t)row);
	if (row->tickets && !config_bool(c, row->tickets)) {
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
		SSL_set_num_tickets(ssl, 0);
	}
	return NULL;
}
