/*
 * The right side of an alias: each form of aliases(5) and forward(5), and
 * what is refused.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "table/aliases.h"

static const struct {
	const char *text;
	const char *want; /* kind letter and text, ended by ';' */
} cases[] = {
	{ "user", "Auser;" },
	{ "a, b,c", "Aa;Ab;Ac;" },
	{ "a@b.example", "Aa@b.example;" },
	{ "\\root", "Sroot;" },
	{ "\\root, x@y", "Sroot;Ax@y;" },
	{ "/var/mail/x", "F/var/mail/x;" },
	{ "\"/var/mail/a b\"", "F/var/mail/a b;" },
	{ "|/bin/cmd", "C/bin/cmd;" },
	{ "|/bin/cmd -x y", "C/bin/cmd -x y;" },
	{ "\"|/bin/cmd -a, \\\"b c\\\"\"", "C/bin/cmd -a, \"b c\";" },
	{ "\"| /bin/cmd\", root", "C/bin/cmd;Aroot;" },
	{ "|\"/bin/cmd a,b\"", "C\"/bin/cmd a,b\";" },
	{ ":include:/etc/list", "I/etc/list;" },
	{ "\":include:/etc/my list\"", "I/etc/my list;" },
	{ ":INCLUDE:/etc/list", "I/etc/list;" },
	{ "Name <a@b>", "Aa@b;" },
	{ "\"Last, First\" <a@b>, c", "Aa@b;Ac;" },
	{ "a@b (the boss)", "Aa@b;" },
	{ "(nested (comment), here) a", "Aa;" },
	{ "\"john doe\"@x.example", "A\"john doe\"@x.example;" },
	{ "\"john doe\"", "A\"john doe\";" },
	{ "a\nb\n", "Aa;Ab;" },
	{ "# comment\na\n  # indented\nb # no", NULL },
	{ "# comment, with, commas\na\n", "Aa;" },
	{ "a,\n# x\nb", "Aa;Ab;" },
	{ "", "" },
	{ " , ,, \n", "" },
	{ "# only", "" },
	{ "\357\273\277a, b", "Aa;Ab;" },
	{ "\357\273\277|/bin/cmd", "C/bin/cmd;" },
	{ "\357\273\277# only", "" },
	{ "a#b", "Aa#b;" },
	{ "-f@x", "A-f@x;" },
	{ "a b", NULL },
	{ "a@b c@d", NULL },
	{ "\"open", NULL },
	{ "a (open", NULL },
	{ "<a", NULL },
	{ "<>", NULL },
	{ "<a> b", NULL },
	{ "|", NULL },
	{ "\"|  \"", NULL },
	{ ":include:relative", NULL },
	{ "a\001b", NULL },
	{ "list: a, b;", NULL },
};

static void describe(struct buf *out, const struct alias_target *t, size_t n)
{
	static const char letter[] = {
		[ALIAS_ADDRESS] = 'A', [ALIAS_SELF] = 'S',
		[ALIAS_FILE] = 'F',    [ALIAS_COMMAND] = 'C',
		[ALIAS_INCLUDE] = 'I',
	};

	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%c%s;", letter[t[i].kind], t[i].text);
}

/* Input cut off anywhere is read to its end and no further, and the reason
 * for refusing it is said. */
static void test_prefixes(struct arena *a)
{
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t n = 0; n <= strlen(cases[i].text); n++) {
			/* a copy of its own, so that a sanitizer sees */
			char *text = mem_strndup(cases[i].text, n);
			struct alias_target *target;
			const char *why;
			size_t count;
			int err =
				aliases_targets(a, text, &target, &count, &why);

			good = good && !err == !why;
			free(text);
		}
	ok(good, "every beginning of each is taken, or refused with a reason");
}

int main(void)
{
	struct arena *a = arena_new();
	struct buf out;

	buf_init(&out, 65536);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct alias_target *target;
		const char *why;
		size_t n;
		int err = aliases_targets(a, cases[i].text, &target, &n, &why);

		buf_reset(&out);
		describe(&out, target, n);
		ok((err == ERR_OK) == (cases[i].want != NULL) && !why == !err,
		   "%s: taken or refused",
		   cases[i].want ? cases[i].want : "bad");
		if (!err)
			is(out.data, cases[i].want,
			   cases[i].text[0] ? "parts" : "empty");
	}
	test_prefixes(a);
	buf_free(&out);
	arena_free(&a);
	return done();
}
