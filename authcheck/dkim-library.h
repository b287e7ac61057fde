/* What verifying and signing share of libopendkim. */
#ifndef AUTHCHECK_DKIM_LIBRARY_H
#define AUTHCHECK_DKIM_LIBRARY_H

#include <stdbool.h>
#include <sys/types.h>

#include <opendkim/dkim.h>

#include "authcheck/keys.h"
#include "mime/field.h"

/* A handle for one message, or NULL; dkim_free ends it. */
DKIM *dkim_library_verifier(void);
DKIM *dkim_library_signer(const struct dkim_key *k);

/* Gives it one header field, CRLF line ends inside. */
void dkim_library_field(DKIM *dkim, const struct mime_field *f);

/* Gives it a piece of the body: for message_body. */
bool dkim_library_body(void *dkim, char *data, size_t n);

/* Where the library gets keys (dkim-verify.c). */
DKIM_CBSTAT dkim_verify_key(DKIM *dkim, DKIM_SIGINFO *sig, u_char *buf,
			    size_t size);

#endif
