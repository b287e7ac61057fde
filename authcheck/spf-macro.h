/*
 * Macro expansion of SPF (RFC 7208 section 7). This is our own code: libspf2
 * loses a byte if a value has no more labels than are wanted (%{d2} of
 * "example.com").
 */
#ifndef AUTHCHECK_SPF_MACRO_H
#define AUTHCHECK_SPF_MACRO_H

#include <stdbool.h>

#include "base/arena.h"

/* What the macro letters stand for. Only p may be NULL, if the text has no p
 * macro. */
struct spf_values {
	const char *s; /* sender */
	const char *l; /* its local part */
	const char *o; /* its domain */
	const char *d; /* domain whose record it is */
	const char *i; /* client address, dotted; IPv6 as nibbles */
	const char *p; /* validated name of the client, or "unknown" */
	const char *v; /* "in-addr" or "ip6" */
	const char *h; /* HELO */
};

/* Does SPEC, which has passed the grammar, need the value p? */
bool spf_macro_uses_p(const char *spec);

/* SPEC, which has passed the grammar, with its macros expanded: no final
 * dot, shortened from the left to 253 bytes. From A. */
char *spf_macro_expand(struct arena *a, const char *spec,
		       const struct spf_values *v);

#endif
