/*
 * Structured header values: Content-Type, Content-Disposition and the like
 * (RFC 2045 section 5.1), read leniently: comments and folding are skipped,
 * and what does not parse ends the list.
 */
#ifndef MIME_PARAM_H
#define MIME_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "mime/field.h"

#define MIME_PARAMS_MAX 64

struct mime_value {
	const char *type;    /* "text", or a disposition, or an encoding */
	const char *subtype; /* "plain", or NULL */
	struct {
		const char *name;
		const char *value;
	} param[MIME_PARAMS_MAX];
	size_t nparams;
};

/* Parses F into V, with memory from A; strings hold no NUL. False if there is
 * no type. SLASH says that a subtype must follow. */
bool mime_value_parse(struct arena *a, const struct mime_field *f, bool slash,
		      struct mime_value *v);

/* What the parameter NAME means: its value or, if it has none, what RFC 2231
 * writes as NAME*0, NAME*1 … or NAME*. Percent signs are decoded, a charset
 * before it is skipped. Memory from A; NULL if there is none. Other readers of
 * a message know both forms: if two disagree on a boundary, one shows what the
 * other has not examined. */
const char *mime_value_text(struct arena *a, const struct mime_value *v,
			    const char *name);

/* Joins each parameter that stands in pieces, NAME*0 and so on, into one NAME
 * in their place; into a NAME*, encoded as a whole, if a piece is encoded. For
 * BODYSTRUCTURE: RFC 2231 section 6 asks for the joining alone, since a NAME*
 * has a charset and a language, for which a plain NAME has no place. Clients
 * know this form from Dovecot and Cyrus, and decode it. Memory from A. */
void mime_value_join(struct arena *a, struct mime_value *v);

/* The transfer encoding that the header at HEADER, N names, with memory from
 * A: "7bit" if it names none. */
const char *mime_encoding(struct arena *a, const char *header, size_t n);

#endif
