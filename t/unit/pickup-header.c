/*
 * Bare names in the address fields of programs' mail get a domain; all else
 * stays as it is.
 *
 * link: submit/pickup-header.c
 */
#include "tap.h"

#include "base/buf.h"
#include "submit/pickup-header.h"

static const struct {
	const char *value;
	const char *want;
} cases[] = {
	{ " root", " root@o" },
	{ " root (Cron Daemon)", " root@o (Cron Daemon)" },
	{ " Cron Daemon <root>", " Cron Daemon <root@o>" },
	{ " a, b@x, c", " a@o, b@x, c@o" },
	{ " \"Last, First\" <a>, d", " \"Last, First\" <a@o>, d@o" },
	{ " a.b", " a.b@o" },
	{ " \"john doe\"", " \"john doe\"@o" },
	{ " a@b.example", " a@b.example" },
	{ " Name <a@b>", " Name <a@b>" },
	{ " undisclosed-recipients:;", " undisclosed-recipients:;" },
	{ " list: a, b;", " list: a@o, b@o;" },
	{ " <>", " <>" },
	{ "", "" },
	{ " two words", " two words" },
	{ " a,\r\n\tb", " a@o,\r\n\tb@o" },
	{ " (a comment, no address)", " (a comment, no address)" },
	{ " \"open", " \"open@o" },
	{ " a (open", " a@o (open" },
	{ " a @ b", " a @ b" },
	{ " <a", " <a" },
	{ " =?UTF-8?B?SsO8cmc=?= <j>", " =?UTF-8?B?SsO8cmc=?= <j@o>" },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;

		buf_init(&out, 4096);
		pickup_complete(&out, cases[i].value, strlen(cases[i].value),
				"o");
		is(out.data, cases[i].want, cases[i].value);
		buf_free(&out);
	}
	return done();
}
