#include "sasl/server.h"

#include "base/encode.h"
#include "base/str.h"
#include "tap.h"

struct exchange {
	const char *promise;
	const char *mechanism;
	const char *response[3]; /* raw text with ^ for NUL; NULL ends */
	bool initial;
	enum sasl_result result;
	const char *user;
	const char *password;
};

static const struct exchange exchanges[] = {
	{ "PLAIN with an initial response",
	  "PLAIN",
	  { "^tim^tanstaaftanstaaf" },
	  true,
	  SASL_VERIFY,
	  "tim",
	  "tanstaaftanstaaf" },
	{ "PLAIN after an empty challenge",
	  "plain",
	  { "^a@b.c^secret" },
	  false,
	  SASL_VERIFY,
	  "a@b.c",
	  "secret" },
	{ "PLAIN: the name twice",
	  "PLAIN",
	  { "tim^tim^pw" },
	  true,
	  SASL_VERIFY,
	  "tim",
	  "pw" },
	{ "PLAIN: one acts as another",
	  "PLAIN",
	  { "Ursel^Kurt^xipj" },
	  true,
	  SASL_VERIFY,
	  "Kurt",
	  "xipj" },
	{ "PLAIN: a password with colons and spaces",
	  "PLAIN",
	  { "^u^p: w" },
	  true,
	  SASL_VERIFY,
	  "u",
	  "p: w" },
	{ "PLAIN: no password",
	  "PLAIN",
	  { "^u^" },
	  true,
	  SASL_FAILED,
	  NULL,
	  NULL },
	{ "PLAIN: no name", "PLAIN", { "^^p" }, true, SASL_FAILED, NULL, NULL },
	{ "PLAIN: two parts",
	  "PLAIN",
	  { "u^p" },
	  true,
	  SASL_FAILED,
	  NULL,
	  NULL },
	{ "PLAIN: four parts",
	  "PLAIN",
	  { "^u^p^q" },
	  true,
	  SASL_FAILED,
	  NULL,
	  NULL },
	{ "PLAIN: empty", "PLAIN", { "" }, true, SASL_FAILED, NULL, NULL },
	{ "PLAIN: not UTF-8",
	  "PLAIN",
	  { "^u^\xff" },
	  true,
	  SASL_FAILED,
	  NULL,
	  NULL },
	{ "PLAIN: UTF-8",
	  "PLAIN",
	  { "^u^p\xc3\xa4ss" },
	  true,
	  SASL_VERIFY,
	  "u",
	  "p\xc3\xa4ss" },
	{ "LOGIN with two questions",
	  "LOGIN",
	  { "tim", "pw" },
	  false,
	  SASL_VERIFY,
	  "tim",
	  "pw" },
	{ "LOGIN with the name at once",
	  "login",
	  { "tim", "pw" },
	  true,
	  SASL_VERIFY,
	  "tim",
	  "pw" },
	{ "LOGIN: no name", "LOGIN", { "" }, false, SASL_FAILED, NULL, NULL },
	{ "LOGIN: no password",
	  "LOGIN",
	  { "tim", "" },
	  false,
	  SASL_FAILED,
	  NULL,
	  NULL },
	{ "LOGIN: a NUL in the name",
	  "LOGIN",
	  { "t^m" },
	  false,
	  SASL_FAILED,
	  NULL,
	  NULL },
};

static enum sasl_result give(struct sasl_server *s, const char *raw,
			     struct buf *challenge)
{
	char text[200];
	struct buf b;
	enum sasl_result r;

	str_copy(text, sizeof(text), raw);
	for (char *p = text; *p; p++)
		if (*p == '^')
			*p = '\0';
	buf_init(&b, 1000);
	encode_base64(&b, text, strlen(raw));
	r = sasl_server_step(s, b.data, challenge);
	buf_free(&b);
	return r;
}

static void run(const struct exchange *e)
{
	struct sasl_server *s = sasl_server_new(e->mechanism);
	enum sasl_result r = SASL_CONTINUE;
	struct buf challenge;

	buf_init(&challenge, 1000);
	if (!e->initial)
		r = sasl_server_step(s, NULL, &challenge);
	for (int i = 0; i < 3 && e->response[i] && r == SASL_CONTINUE; i++)
		r = give(s, e->response[i], &challenge);
	ok(r == e->result &&
		   (r != SASL_VERIFY ||
		    (str_equal(sasl_server_user(s), e->user) &&
		     str_equal(sasl_server_password(s), e->password))) &&
		   (r != SASL_FAILED || *sasl_server_why(s)),
	   "%s", e->promise);
	sasl_server_free(&s);
	buf_free(&challenge);
}

static void acts_as(const char *response, const char *who)
{
	struct sasl_server *s = sasl_server_new("PLAIN");
	struct buf challenge;

	buf_init(&challenge, 1000);
	give(s, response, &challenge);
	is(sasl_server_acts_as(s), who, who);
	buf_free(&challenge);
	sasl_server_free(&s);
}

static void test_wire(void)
{
	struct sasl_server *s = sasl_server_new("LOGIN");
	struct buf challenge;
	char big[12001];

	buf_init(&challenge, 1000);
	sasl_server_step(s, NULL, &challenge);
	is(challenge.data, "VXNlcm5hbWU6", "LOGIN asks for the name");
	sasl_server_step(s, "dGlt", &challenge);
	is(challenge.data, "UGFzc3dvcmQ6", "LOGIN asks for the password");
	sasl_server_free(&s);
	ok(!s, "the freed exchange is NULL");

	s = sasl_server_new("PLAIN");
	ok(sasl_server_step(s, "AHRpbQB0@W4=", &challenge) == SASL_FAILED,
	   "no base64");
	sasl_server_free(&s);
	s = sasl_server_new("PLAIN");
	memset(big, 'A', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ok(sasl_server_step(s, big, &challenge) == SASL_FAILED,
	   "a response over the limit");
	sasl_server_free(&s);
	s = sasl_server_new("PLAIN");
	ok(sasl_server_step(s, NULL, &challenge) == SASL_CONTINUE &&
		   challenge.len == 0,
	   "PLAIN's challenge is empty");
	ok(sasl_server_step(s, "=", &challenge) == SASL_FAILED,
	   "`=` is an empty response");
	sasl_server_free(&s);
	ok(!sasl_server_new("CRAM-MD5") && !sasl_server_new(""),
	   "unknown mechanisms");
	is(sasl_mechanisms(), "PLAIN LOGIN", "the list of mechanisms");
	buf_free(&challenge);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++)
		run(&exchanges[i]);
	acts_as("^Kurt^xipj", "");
	acts_as("KURT^Kurt^xipj", "");
	acts_as("Ursel^Kurt^xipj", "Ursel");
	test_wire();
	return done();
}
