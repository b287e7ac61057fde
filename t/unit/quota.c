/*
 * What limits and rules of trees of folders allow (lib/client/quota.h).
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "client/quota.h"
#include "t/unit/tap.h"

/* The mailbox holds 900 bytes and 9 messages that count, 300 and 3 of them in
 * Archive, 100 and 1 in Trash/old; and in Spam another 500 and 5. */
static void fill(const struct quota *q, struct usage *u)
{
	*u = (struct usage){ 0 };
	quota_add(q, u, "INBOX", 500, 5);
	quota_add(q, u, "Archive", 200, 2);
	quota_add(q, u, "Archive/2025", 100, 1);
	quota_add(q, u, "Trash/old", 100, 1);
	quota_add(q, u, "Spam", 500, 5);
}

static const struct {
	const char *promise;
	int64_t bytes, messages;
	const char *rules;
	const char *from, *to;
	uint64_t size;
	uint64_t n;
	int percent;
	bool allowed;
} cases[] = {
	{ "no limits", 0, 0, "", NULL, "INBOX", 1000000, 9, 0, true },
	{ "all folders count", 1400, 0, "", NULL, "INBOX", 1, 1, 0, false },
	{ "to the limit", 1500, 0, "", NULL, "INBOX", 100, 1, 0, true },
	{ "and no further", 1500, 0, "", NULL, "INBOX", 101, 1, 0, false },
	{ "but with grace", 1500, 0, "", NULL, "INBOX", 250, 1, 10, true },
	{ "of messages too", 0, 14, "", NULL, "INBOX", 1, 1, 0, false },
	{ "a folder is ignored", 1000, 0, "Spam:ignore", NULL, "INBOX", 100, 1,
	  0, true },
	{ "only that one", 1000, 0, "Spam:ignore", NULL, "INBOX", 101, 1, 0,
	  false },
	{ "all goes there", 1000, 1, "Spam:ignore", NULL, "Spam/x", 9999, 9, 0,
	  true },
	{ "no other begins so", 1000, 1, "Spam:ignore", NULL, "Spam2", 9999, 9,
	  0, false },
	{ "what leaves it counts", 1000, 0, "Spam:ignore", "Spam", "INBOX",
	  101, 1, 0, false },
	{ "what goes there does not", 1000, 0, "Spam:ignore", "INBOX", "Spam",
	  101, 1, 0, true },
	{ "a move changes nothing", 10, 1, "", "INBOX", "Archive", 500, 5, 0,
	  true },
	{ "the trash may have more", 1400, 14, "Trash:storage=+10%:messages=+1",
	  NULL, "Trash", 140, 1, 0, true },
	{ "so much more", 1400, 0, "Trash:storage=+10%", NULL, "Trash", 141, 1,
	  0, false },
	{ "in bytes", 1400, 0, "Trash:bytes=+50", NULL, "Trash/a", 50, 1, 0,
	  true },
	{ "of both", 1400, 14, "Trash:storage=+10%", NULL, "Trash", 1, 1, 0,
	  false },
	{ "not elsewhere", 1400, 0, "Trash:storage=+10%%", NULL, "INBOX", 1, 1,
	  0, false },
	{ "a tree by itself", 0, 0, "Archive:bytes=400", NULL, "Archive/x", 100,
	  1, 0, true },
	{ "with what is below it", 0, 0, "Archive:bytes=400", NULL, "Archive",
	  101, 1, 0, false },
	{ "a move within it", 0, 0, "Archive:bytes=100", "Archive",
	  "Archive/x", 100, 1, 0, true },
	{ "a move into it", 0, 0, "Archive:bytes=400", "INBOX", "Archive", 101,
	  1, 0, false },
	{ "messages of a tree", 0, 0, "Archive:messages=3", NULL, "Archive", 1,
	  1, 0, false },
	{ "others are free", 0, 0, "Archive:bytes=400", NULL, "INBOX", 9999, 1,
	  0, true },
	{ "all limits hold", 1400, 0, "Archive:bytes=4000", NULL, "Archive", 1,
	  1, 0, false },
};

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct quota q = { cases[i].bytes, cases[i].messages, "" };
		const struct quota_change c = { cases[i].from, cases[i].to,
						cases[i].size, cases[i].n };
		struct usage u;

		str_copy(q.rules, sizeof(q.rules), cases[i].rules);
		fill(&q, &u);
		ok(quota_allows(&q, &u, &c, cases[i].percent) ==
			   cases[i].allowed,
		   "%s", cases[i].promise);
	}
}

static void room_is(int64_t bytes, int64_t messages, const char *rules,
		    int64_t want)
{
	struct quota q = { bytes, messages, "" };
	struct usage u;

	str_copy(q.rules, sizeof(q.rules), rules);
	fill(&q, &u);
	ok(quota_room(&q, &u, "INBOX", 10) == want, "room: %lld %lld %s",
	   (long long)bytes, (long long)messages, rules);
}

static void test_room(void)
{
	room_is(0, 0, "", INT64_MAX);
	room_is(1400, 0, "", 140);
	room_is(1200, 0, "", 0);
	room_is(1400, 12, "", 0);
	room_is(1400, 20, "Spam:ignore", 640);
	room_is(1400, 0, "INBOX:ignore", INT64_MAX);
	room_is(1400, 0, "INBOX:bytes=500", 50);
	room_is(0, 0, "Archive:bytes=5", INT64_MAX);
}

static void test_exists(void)
{
	struct quota q = { 0, 0, "Trash:storage=+10% Spam:ignore" };

	ok(!quota_exists(&q), "exceptions alone are no limit");
	str_copy(q.rules, sizeof(q.rules), "Trash:storage=10");
	ok(quota_exists(&q), "that of a tree is one");
	ok(!quota_rules_fit("a:ignore b:ignore c:ignore d:ignore e:ignore "
			    "f:ignore g:ignore h:ignore i:ignore"),
	   "nine are too many");
}

int main(void)
{
	test_cases();
	test_room();
	test_exists();
	return done();
}
