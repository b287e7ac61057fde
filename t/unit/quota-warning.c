/*
 * The warning of a mailbox that is nearly full: it comes once, and what keeps
 * it away once does not keep it away for ever.
 *
 * link: local-deliver/warning.c
 */
#include <string.h>

#include "local-deliver/warning.h"
#include "mailbox/warned.h"
#include "t/unit/mailbox-lib.h"

#define HUGE 20000 /* a warning to such an address is too long to be made */

static void consider(const char *recipient, unsigned percent)
{
	const struct worker_request q = {
		.delivery = { .maildir = at.maildir, .recipient = recipient },
		.quota = { .bytes = 1000 },
		.levels = "50 90",
		.origin = "example.test",
	};
	const struct usage now = { .bytes = 10 * percent };

	warning_consider(&q, &now);
}

static unsigned noted(void)
{
	struct store *s;
	unsigned level;

	if (store_open(at.maildir, false, &s) != ERR_OK)
		exit(1);
	level = store_level(s);
	store_close(&s);
	return level;
}

static int warnings(void)
{
	DIR *d = opendir(path("new"));
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += *e->d_name != '.';
	if (d)
		closedir(d);
	return n;
}

static void begin(void)
{
	struct store *s;

	fresh();
	if (store_open(at.maildir, true, &s) != ERR_OK)
		exit(1);
	store_close(&s);
}

static void test_levels(void)
{
	static const struct {
		const char *promise;
		unsigned percent, level;
		int warnings;
	} steps[] = {
		{ "nothing below the first", 49, 0, 0 },
		{ "one when it is crossed", 50, 50, 1 },
		{ "but no second", 60, 50, 1 },
		{ "one for the next", 95, 90, 2 },
		{ "none when there is room", 10, 0, 2 },
		{ "and one again", 55, 50, 3 },
	};

	begin();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		consider("u@example.test", steps[i].percent);
		ok(warnings() == steps[i].warnings &&
			   noted() == steps[i].level,
		   "%s", steps[i].promise);
	}
}

/* It is not noted before it is there, as what ends us in between. */
static void test_not_sent(void)
{
	static char huge[HUGE];

	begin();
	memset(huge, 'x', sizeof(huge) - 1);
	consider(huge, 60);
	ok(warnings() == 0 && noted() == 0,
	   "a warning that could not be sent is not noted as sent");
	consider("u@example.test", 60);
	ok(warnings() == 1 && noted() == 50, "the next delivery sends it");
}

/* Else each delivery would send one, to a mailbox that is nearly full. */
static void test_not_noted(void)
{
	begin();
	if (mkdir(path("posthorn-quota-warned"), 0700) < 0)
		exit(1);
	consider("u@example.test", 60);
	consider("u@example.test", 60);
	ok(warnings() == 0, "where nothing can be noted nothing is sent");
	if (rmdir(path("posthorn-quota-warned")) < 0)
		exit(1);
	consider("u@example.test", 60);
	ok(warnings() == 1, "until it can be");
}

int main(void)
{
	test_levels();
	test_not_sent();
	test_not_noted();
	clean();
	return done();
}
