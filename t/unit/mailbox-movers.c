/*
 * Sessions that move the same messages at once: whoever removes one from its
 * folder first has it, and the others take back their own copies, which may
 * have been moved on meanwhile, and no other message.
 */
#include "mailbox/private.h"
#include "maildir/maildir.h"
#include "t/unit/mailbox-lib.h"

static struct messages_ops real, hooked;
static void (*meanwhile)(void); /* once, when a copy has its name */

static int hooked_sync(struct messages *ms, unsigned dirs)
{
	void (*now)(void) = meanwhile;

	meanwhile = NULL;
	if (now)
		now();
	return real.sync(ms, dirs);
}

static int open_hooked(int dir, bool make, struct messages **ms)
{
	int code = maildir_open(dir, make, ms);

	if (code)
		return code;
	real = hooked = *(*ms)->ops;
	hooked.sync = hooked_sync;
	(*ms)->ops = &hooked;
	return ERR_OK;
}

static int move(struct mailbox *m, uint32_t n, const char *to, uint32_t *uid)
{
	uint32_t seq[8], validity;
	struct folder_id id;

	for (uint32_t i = 0; i < n; i++)
		seq[i] = i + 1;
	return mailbox_copy(m, seq, n, to, true, uid, &validity, &id);
}

/* Another session does so. */
static void move_others(const char *from, uint32_t uid, const char *to)
{
	struct store *s;
	struct mailbox *m = open_folder(from, false, &s);
	uint32_t seq = mailbox_find(m, uid), got, validity;
	struct folder_id id;

	if (mailbox_copy(m, &seq, 1, to, true, &got, &validity, &id) != ERR_OK)
		printf("# %s %u is not moved\n", from, uid);
	close_folder(&m, &s);
}

static uint32_t count_in(const char *folder)
{
	uint32_t count, next;

	validity_of(folder, &count, &next);
	return count;
}

static struct mailbox *begin(struct store **s)
{
	struct mailbox *m = NULL;

	fresh();
	deliver_n("INBOX", 2);
	store_open(at.maildir, true, s);
	store_create(*s, "Box", NULL);
	store_create(*s, "Third", NULL);
	(*s)->opener = open_hooked;
	mailbox_open(*s, "INBOX", false, &m);
	return m;
}

/* The first message gets to Box too, and our own copy goes on to Third; a
 * neighbour of it stays. */
static void take_first(void)
{
	move_others("INBOX", 1, "Box");
	move_others("Box", 1, "Third");
}

static void test_lost(void)
{
	struct store *s;
	struct mailbox *m = begin(&s);
	uint32_t uid[2];

	meanwhile = take_first;
	ok(move(m, 1, "Box", uid) == ERR_NOT_FOUND, "another was first");
	close_folder(&m, &s);
	ok(count_in("Box") == 1, "its message is in Box");
	ok(count_in("Third") == 1, "and the other copy where it was moved to");
	ok(count_in("INBOX") == 1, "and what nobody moved is there");
}

static void test_some_lost(void)
{
	struct store *s;
	struct mailbox *m = begin(&s);
	uint32_t uid[2];

	meanwhile = take_first;
	ok(move(m, 2, "Box", uid) == ERR_OK && uid[0] == 0 && uid[1] == 2,
	   "one of two is moved");
	close_folder(&m, &s);
	ok(count_in("Box") == 2 && count_in("INBOX") == 0, "both are in Box");
}

/* A flag that another session has set is not lost with the message that had
 * it. */
static void test_flags(bool is_move)
{
	struct store *s, *s2;
	struct mailbox *m = begin(&s), *other = open_folder("INBOX", false, &s2);
	uint32_t seq = 1, uid, validity;
	struct folder_id id;

	ok(mailbox_store(other, &seq, 1, MAILBOX_ADD, MAILBOX_FLAGGED, 0,
			 UINT64_MAX, NULL) ==
		   ERR_OK,
	   "another session sets a flag");
	ok(mailbox_copy(m, &seq, 1, "Box", is_move, &uid, &validity, &id) ==
		   ERR_OK,
	   is_move ? "the message is moved" : "the message is copied");
	close_folder(&other, &s2);
	close_folder(&m, &s);
	m = open_folder("Box", true, &s);
	ok(mailbox_get(m, 1).flags & MAILBOX_FLAGGED, "it has the flag there");
	close_folder(&m, &s);
}

int main(void)
{
	test_flags(true);
	test_flags(false);
	test_lost();
	test_some_lost();
	clean();
	return done();
}
