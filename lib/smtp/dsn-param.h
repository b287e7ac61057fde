/*
 * The values of ENVID= and ORCPT= (RFC 3461 sections 4.2 and 4.4, RFC 6533
 * section 3), and their encoding, xtext, in both directions.
 *
 * An envelope holds them decoded: "id 1", "rfc822;joe+x@old.test",
 * "utf-8;jö@old.test". What comes in as a parameter is decoded and checked;
 * what goes out is checked again and encoded anew, so that every byte can only
 * be part of its value, whoever wrote the envelope.
 */
#ifndef SMTP_DSN_PARAM_H
#define SMTP_DSN_PARAM_H

#include <stdbool.h>

#include "base/buf.h"

#define SMTP_ENVID_MAX 100 /* RFC 3461 section 4.4; bytes when plain */
#define SMTP_ORCPT_MAX 500 /* RFC 3461 section 4.2 */

/* Decodes xtext, appending to OUT; takes hexadecimal digits of either case.
 * False if it is not xtext, or gives bytes that are not printable ASCII. */
bool smtp_xtext_decode(struct buf *out, const char *value);

/* Is the decoded value allowed in an envelope? ENVID: printable ASCII. ORCPT:
 * an atom, ";", and printable ASCII, or for the type "utf-8" also UTF-8. */
bool smtp_envid_is_plain(const char *plain);
bool smtp_orcpt_is_plain(const char *plain);

/* Appends the decoded parameter VALUE to OUT; false if it is not allowed. RAW:
 * it may have bytes beyond ASCII (SMTPUTF8). */
bool smtp_envid_decode(struct buf *out, const char *value);
bool smtp_orcpt_decode(struct buf *out, const char *value, bool raw);

/* Appends the parameter's value for PLAIN to OUT; nothing, and false, if PLAIN
 * is not allowed in an envelope. RAW as above. */
bool smtp_envid_encode(struct buf *out, const char *plain);
bool smtp_orcpt_encode(struct buf *out, const char *plain, bool raw);

#endif
