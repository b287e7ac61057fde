#include "tlsproxy/context.h"

#include <openssl/err.h>
#include <sysexits.h>

#include "base/str.h"
#include "log/log.h"

/* Reads several records with one system call. */
#define READ_BYTES 65536

static struct {
	char error[256];
} self;

SSL_CTX *context_new(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		log_die(EX_OSERR, "OpenSSL: %s", context_error());
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx,
			    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* what else belongs to the chain is in the certificate's file */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_BYTES);
	SSL_CTX_set1_groups_list(ctx, "P-256:X25519:P-384");
	return ctx;
}

const char *context_error(void)
{
	unsigned long code = ERR_get_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	if (!reason || !str_copy(self.error, sizeof(self.error), reason))
		return "unknown error";
	return self.error;
}
