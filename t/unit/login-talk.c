/*
 * The login at another host: what is said to which lines of it.
 *
 * link: login-proxy/talk.c login-proxy/talk-imap.c login-proxy/talk-pop3.c
 */
#include "login-proxy/talk.h"

#include <string.h>

#include "tap.h"

/* "S" lines are the host's, "C" lines what is expected for them; "T": TLS
 * begins. Then the result, and the text. */
static const struct {
	const char *name;
	bool pop3;
	bool starttls;
	const char *master;
	const char *client;
	const char *script[16];
	enum talk_result result;
	const char *text;
} cases[] = {
	{ "IMAP: the greeting says all",
	  false,
	  false,
	  "",
	  "192.0.2.7",
	  { "S* OK [CAPABILITY IMAP4rev1 SASL-IR ID AUTH=PLAIN] hello",
	    "CP3 ID (\"x-originating-ip\" \"192.0.2.7\" \"x-proxy-ttl\" \"4\")",
	    "CP4 AUTHENTICATE PLAIN AGFubgBzM2NyIg==", "S* ID (\"name\" \"x\")",
	    "SP3 OK", "SP4 OK [CAPABILITY X Y] in" },
	  TALK_DONE,
	  "a1 OK [CAPABILITY X Y] in\r\n" },
	{ "without SASL-IR, and who the client is is not told",
	  false,
	  false,
	  "",
	  "",
	  { "S* OK hello", "CP2 CAPABILITY",
	    "S* CAPABILITY IMAP4rev1 ID AUTH=PLAIN", "SP2 OK",
	    "CP4 AUTHENTICATE PLAIN", "S+ ",
	    "CAGFubgBzM2NyIg==", "S* CAPABILITY A B", "SP4 OK in" },
	  TALK_DONE,
	  "* CAPABILITY A B\r\na1 OK in\r\n" },
	{ "a host that says nothing of itself is asked",
	  false,
	  false,
	  "",
	  "",
	  { "S* OK [CAPABILITY IMAP4rev1] hello",
	    "CP4 LOGIN \"ann\" \"s3cr\\\"\"", "SP4 OK in", "CP5 CAPABILITY",
	    "S* CAPABILITY Q", "SP5 OK" },
	  TALK_DONE,
	  "a1 OK [CAPABILITY Q] Logged in\r\n" },
	{ "STARTTLS: what was offered before it does not count",
	  false,
	  true,
	  "boss",
	  "",
	  { "S* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello", "CP1 STARTTLS",
	    "SP1 OK go", "T", "CP2 CAPABILITY",
	    "S* CAPABILITY SASL-IR AUTH=PLAIN", "SP2 OK",
	    "CP4 AUTHENTICATE PLAIN YW5uAGJvc3MAczNjciI=",
	    "SP4 NO [AUTHENTICATIONFAILED] no" },
	  TALK_WRONG,
	  "[AUTHENTICATIONFAILED] no" },
	{ "no TLS, no password",
	  false,
	  true,
	  "",
	  "",
	  { "S* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello", "CP1 STARTTLS",
	    "SP1 BAD what?" },
	  TALK_FAULT,
	  "it does not offer STARTTLS" },
	{ "a session before the login is nobody's",
	  false,
	  false,
	  "",
	  "",
	  { "S* PREAUTH hello" },
	  TALK_FAULT,
	  "it is no IMAP server" },
	{ "passwords are not wanted",
	  false,
	  false,
	  "",
	  "",
	  { "S* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello" },
	  TALK_FAULT,
	  "it offers no login with a password" },
	{ "a master needs PLAIN",
	  false,
	  false,
	  "boss",
	  "",
	  { "S* OK [CAPABILITY IMAP4rev1] hello" },
	  TALK_FAULT,
	  "it offers no login with a password" },
	{ "busy",
	  false,
	  false,
	  "",
	  "",
	  { "S* OK [CAPABILITY AUTH=PLAIN SASL-IR] hello",
	    "CP4 AUTHENTICATE PLAIN AGFubgBzM2NyIg==",
	    "SP4 NO [UNAVAILABLE] later" },
	  TALK_REFUSED,
	  "[UNAVAILABLE] later" },
	{ "a second challenge is declined",
	  false,
	  false,
	  "",
	  "",
	  { "S* OK [CAPABILITY AUTH=PLAIN SASL-IR] hello",
	    "CP4 AUTHENTICATE PLAIN AGFubgBzM2NyIg==", "S+ more", "C*",
	    "SP4 BAD cancelled" },
	  TALK_FAULT,
	  "it does not take the login" },
	{ "POP3: all of it",
	  true,
	  true,
	  "",
	  "2001:db8::7",
	  { "S+OK [XCLIENT] hello", "CSTLS", "S+OK go", "T", "CCAPA", "S+OK",
	    "SSASL LOGIN PLAIN", "S.", "CXCLIENT ADDR=2001:db8::7 TTL=4",
	    "S+OK", "CAUTH PLAIN AGFubgBzM2NyIg==", "S+OK in" },
	  TALK_DONE,
	  "+OK in\r\n" },
	{ "an old one",
	  true,
	  false,
	  "",
	  "192.0.2.7",
	  { "S+OK hello", "CCAPA", "S-ERR what?", "CUSER ann", "S+OK",
	    "CPASS s3cr\"", "S-ERR [AUTH] no" },
	  TALK_WRONG,
	  "[AUTH] no" },
	{ "in use",
	  true,
	  false,
	  "",
	  "",
	  { "S+OK hello", "CCAPA", "S+OK", "SSASL PLAIN", "S.",
	    "CAUTH PLAIN AGFubgBzM2NyIg==", "S-ERR [IN-USE] locked" },
	  TALK_REFUSED,
	  "[IN-USE] locked" },
	{ "no TLS, no password",
	  true,
	  true,
	  "",
	  "",
	  { "S+OK hello", "CSTLS", "S-ERR what?" },
	  TALK_FAULT,
	  "it does not offer STLS" },
	{ "a master needs PLAIN",
	  true,
	  false,
	  "boss",
	  "",
	  { "S+OK hello", "CCAPA", "S-ERR what?" },
	  TALK_FAULT,
	  "it does not offer SASL PLAIN" },
};

/* Is WANT the next line of what T wants to send? */
static bool takes(struct talk *t, const char *want)
{
	size_t n = strlen(want);
	bool same = t->out.len >= n + 2 && memcmp(t->out.data, want, n) == 0 &&
		    memcmp(t->out.data + n, "\r\n", 2) == 0;

	if (!same)
		printf("# want %s\n# got  %s\n", want,
		       t->out.len ? t->out.data : "");
	if (same)
		buf_consume(&t->out, n + 2);
	return same;
}

static bool play(struct talk *t, const char *const *script,
		 enum talk_result *result)
{
	for (; *script; script++) {
		if (**script == 'C' && !takes(t, *script + 1))
			return false;
		if (**script == 'C')
			continue;
		if (t->out.len || (*result != TALK_MORE && *result != TALK_TLS))
			return false;
		*result = **script == 'T' ? talk_go_on(t)
					  : talk_line(t, *script + 1);
	}
	return t->out.len == 0;
}

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct talk_facts f = { .user = "ann",
					      .master = cases[i].master,
					      .password = "s3cr\"",
					      .client = cases[i].client,
					      .ttl = 4,
					      .tag = "a1",
					      .starttls = cases[i].starttls };
		enum talk_result result = TALK_MORE;
		struct talk t;

		if (cases[i].pop3)
			talk_begin_pop3(&t, &f);
		else
			talk_begin_imap(&t, &f);
		ok(play(&t, cases[i].script, &result) &&
			   result == cases[i].result &&
			   strcmp(t.text.data, cases[i].text) == 0,
		   "%s: %d %s", cases[i].name, (int)result,
		   t.text.len ? t.text.data : "");
		talk_end(&t);
	}
}

/* The password may hold what no line can. */
static void test_lines(void)
{
	const struct talk_facts f = { .user = "ann",
				      .master = "",
				      .password = "a\r\nP9 LOGOUT",
				      .client = "",
				      .tag = "a1" };
	struct talk t;

	talk_begin_imap(&t, &f);
	ok(talk_line(&t, "* OK [CAPABILITY IMAP4rev1] x") == TALK_FAULT &&
		   t.out.len == 0,
	   "IMAP: a line end in a password is no command");
	talk_end(&t);
	talk_begin_pop3(&t, &f);
	talk_line(&t, "+OK x");
	buf_reset(&t.out);
	ok(talk_line(&t, "-ERR x") == TALK_FAULT && t.out.len == 0,
	   "nor in POP3");
	talk_end(&t);
}

int main(void)
{
	test_cases();
	test_lines();
	return done();
}
