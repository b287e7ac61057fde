/*
 * Bare names in the address fields of programs' mail get a domain; all else
 * stays as it is.
 *
 * link: pickup/pickup-header.c
 */
#include "tap.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pickup/pickup-header.h"

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

/* Input cut off anywhere is read to its end and no further, and what comes
 * out is what went in, but for what was added. */
static void test_prefixes(void)
{
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t n = 0; n <= strlen(cases[i].value); n++) {
			char *value = mem_strndup(cases[i].value, n);
			struct buf out;

			buf_init(&out, 4096);
			pickup_complete(&out, value, n, "");
			for (size_t k = 0, at = 0; k < n; k++, at++) {
				if (out.data[at] != value[k])
					at++; /* the @ before no origin */
				good = good && out.data[at] == value[k];
			}
			buf_free(&out);
			free(value);
		}
	ok(good, "every beginning of each stays as it is");
}

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
	test_prefixes();
	return done();
}
