/*
 * One mail address, parsed: what SMTP writes between < and >, and what header
 * fields, alias files and command lines contain.
 *
 * An address has two forms. Parsed (struct address): the local part without
 * quotes; the domain in its canonical form, that is ASCII (IDNA A-labels),
 * lower case, no final dot, or a literal "[192.0.2.1]", "[IPv6:2001:db8::1]".
 * As text (address_text): local@domain as SMTP wants it, the local part quoted
 * if it must be. The text of a parsed address has no control character and no
 * space outside quotes, and parses again to the same address: envelopes,
 * packets and logs carry this form.
 *
 * Lenient where much real mail needs it: dots anywhere in a local part,
 * underscores in domains. Strict otherwise.
 */
#ifndef ADDRESS_ADDRESS_H
#define ADDRESS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

#define ADDRESS_LOCAL_SIZE 256
#define ADDRESS_DOMAIN_SIZE 256
#define ADDRESS_TEXT_SIZE 800 /* every text form fits, with its NUL */

struct address {
	char local[ADDRESS_LOCAL_SIZE];	  /* "" with "" is the null sender */
	char domain[ADDRESS_DOMAIN_SIZE]; /* "" if there is none */
	bool utf8; /* the local part is not ASCII: SMTPUTF8 (RFC 6531) */
};

/* Parses all of TEXT, N as local@domain, or a local part alone. ERR_OK,
 * ERR_SYNTAX, or ERR_TOO_LONG. Nothing else may come before or after. */
int address_parse(const char *text, size_t n, struct address *a);

/* Parses the path at the start of TEXT, N: <local@domain>, <> or, from
 * lenient clients, an address without brackets (RFC 5321 section 4.1.2). A
 * source route (@a,@b:) is skipped. *USED is the length of the path. */
int address_parse_path(const char *text, size_t n, struct address *a,
		       size_t *used);

/* The text form in OUT, ADDRESS_TEXT_SIZE bytes; gives OUT. */
char *address_text(const struct address *a, char *out);

/* Is this the null sender? */
bool address_is_null(const struct address *a);

/* The canonical form of a domain name or literal in OUT, which has
 * ADDRESS_DOMAIN_SIZE bytes. UTF-8 becomes A-labels. ERR_OK, ERR_SYNTAX,
 * ERR_TOO_LONG. */
int address_domain(const char *text, size_t n, char *out);

/* Do two texts mean the same mailbox? Domains compare in canonical form, local
 * parts without case (RFC 5321 section 2.4 leaves that to the mailbox's host;
 * in practice nobody distinguishes them). False if one does not parse. */
bool address_equal(const char *a, const char *b);

/* Splits a local part at the first of the characters DELIMITERS (parameter
 * recipient_delimiter) after its first character: USER and EXTENSION have
 * ADDRESS_LOCAL_SIZE bytes. False, with USER the whole and EXTENSION empty,
 * if there is none, or for the names that have no extensions: owner-LIST,
 * LIST-request, MAILER-DAEMON. */
bool address_split(const char *local, const char *delimiters, char *user,
		   char *extension);

/* The addresses of a header field's value (From, To, Cc …: RFC 5322 section
 * 3.4, with its obsolete forms), folded or not: texts appended to OUT, at
 * most MAX. Names, comments and routes are skipped; members of groups are
 * included. ERR_OK; ERR_SYNTAX if something was not an address (OUT has those
 * that could be read); ERR_LIMIT if there were more than MAX. */
int address_header(const char *value, size_t n, size_t max,
		   struct strlist *out);

#endif
