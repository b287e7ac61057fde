/* A store of messages that fails for a moment: what could not be looked at is
 * looked at again, and what is not durable is not recorded. */
#include "mailbox/private.h"
#include "maildir/maildir.h"
#include "t/unit/mailbox-lib.h"

static struct {
	const struct messages_ops *real;
	struct messages_ops ops;
	int states, syncs, renames; /* so many of them fail */
} self;

static int fail(int *times)
{
	return (*times)-- > 0 ? err_set(ERR_IO, "as the test wants") : ERR_OK;
}

static int state(struct messages *ms, const struct message_ref *r,
		 struct message_state *st)
{
	int code = fail(&self.states);

	return code ? code : self.real->state(ms, r, st);
}

static int sync_places(struct messages *ms, unsigned dirs)
{
	int code = fail(&self.syncs);

	return code ? code : self.real->sync(ms, dirs);
}

static int rename_file(struct messages *ms, const struct message_ref *from,
		       const struct message_ref *to)
{
	int code = fail(&self.renames);

	return code ? code : self.real->rename(ms, from, to);
}

static int opener(int dir, bool make, struct messages **ms)
{
	int code = maildir_open(dir, make, ms);

	if (code)
		return code;
	self.real = (*ms)->ops;
	self.ops = *self.real;
	self.ops.state = state;
	self.ops.sync = sync_places;
	self.ops.rename = rename_file;
	(*ms)->ops = &self.ops;
	return ERR_OK;
}

/* Until a change of a folder leaves another time than one of before. */
static void wait_for_tick(void)
{
	usleep(50000);
}

static uint32_t count(struct mailbox *m)
{
	const struct mailbox_changes *changes;

	wait_for_tick();
	mailbox_refresh(m, true, &changes);
	return mailbox_count(m);
}

static void test_newcomer(struct store *s)
{
	struct mailbox *m;

	mailbox_open(s, "INBOX", false, &m);
	ok(count(m) == 1, "one message");
	write_file(path("new/1795903750.foreign"), "Subject: x\n\nhi\n", 15);
	wait_for_tick();
	self.states = 1;
	ok(count(m) == 1 && self.states <= 0, "another cannot be looked at");
	ok(count(m) == 2, "it is seen the next time");
	mailbox_close(&m);
}

static void test_settle(struct store *s)
{
	struct mailbox *m;
	uint32_t seq = 1;
	long before;

	mailbox_open(s, "INBOX", false, &m);
	mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_FLAGGED, 0, UINT64_MAX,
		      NULL);
	before = file_size(path("posthorn-journal"));
	self.syncs = 1;
	mailbox_settle(m);
	ok(self.syncs <= 0, "the new name is not durable");
	ok(file_size(path("posthorn-journal")) == before, "nor recorded");
	self.syncs = 0;
	ok(count(m) == 2, "no message is lost");
	ok(mailbox_get(m, 1).flags & MAILBOX_FLAGGED, "nor its flag");
	mailbox_settle(m);
	ok(file_size(path("posthorn-journal")) > before, "the next time it is");
	mailbox_close(&m);
}

/* Another program spells the name in a way of its own; ours is in the way of a
 * full disk, say. */
static void test_respelt(struct store *s)
{
	char name[300], new[310];
	struct mailbox *m;
	size_t n;
	const char *base;

	mailbox_open(s, "INBOX", false, &m);
	base = mailbox_base(m, 1, &n);
	snprintf(name, sizeof(name), "cur/%.*s:2,F", (int)n, base);
	snprintf(new, sizeof(new), "cur/%.*s:2,SF", (int)n, base);
	ok(rename(path(name), path(new)) == 0, "renamed elsewhere");
	self.renames = 100;
	ok(count(m) == 2 && self.renames < 100, "no message goes by that");
	self.renames = 0;
	ok(count(m) == 2 && mailbox_get(m, 1).flags & MAILBOX_SEEN,
	   "its flag is seen the next time");
	write_file(path("cur/1795903751.foreign:2,SF"), "Subject: y\n\nhi\n",
		   15);
	self.renames = 100;
	ok(count(m) == 2 && self.renames < 100, "a new one has to wait");
	self.renames = 0;
	ok(count(m) == 3, "and is seen the next time");
	mailbox_close(&m);
}

int main(void)
{
	struct store *s;

	fresh();
	store_open(at.maildir, true, &s);
	s->opener = opener;
	deliver_n("INBOX", 1);
	test_newcomer(s);
	test_settle(s);
	test_respelt(s);
	store_close(&s);
	clean();
	return done();
}
