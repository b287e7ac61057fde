/*
 * Replies of servers: the same result however they are cut.
 * link: remote-send/reply.c
 */
#include "remote-send/reply.h"

#include <stdlib.h>

#include "t/unit/tap.h"

static const struct {
	const char *promise;
	const char *data;
	enum reply_state state;
	int code;
	const char *dsn;
	const char *text;
} cases[] = {
	{ "one line", "250 2.1.0 Ok\r\n", REPLY_DONE, 250, "2.1.0",
	  "250 2.1.0 Ok" },
	{ "several lines", "250-a\r\n250-b c\r\n250 d\r\n", REPLY_DONE, 250,
	  "2.0.0", "250 a b c d" },
	{ "bare LF", "220 hi\n", REPLY_DONE, 220, "2.0.0", "220 hi" },
	{ "no text", "354\r\n", REPLY_DONE, 354, "3.0.0", "354" },
	{ "enhanced code of the last line",
	  "550-5.1.1 no\r\n550 5.1.1 such user\r\n", REPLY_DONE, 550, "5.1.1",
	  "550 5.1.1 no 5.1.1 such user" },
	{ "an enhanced code of another class does not count", "450 5.1.1 x\r\n",
	  REPLY_DONE, 450, "4.0.0", "450 5.1.1 x" },
	{ "three digits in an enhanced code", "550 5.123.456 x\r\n", REPLY_DONE,
	  550, "5.123.456", "550 5.123.456 x" },
	{ "four digits are none", "550 5.1234.1 x\r\n", REPLY_DONE, 550,
	  "5.0.0", "550 5.1234.1 x" },
	{ "a version number is none", "220 2.0.0-rc1 ESMTP\r\n", REPLY_DONE,
	  220, "2.0.0", "220 2.0.0-rc1 ESMTP" },
	{ "an enhanced code alone", "250 2.0.0\r\n", REPLY_DONE, 250, "2.0.0",
	  "250 2.0.0" },
	{ "the last code counts", "250-x\r\n550 y\r\n", REPLY_DONE, 550,
	  "5.0.0", "250 x y" },
	{ "control characters are made visible", "550 a\tb\001\r\n", REPLY_DONE,
	  550, "5.0.0", "550 a\\tb\\001" },
	{ "not a number", "hello\r\n", REPLY_BAD, 0, NULL, NULL },
	{ "HTTP is none", "HTTP/1.1 400 Bad\r\n", REPLY_BAD, 0, NULL, NULL },
	{ "code out of range", "650 x\r\n", REPLY_BAD, 0, NULL, NULL },
	{ "code 100", "150 x\r\n", REPLY_BAD, 0, NULL, NULL },
	{ "four digits", "2500 x\r\n", REPLY_BAD, 0, NULL, NULL },
	{ "an empty line", "\r\n", REPLY_BAD, 0, NULL, NULL },
	{ "no end", "250-a\r\n250-", REPLY_MORE, 0, NULL, NULL },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static bool right(size_t i, enum reply_state state, size_t used,
		  const struct reply *r)
{
	if (state != cases[i].state)
		return false;
	return state != REPLY_DONE ||
	       (used == strlen(cases[i].data) && r->code == cases[i].code &&
		strcmp(r->dsn, cases[i].dsn) == 0 &&
		strcmp(r->text, cases[i].text) == 0);
}

/* Input grown a byte at a time, in memory of just that size. */
static void check_case(size_t i)
{
	size_t n = strlen(cases[i].data), used = 0, k;
	enum reply_state state = REPLY_MORE;
	struct reply r = { 0 };

	for (k = 1; k <= n && state == REPLY_MORE; k++) {
		char *part = malloc(k);

		memcpy(part, cases[i].data, k);
		state = reply_parse(part, k, &used, &r);
		free(part);
	}
	ok(right(i, state, used, &r), "%s", cases[i].promise);
	if (!right(i, state, used, &r))
		printf("# %d %d \"%s\" \"%s\"\n", state, r.code, r.dsn, r.text);
}

int main(void)
{
	static char big[REPLY_MAX + 20];
	const char two[] = "250 a\r\n354 b\r\n";
	struct reply r;
	size_t used;

	for (size_t i = 0; i < CASES; i++)
		check_case(i);
	ok(reply_parse(two, sizeof(two) - 1, &used, &r) == REPLY_DONE &&
		   used == 7 && r.code == 250,
	   "what follows a reply stays");
	memset(big, 'x', sizeof(big));
	memcpy(big, "250 ", 4);
	ok(reply_parse(big, REPLY_MAX - 1, &used, &r) == REPLY_MORE &&
		   reply_parse(big, REPLY_MAX, &used, &r) == REPLY_BAD,
	   "a reply without end is refused at the limit");
	big[REPLY_MAX - 2] = '\n';
	ok(reply_parse(big, REPLY_MAX - 1, &used, &r) == REPLY_DONE &&
		   strlen(r.text) < sizeof(r.text),
	   "a long text is cut");
	return done();
}
