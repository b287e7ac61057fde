/*
 * qmgr takes over a queue that an earlier version left, in every state that a
 * slot can have (t/trees/README): what was done stays done, and nothing else is
 * forgotten.
 *
 * link: t/lib/bed.c
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

/* Their messages are old by now. */
static const char patience[] = "maximal_queue_lifetime = 36500d\n"
			       "bounce_queue_lifetime = 36500d\n";

static const char *const to_do[] = {
	"to=<defer-waiting@remote.test>", "to=<defer-null@remote.test>",
	"to=<defer-large@remote.test>",	  "to=<defer-part@remote.test>",
	"to=<defer-beside@remote.test>",  "to=<ok-committed@remote.test>",
	"to=<ok-promised@remote.test>",
};

static const char *const done_or_held[] = {
	"to=<defer-held@local.test>",  "to=<ok-part@local.test>",
	"to=<fail-part@remote.test>",  "to=<list@local.test>",
	"to=<ok-member1@remote.test>", "to=<ok-freed@local.test>",
	"to=<sender@remote.test>",
};

static bool unpack(const char *name)
{
	char *cmd = mem_printf("cat >>'%s/posthorn.conf' <<'END'\n%sEND\n"
			       "rm -rf '%s'/queue/queue && "
			       "tar -xzf t/trees/%s -C '%s/queue'",
			       bed.dir, patience, bed.dir, name, bed.dir);
	bool good = system(cmd) == 0;

	free(cmd);
	return good;
}

static bool see_held(void *context, const struct queue_item *m)
{
	int *held = context;

	*held += m->state == QUEUE_HELD && m->nrecipients == 1 &&
		 strcmp(m->recipient[0].address, "defer-held@local.test") == 0;
	return true;
}

static int count_held(void)
{
	struct queue_summary sum;
	struct buf why;
	int held = 0;

	buf_init(&why, 1000);
	queue_admin_list(bed.public, NULL, see_held, &held, &sum, &why);
	buf_free(&why);
	return held;
}

static void test_format_1(void)
{
	int64_t left = 6;

	bed_end_qmgr(SIGTERM);
	ok(unpack("queue-1.tar.gz"), "the queue of an earlier version");
	bed_start_qmgr();
	for (size_t i = 0; i < sizeof(to_do) / sizeof(to_do[0]); i++)
		ok(bed_wait(bed_is_recorded, to_do[i]), "tried: %s", to_do[i]);
	ok(bed_wait(bed_has_messages, &left), "the others are done");
	for (size_t i = 0; i < sizeof(done_or_held) / sizeof(to_do[0]); i++)
		ok(!bed_is_recorded(done_or_held[i]), "not tried: %s",
		   done_or_held[i]);
	ok(bed_is_recorded("Subject: large") && bed_is_recorded("...100048"),
	   "a message behind the halves is whole");
	ok(count_held() == 1, "one is held");
	ok(!bed_is_logged("error"), "no alarm");
}

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_format_1();
	bed_end(r);
	return done();
}
