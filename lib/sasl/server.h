/*
 * The server side of SASL (RFC 4422): turns what the client sends, base64 as
 * on the wire, into a name and a password to check. It reads no socket and
 * checks nothing itself: after SASL_VERIFY the caller finds out, when it
 * likes, whether the two belong together.
 *
 * A mechanism is a row in server.c. One that needs a secret of the user before
 * it can go on (SCRAM) would say so with another result, as PLAIN and LOGIN
 * do with SASL_VERIFY.
 *
 * Names and passwords are UTF-8 without NUL; they are not normalised
 * (SASLprep), but compared byte by byte.
 */
#ifndef SASL_SERVER_H
#define SASL_SERVER_H

#include "base/buf.h"

#define SASL_RESPONSE_MAX 8192 /* bytes of one response in base64 */
#define SASL_NAME_MAX 320
#define SASL_PASSWORD_MAX 1024

struct sasl_server;

enum sasl_result {
	SASL_CONTINUE, /* send the challenge, come again with the response */
	SASL_VERIFY,   /* name and password are known */
	SASL_FAILED    /* malformed: sasl_server_why */
};

/* The names of the mechanisms, separated by spaces, as EHLO lists them. */
const char *sasl_mechanisms(void);

/* Begins with MECHANISM (in any case); NULL if it is unknown. The object holds
 * a password, which sasl_server_free wipes. */
struct sasl_server *sasl_server_new(const char *mechanism);
void sasl_server_free(struct sasl_server **s);

/* Takes the client's next RESPONSE in base64: "" or "=" is an empty one, NULL
 * means no initial response. CHALLENGE is reset and gets base64. */
enum sasl_result sasl_server_step(struct sasl_server *s, const char *response,
				  struct buf *challenge);

/* The mechanism's name in upper case. */
const char *sasl_server_mechanism(const struct sasl_server *s);

/* After SASL_VERIFY. The name is known earlier in some mechanisms, and "" until
 * then. Whom the user wants to act as is another name, or "". They live as long
 * as S. */
const char *sasl_server_user(const struct sasl_server *s);
const char *sasl_server_acts_as(const struct sasl_server *s);
const char *sasl_server_password(const struct sasl_server *s);

/* After SASL_FAILED: a constant text for the log. */
const char *sasl_server_why(const struct sasl_server *s);

#endif
