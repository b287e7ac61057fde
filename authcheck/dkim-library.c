#include "authcheck/dkim-library.h"

#include <string.h>

#include "authcheck/dkim.h"
#include "base/mem.h"

#define KEY_BITS_MIN 1024 /* RFC 8301 section 3.2 */

static struct {
	DKIM_LIB *library;
} self;

/* Signed once more than they occur, so that none can be added. */
#define GUARDED                                                              \
	"From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", \
		"Cc", "MIME-Version", "Content-Type",                        \
		"Content-Transfer-Encoding"

static const char *const guarded_fields[] = { GUARDED, NULL };

/* Signed if present (RFC 6376 section 5.4.1). */
static const char *const signed_fields[] = {
	GUARDED,       "In-Reply-To",	    "References",
	"List-Id",     "List-Unsubscribe",  "List-Unsubscribe-Post",
	"List-Post",   "Content-ID",	    "Content-Description",
	"Resent-Date", "Resent-From",	    "Resent-To",
	"Resent-Cc",   "Resent-Message-ID", NULL,
};

static bool set_option(dkim_opts_t option, void *value, size_t size)
{
	return dkim_options(self.library, DKIM_OP_SETOPT, option, value,
			    size) == DKIM_STAT_OK;
}

bool dkim_prepare(void)
{
	/* keys are fetched late and signatures are judged separately;
	 * otherwise one temporary failure would end the whole message */
	u_int flags = DKIM_LIBFLAGS_DELAYSIGPROC;
	u_int bits = KEY_BITS_MIN;

	self.library = dkim_init(NULL, NULL);
	return self.library &&
	       dkim_libfeature(self.library, DKIM_FEATURE_SHA256) &&
	       dkim_libfeature(self.library, DKIM_FEATURE_ED25519) &&
	       set_option(DKIM_OPTS_FLAGS, &flags, sizeof(flags)) &&
	       set_option(DKIM_OPTS_MINKEYBITS, &bits, sizeof(bits)) &&
	       set_option(DKIM_OPTS_SIGNHDRS, (void *)(uintptr_t)signed_fields,
			  sizeof(char **)) &&
	       set_option(DKIM_OPTS_OVERSIGNHDRS,
			  (void *)(uintptr_t)guarded_fields, sizeof(char **)) &&
	       dkim_set_key_lookup(self.library, dkim_verify_key) ==
		       DKIM_STAT_OK;
}

DKIM *dkim_library_verifier(void)
{
	DKIM_STAT status;

	return dkim_verify(self.library, (const unsigned char *)"-", NULL,
			   &status);
}

DKIM *dkim_library_signer(const struct dkim_key *k)
{
	DKIM_STAT status;

	return dkim_sign(
		self.library, (const unsigned char *)"-", NULL,
		(dkim_sigkey_t)k->pem, (const unsigned char *)k->selector,
		(const unsigned char *)k->domain, DKIM_CANON_RELAXED,
		DKIM_CANON_RELAXED,
		k->ed25519 ? DKIM_SIGN_ED25519SHA256 : DKIM_SIGN_RSASHA256, -1,
		&status);
}

void dkim_library_field(DKIM *dkim, const struct mime_field *f)
{
	const u_char *raw = (const u_char *)f->raw;
	size_t n = f->nraw;

	while (n > 0 && (raw[n - 1] == '\n' || raw[n - 1] == '\r'))
		n--;
	if (f->nname > 0 && n > 0)
		dkim_header(dkim, (u_char *)(uintptr_t)raw, n);
}

bool dkim_library_body(void *dkim, char *data, size_t n)
{
	return dkim_body(dkim, (u_char *)data, n) == DKIM_STAT_OK;
}
