#include "sasl/server.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/str.h"

struct mechanism;

struct sasl_server {
	const struct mechanism *mechanism;
	int steps;
	char user[SASL_NAME_MAX + 1];
	char as[SASL_NAME_MAX + 1]; /* "": the user */
	char password[SASL_PASSWORD_MAX + 1];
	const char *why;
};

struct mechanism {
	const char *name;
	/* Takes the decoded response IN (NULL: none came); puts a challenge,
	 * not encoded, into OUT. */
	enum sasl_result (*step)(struct sasl_server *s, const struct buf *in,
				 struct buf *out);
};

static enum sasl_result fail(struct sasl_server *s, const char *why)
{
	s->why = why;
	return SASL_FAILED;
}

/* Keeps the N bytes at FROM as a name or password. */
static bool keep(char *to, size_t max, const char *from, size_t n)
{
	if (n > max || memchr(from, '\0', n) || !str_is_utf8(from, n))
		return false;
	memcpy(to, from, n);
	to[n] = '\0';
	return true;
}

/* RFC 4616: [authzid] NUL authcid NUL passwd. */
static enum sasl_result plain_step(struct sasl_server *s, const struct buf *in,
				   struct buf *out)
{
	const char *nul, *user, *end;
	size_t n;

	(void)out;
	if (!in)
		return SASL_CONTINUE;
	end = in->data + in->len;
	nul = memchr(in->data, '\0', in->len);
	n = nul ? (size_t)(nul - in->data) : 0;
	user = nul ? nul + 1 : NULL;
	nul = user ? memchr(user, '\0', (size_t)(end - user)) : NULL;
	if (!nul)
		return fail(s, "malformed PLAIN response");
	if (!keep(s->as, SASL_NAME_MAX, in->data, n) ||
	    !keep(s->user, SASL_NAME_MAX, user, (size_t)(nul - user)) ||
	    !keep(s->password, SASL_PASSWORD_MAX, nul + 1,
		  (size_t)(end - nul) - 1))
		return fail(s, "name or password too long or not UTF-8");
	if (!*s->user || !*s->password)
		return fail(s, "empty name or password");
	if (str_equal_ci(s->as, s->user))
		*s->as = '\0';
	return SASL_VERIFY;
}

/* draft-murchison-sasl-login: two questions, two answers. An initial response
 * is the name. */
static enum sasl_result login_step(struct sasl_server *s, const struct buf *in,
				   struct buf *out)
{
	if (!in) {
		buf_puts(out, "Username:");
		return SASL_CONTINUE;
	}
	if (!*s->user) {
		if (!keep(s->user, SASL_NAME_MAX, in->data, in->len) ||
		    !*s->user)
			return fail(s, "empty or malformed name");
		buf_puts(out, "Password:");
		return SASL_CONTINUE;
	}
	if (!keep(s->password, SASL_PASSWORD_MAX, in->data, in->len) ||
	    !*s->password)
		return fail(s, "empty or malformed password");
	return SASL_VERIFY;
}

static const struct mechanism mechanisms[] = {
	{ "PLAIN", plain_step },
	{ "LOGIN", login_step },
};

const char *sasl_mechanisms(void)
{
	return "PLAIN LOGIN";
}

struct sasl_server *sasl_server_new(const char *mechanism)
{
	struct sasl_server *s;

	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (str_equal_ci(mechanism, mechanisms[i].name)) {
			s = mem_alloc(sizeof(*s));
			s->mechanism = &mechanisms[i];
			s->why = "";
			return s;
		}
	return NULL;
}

void sasl_server_free(struct sasl_server **s)
{
	if (!*s)
		return;
	mem_wipe(*s, sizeof(**s));
	free(*s);
	*s = NULL;
}

/* Decodes RESPONSE into IN; false if it is not base64. */
static bool decode(const char *response, struct buf *in)
{
	if (strcmp(response, "=") == 0)
		response = "";
	return strlen(response) <= SASL_RESPONSE_MAX &&
	       decode_base64(in, response, strlen(response));
}

enum sasl_result sasl_server_step(struct sasl_server *s, const char *response,
				  struct buf *challenge)
{
	enum sasl_result result;
	struct buf in, out;

	buf_reset(challenge);
	if (!response && s->steps > 0)
		return fail(s, "no response");
	s->steps++;
	buf_init(&in, SASL_RESPONSE_MAX);
	buf_init(&out, SASL_RESPONSE_MAX);
	if (response && !decode(response, &in))
		result = fail(s, "response is not base64");
	else
		result = s->mechanism->step(s, response ? &in : NULL, &out);
	if (result == SASL_CONTINUE)
		encode_base64(challenge, out.data, out.len);
	mem_wipe(in.data, in.len);
	buf_free(&in);
	buf_free(&out);
	return result;
}

const char *sasl_server_mechanism(const struct sasl_server *s)
{
	return s->mechanism->name;
}

const char *sasl_server_user(const struct sasl_server *s)
{
	return s->user;
}

const char *sasl_server_acts_as(const struct sasl_server *s)
{
	return s->as;
}

const char *sasl_server_password(const struct sasl_server *s)
{
	return s->password;
}

const char *sasl_server_why(const struct sasl_server *s)
{
	return s->why;
}
