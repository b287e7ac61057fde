/*
 * A power cut leaves each sector as it was before a write or after it, so a
 * superblock is whole, or there is none. Anything else in its place is damage,
 * or from another version. If the content's CRC is wrong, or there is no
 * superblock, it was promised only if something says so: the mark beside the
 * superblock, or a record `committed`, both written after the sync.
 */
#include "queue-manager/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "queue/journal.h"
#include "queue/slot.h"

#define PIECE 65536

static void decide(struct judged *j, enum verdict verdict, const char *why)
{
	j->verdict = verdict;
	str_copy(j->why, sizeof(j->why), why);
}

/* It could not be judged, or is no message, as CODE says. */
static void decide_by(struct judged *j, int code)
{
	decide(j, slot_was_read(code) ? VERDICT_DAMAGED : VERDICT_UNREAD,
	       err_why(code));
}

static bool see_committed(void *context, int64_t when, const char *const *word,
			  size_t n)
{
	bool *committed = context;

	(void)when, (void)n;
	*committed = *committed || strcmp(word[0], "committed") == 0;
	return !*committed;
}

/* The content's CRC is wrong: was it ever promised? */
static void judge_damaged(struct judged *j, int fd, const struct slot_super *s)
{
	bool committed = s->promised;
	off_t end;
	char why[sizeof(j->why)];
	int code = ERR_OK;

	str_copy(why, sizeof(why), err_why(ERR_CORRUPT));
	if (!committed)
		code = journal_read(fd, s, &end, see_committed, &committed);
	if (code)
		decide_by(j, code);
	else if (committed)
		decide(j, VERDICT_DAMAGED, why);
	else
		decide(j, VERDICT_TORN,
		       "not written to its end before a crash, never promised");
}

static void judge_message(struct judged *j, int fd, const struct slot_super *s)
{
	int err = slot_verify(fd, s);

	if (err == ERR_CORRUPT) {
		judge_damaged(j, fd, s);
		return;
	}
	if (!err)
		err = message_load(&j->m, fd, s->generation, false);
	if (err)
		decide_by(j, err);
	else
		decide(j, VERDICT_MESSAGE, "");
}

/* What is in a part of the file that no superblock describes. */
struct traces {
	bool any;	/* bytes that are not zero */
	bool committed; /* a record that says so, though it cannot be
			 * checked without its key */
};

/* "TIME committed CRC" at the beginning of a sector, where journals begin. */
static bool is_committed(const char *sector)
{
	static const char word[] = " committed ";
	size_t n = strspn(sector, "0123456789");

	return n > 0 && strncmp(sector + n, word, sizeof(word) - 1) == 0 &&
	       strspn(sector + n + sizeof(word) - 1, "0123456789abcdef") == 8;
}

static void look_at(struct traces *t, char *data, size_t n)
{
	for (size_t i = 0; i < n && !t->any; i++)
		t->any = data[i] != 0;
	for (size_t i = 0; i + SLOT_SUPER <= n; i += SLOT_SUPER) {
		char *end = data + i + SLOT_SUPER - 1, was = *end;

		*end = '\0';
		t->committed = t->committed || is_committed(data + i);
		*end = was;
	}
}

/* Looks for traces from FROM up to TO. */
static int look_for_traces(int fd, off_t from, off_t to, struct traces *t)
{
	char data[PIECE + 1];

	for (off_t at = from; at < to; at += PIECE) {
		size_t n = to - at < PIECE ? (size_t)(to - at) : PIECE;
		int err = file_pread(fd, data, n, at);

		if (err)
			return err_sys("read", "a slot");
		/* the last sector may be short */
		memset(data + n, 0, sizeof(data) - n);
		look_at(t, data,
			(n + SLOT_SUPER - 1) / SLOT_SUPER * SLOT_SUPER);
	}
	return ERR_OK;
}

/* The halves without a superblock, and what is behind both, unless it belongs
 * to DONE, a message that is done, or NULL. */
static int look_at_rest(int fd, off_t size, const int err[2],
			const struct slot_super *done, struct traces *t)
{
	for (int i = 0; i < 2; i++) {
		off_t from = i * SLOT_HALF;
		off_t to = size < from + SLOT_HALF ? size : from + SLOT_HALF;
		int bad = ERR_OK;

		if (err[i] == ERR_NOT_FOUND && from < to)
			bad = look_for_traces(fd, from, to, t);
		if (bad)
			return bad;
	}
	if (size <= SLOT_SIZE || (done && done->content >= SLOT_SIZE))
		return ERR_OK;
	return look_for_traces(fd, SLOT_SIZE, size, t);
}

/* No superblock claims a message, and none is damaged. DONE is NULL, or one
 * that says that its message is done. */
static void judge_rest(struct judged *j, int fd, const int err[2],
		       const struct slot_super *done)
{
	struct traces t = { false, false };
	struct stat st;
	int code = fstat(fd, &st) < 0 ? err_sys("look at", NULL) : ERR_OK;

	if (!code)
		code = look_at_rest(fd, st.st_size, err, done, &t);
	if (code)
		decide_by(j, code);
	else if (t.committed)
		decide(j, VERDICT_DAMAGED, "a message without a superblock");
	else if (done && st.st_size < SLOT_SIZE)
		/* a sync made its full size durable: the next message may have
		 * been in what is missing */
		decide(j, VERDICT_DAMAGED, "the file is cut short");
	else if (done)
		decide(j, VERDICT_UNUSED, "");
	else if (t.any)
		decide(j, VERDICT_TORN,
		       "begun but not written before a crash, never promised");
	else
		decide(j, VERDICT_UNUSED,
		       st.st_size == SLOT_SIZE
			       ? ""
			       : "holds nothing, and has not the size of a "
				 "slot: not made to its end, or cut off");
}

static void judge_super(struct judged *j, uint32_t number, int fd,
			const struct slot_super *s, const int err[2])
{
	uint32_t slot;

	str_copy(j->id, sizeof(j->id), s->id);
	if (!queue_id_slot(s->id, &slot) || slot != number)
		decide(j, VERDICT_DAMAGED, "a message of another slot");
	else if (!s->freed)
		judge_message(j, fd, s);
	else if (err[0] == ERR_CORRUPT || err[1] == ERR_CORRUPT)
		j->verdict = VERDICT_DAMAGED; /* of the next one, perhaps */
	else if (s->promised)
		/* its slot was trimmed, and never lent again */
		decide(j, VERDICT_UNUSED, "");
	else
		judge_rest(j, fd, err, s);
}

void judge(struct judged *j, uint32_t number, int fd)
{
	struct slot_super s[2];
	int err[2];

	*j = (struct judged){ .verdict = VERDICT_UNUSED };
	for (int i = 0; i < 2; i++) {
		err[i] = slot_super_at(fd, (uint32_t)i, &s[i]);
		if (err[i] && err[i] != ERR_NOT_FOUND)
			decide_by(j, err[i]);
		if (err[i] == ERR_CORRUPT)
			str_copy(j->id, sizeof(j->id), s[i].id);
		if (err[i] == ERR_UNSUPPORTED)
			j->verdict = VERDICT_STRANGE;
		if (err[i] && err[i] != ERR_NOT_FOUND && err[i] != ERR_CORRUPT)
			return;
	}
	if (!err[0] && (err[1] || s[0].generation > s[1].generation))
		judge_super(j, number, fd, &s[0], err);
	else if (!err[1])
		judge_super(j, number, fd, &s[1], err);
	else if (err[0] == ERR_NOT_FOUND && err[1] == ERR_NOT_FOUND)
		judge_rest(j, fd, err, NULL);
}

void judge_end(struct judged *j)
{
	message_free(&j->m);
}
