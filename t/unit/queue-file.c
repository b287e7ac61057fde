/*
 * The queue file: what is read back after torn writes, from reused slots,
 * and from damaged bytes.
 *
 * link: queue-manager/message.c queue-manager/judge.c
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue-manager/judge.h"
#include "queue-manager/message.h"
#include "queue/id.h"
#include "queue/journal.h"
#include "queue/slot.h"
#include "t/unit/tap.h"

#define IMAGE (3 * SLOT_SIZE)
#define SLOT 7 /* its number */

static const struct envelope_recipient two[] = {
	{ "a b@local.test", NOTIFY_SUCCESS | NOTIFY_FAILURE, "rfc822;x y" },
	{ "j\303\266rg@remote.test", 0, "" },
};

static const struct envelope sample = {
	.sender = "s@x.test",
	.recipient = (struct envelope_recipient *)(uintptr_t)two,
	.nrecipients = 2,
	.envid = "id with % and \n",
	.smtputf8 = true,
	.arrival_us = 1700000000123456,
	.client = "192.0.2.1",
	.prologue = "Received: from x\r\n\tby y\r\n",
};

static void test_ids(void)
{
	char a[QUEUE_ID_SIZE], b[QUEUE_ID_SIZE], path[QUEUE_PATH_SIZE];
	uint32_t slot;

	queue_id_make(a, 1700000000000000, QUEUE_SLOT_MAX);
	queue_id_make(b, 1700000000000001, 0);
	ok(strcmp(a, b) < 0, "ids sort by time: %s %s", a, b);
	ok(queue_id_slot(a, &slot) && slot == QUEUE_SLOT_MAX,
	   "an id leads to its slot");
	ok(!queue_id_slot("", &slot) &&
		   !queue_id_slot("../../etc/passwd", &slot),
	   "what is no id leads nowhere");
	a[3] = 'A';
	ok(!queue_id_slot(a, &slot), "digits that are none are refused");
	queue_slot_path(path, 1024 * 33 + 1);
	is(path, "queue/11/001101", "the path of a slot");
	ok(queue_slot_from_name("001101", &slot) && slot == 1024 * 33 + 1,
	   "and its number");
}

static void test_envelope(void)
{
	struct arena *a = arena_new();
	struct envelope e;
	struct buf b;
	size_t bad = 0;

	buf_init(&b, 1 << 20);
	envelope_write(&b, &sample);
	ok(envelope_read(a, b.data, b.len, &e) == ERR_OK, "an envelope");
	is(e.sender, "s@x.test", "sender");
	is(e.envid, sample.envid, "a value with line end and percent");
	is(e.prologue, sample.prologue, "the prologue");
	is(e.recipient[0].address, two[0].address, "a recipient with a blank");
	is(e.recipient[0].orcpt, "rfc822;x y", "its ORCPT");
	ok(e.nrecipients == 2 && e.recipient[0].notify == two[0].notify &&
		   e.smtputf8 && e.arrival_us == sample.arrival_us,
	   "numbers");
	is(e.helo, "", "what was not said is empty");
	/* cut in the middle of a line; between lines recipients are missing,
	 * which the CRC finds */
	for (size_t n = 0; n < b.len; n++)
		bad += b.data[n ? n - 1 : 0] != '\n' &&
		       envelope_read(a, b.data, n, &e) == ERR_OK && n > 0;
	ok(bad == 0, "an envelope cut within a line is refused");
	ok(envelope_read(a, "rcpt a 0 %\n", 11, &e) == ERR_SYNTAX,
	   "one without a sender is refused");
	ok(envelope_read(a, "sender x\nrcpt a 16 %\n", 21, &e) == ERR_SYNTAX,
	   "NOTIFY is bounded");
	ok(envelope_read(a, "sender %00\n", 11, &e) == ERR_SYNTAX, "no NUL");
	ok(envelope_read(a, "sender x\nenvid a b\n", 19, &e) == ERR_SYNTAX,
	   "and no word too many");
	buf_free(&b);
	arena_free(&a);
}

/* Puts a message of LENGTH bytes C into the image of a slot. */
static void write_message(char *image, uint32_t generation, size_t length,
			  char c, struct slot_super *s)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	envelope_write(&b, &sample);
	*s = (struct slot_super){ .generation = generation, .key = generation };
	queue_id_make(s->id, 1700000000000000 + generation, SLOT);
	s->content = slot_half(generation) + SLOT_SUPER;
	s->length = (off_t)length;
	s->envelope = s->content + s->length;
	s->envelope_length = (off_t)b.len;
	s->journal = slot_journal_after(s->envelope + s->envelope_length);
	memset(image + s->content, c, length);
	memcpy(image + s->envelope, b.data, b.len);
	memset(image + s->envelope + b.len, 0,
	       (size_t)(s->journal + 1 - s->envelope) - b.len);
	s->crc = crc32c(0, image + s->content, length + b.len);
	slot_super_write(image + slot_half(generation), s);
	buf_free(&b);
}

static int file_of(const char *image)
{
	int fd = memfd_create("slot", MFD_CLOEXEC);

	if (fd < 0 || file_write(fd, image, IMAGE) != ERR_OK)
		exit(1);
	return fd;
}

static void test_super(void)
{
	char *image = mem_alloc(IMAGE);
	struct slot_super s, got;
	const char *end;
	int bad = 0;

	write_message(image, 5, 1000, 'x', &s);
	ok(slot_super_read(image + SLOT_HALF, &got) == ERR_OK &&
		   memcmp(got.id, s.id, sizeof(s.id)) == 0 &&
		   got.journal == s.journal && got.key == 5 && got.crc == s.crc,
	   "a superblock is read back");
	end = strstr(image + SLOT_HALF, " sum ") + 13;
	for (int i = 0; image + SLOT_HALF + i < end; i++) {
		image[SLOT_HALF + i] ^= 1;
		bad += slot_super_read(image + SLOT_HALF, &got) == ERR_OK;
		image[SLOT_HALF + i] ^= 1;
	}
	ok(bad == 0, "each byte of it counts");
	s.journal += 512;
	slot_super_write(image, &s);
	ok(slot_super_read(image, &got) == ERR_CORRUPT,
	   "places that cannot be are refused");
	memset(image, 0, SLOT_SUPER);
	ok(slot_super_read(image, &got) == ERR_NOT_FOUND, "zeros are none");
	free(image);
}

/* What recovery says of an image, and of which generation it is a message. */
static enum verdict verdict_on(const char *image, uint32_t *generation)
{
	struct judged j;
	int fd = file_of(image);

	judge(&j, SLOT, fd);
	*generation = j.verdict == VERDICT_MESSAGE ? j.m.super.generation : 0;
	judge_end(&j);
	close(fd);
	return j.verdict;
}

/* A slot's life: generation 1 promised and committed, freed; 2; then 3 comes
 * into the half of 1. Of the write of 3 any sectors may be on disk, and of
 * the freeing of 2, which is not synced, all or nothing. */
static void test_torn(void)
{
	static const char *const word[] = { "committed" };
	char *before = mem_alloc(IMAGE), *after = mem_alloc(IMAGE);
	char *disk = mem_alloc(IMAGE);
	int alarms = 0, wrong = 0, tries = 0;
	struct slot_super s[4];
	struct buf rec;

	buf_init(&rec, 1 << 16);
	write_message(before, 1, 3000, '1', &s[1]);
	journal_put(&rec, &s[1], 1700000000, word, 1);
	memcpy(before + s[1].journal, rec.data, rec.len + 1);
	memcpy(before + slot_half(1), "freed   ", 8);
	write_message(before, 2, 2000, '2', &s[2]);
	buf_reset(&rec);
	journal_put(&rec, &s[2], 1700000000, word, 1);
	memcpy(before + s[2].journal, rec.data, rec.len + 1);
	memcpy(after, before, IMAGE);
	write_message(after, 3, 9000, '3', &s[3]);
	for (int i = 0; i < 2000; i++) {
		uint32_t generation;
		enum verdict what;
		bool whole = true, freed = i & 1;

		memcpy(disk, before, IMAGE);
		if (freed)
			memcpy(disk + slot_half(2), "freed   ", 8);
		for (size_t at = 0; at < IMAGE; at += 512) {
			bool same = memcmp(before + at, after + at, 512) == 0;

			if (!same && random() % (i / 100 + 1) == 0)
				memcpy(disk + at, after + at, 512);
			else if (!same)
				whole = false;
		}
		what = verdict_on(disk, &generation);
		tries++;
		alarms += what == VERDICT_DAMAGED;
		if (whole)
			wrong += what != VERDICT_MESSAGE || generation != 3;
		else if (memcmp(disk + SLOT_HALF, after + SLOT_HALF, 512) == 0)
			wrong += what != VERDICT_TORN;
		else
			wrong += freed ? what != VERDICT_UNUSED
				       : what != VERDICT_MESSAGE ||
						 generation != 2;
	}
	ok(alarms == 0, "no torn write is taken for rot (%d tried)", tries);
	ok(wrong == 0, "what is promised is found, what is torn is not");
	buf_free(&rec);
	free(before);
	free(after);
	free(disk);
}

/* A message whose content is damaged counts as lost if either of two marks says
 * that it was promised, and if there is none, as never written. */
static void test_rot(void)
{
	static const char *const word[] = { "committed" };
	char *image = mem_alloc(IMAGE);
	struct slot_super s;
	uint32_t generation;
	struct buf rec;

	buf_init(&rec, 1 << 16);
	write_message(image, 1, 3000, '1', &s);
	ok(verdict_on(image, &generation) == VERDICT_MESSAGE, "a message");
	image[s.content + 100] ^= 1;
	ok(verdict_on(image, &generation) == VERDICT_TORN,
	   "if it is damaged, and nothing says that it was promised: torn");
	journal_put(&rec, &s, 1700000000, word, 1);
	memcpy(image + s.journal, rec.data, rec.len + 1);
	ok(verdict_on(image, &generation) == VERDICT_DAMAGED,
	   "if its journal says so: damaged");
	memset(image + s.journal, 0, rec.len);
	s.promised = true;
	slot_super_write(image + slot_half(1), &s);
	ok(verdict_on(image, &generation) == VERDICT_DAMAGED,
	   "if its superblock says so, whatever its journal: damaged");
	image[s.content + 100] ^= 1;
	ok(verdict_on(image, &generation) == VERDICT_MESSAGE, "whole again");
	buf_free(&rec);
	free(image);
}

static int count_records(const struct slot_super *s, const char *image)
{
	struct message m;
	int fd = file_of(image), n = 0;

	if (message_load(&m, fd, s->generation, false) == ERR_OK)
		for (size_t i = 0; i < m.nrcpts; i++)
			n += m.rcpt[i].state != RECIPIENT_TODO;
	message_free(&m);
	close(fd);
	return n;
}

static void test_journal(void)
{
	const char *first[] = { "sent", "0", "2.0.0", "-", "relay", "a reply" };
	const char *second[] = { "failed", "1", "5.0.0", "r", "x", "no\nway" };
	char *image = mem_alloc(IMAGE);
	struct slot_super s, other;
	size_t one, bad = 0;
	struct buf rec;

	buf_init(&rec, 1 << 16);
	write_message(image, 1, 100, 'x', &s);
	journal_put(&rec, &s, 1700000000, first, 6);
	one = rec.len;
	journal_put(&rec, &s, 1700000001, second, 6);
	for (size_t n = 0; n <= rec.len; n++) {
		int want = (n >= one) + (n == rec.len);

		memset(image + s.journal, 0, 1024);
		memcpy(image + s.journal, rec.data, n);
		bad += count_records(&s, image) != want;
	}
	ok(bad == 0, "a journal counts up to where it is torn");
	for (size_t n = bad = 0; n < one; n++) {
		image[s.journal + (off_t)n] ^= 4;
		bad += count_records(&s, image) != 0;
		image[s.journal + (off_t)n] ^= 4;
	}
	ok(bad == 0, "damage ends it");
	/* the bytes of an earlier message: right in all but the key */
	other = s;
	other.key++;
	buf_reset(&rec);
	journal_put(&rec, &other, 1700000000, first, 6);
	memcpy(image + s.journal, rec.data, rec.len);
	ok(count_records(&s, image) == 0, "records of another message do not");
	other = s;
	other.generation += 2;
	buf_reset(&rec);
	journal_put(&rec, &other, 1700000000, first, 6);
	memcpy(image + s.journal, rec.data, rec.len);
	ok(count_records(&s, image) == 0, "nor of another generation");
	buf_free(&rec);
	free(image);
}

static void test_expansion(void)
{
	const char *expand[] = { "expanded",  "0",	    "-",
				 "%",	      "new@x.test", "a b@local.test",
				 "new@x.test" };
	const char *again[] = { "expanded", "0", "-", "%", "more@x.test" };
	const char *owner[] = { "expanded", "1", "o", "owner@x.test",
				"member@x.test" };
	char *image = mem_alloc(IMAGE);
	struct slot_super s;
	struct message m;
	int fd;

	write_message(image, 1, 100, 'x', &s);
	fd = file_of(image);
	ok(message_load(&m, fd, 1, true) == ERR_OK, "a message");
	ok(message_note(&m, expand, 7) && m.nrcpts == 3,
	   "addresses that it has already are left out");
	is(m.rcpt[2].orcpt, "rfc822;x y", "the new one keeps ORCPT");
	is(m.rcpt[2].original, "a b@local.test", "and the original address");
	ok(!message_note(&m, again, 5), "nobody is expanded twice");
	ok(message_note(&m, owner, 5), "a list with an owner");
	is(recipient_sender(&m, &m.rcpt[3]), "owner@x.test", "who answers");
	ok(m.rcpt[3].notify == 0 && m.rcpt[2].depth == 1, "for its members");
	ok(message_write_journal(&m, fd) == ERR_OK, "it is written");
	message_free(&m);
	ok(message_load(&m, fd, 1, false) == ERR_OK && m.nrcpts == 4 &&
		   m.committed && m.rcpt[0].state == RECIPIENT_EXPANDED,
	   "and is the same when read back");
	message_free(&m);
	close(fd);
	free(image);
}

/* The clock was set: the age of a message counts from another time, also for
 * who reads its journal. */
static void test_born(void)
{
	const char *born[] = { "born", "1600000000" }, *bad[] = { "born", "0" };
	char *image = mem_alloc(IMAGE);
	struct slot_super s;
	struct message m;
	int fd;

	write_message(image, 1, 100, 'x', &s);
	fd = file_of(image);
	ok(message_load(&m, fd, 1, true) == ERR_OK &&
		   message_born(&m) == 1700000000,
	   "a message's age is since it came");
	ok(!message_note(&m, bad, 2) && message_note(&m, born, 2) &&
		   message_born(&m) == 1600000000,
	   "or since its journal says");
	ok(message_write_journal(&m, fd) == ERR_OK, "it is written");
	message_free(&m);
	ok(message_load(&m, fd, 1, false) == ERR_OK &&
		   message_born(&m) == 1600000000 &&
		   message_arrival(&m) == 1700000000,
	   "and read back");
	message_free(&m);
	close(fd);
	free(image);
}

/* What the sender was told is not told again by who reads the journal. */
static void test_told(void)
{
	const char *failed[] = { "failed", "1", "5.0.0", "-", "none", "no" };
	const char *told[] = { "told", "failure" };
	char *image = mem_alloc(IMAGE);
	struct slot_super s;
	struct message m;
	int fd;

	write_message(image, 1, 100, 'x', &s);
	fd = file_of(image);
	ok(message_load(&m, fd, 1, true) == ERR_OK &&
		   message_note(&m, failed, 6) && message_note(&m, told, 2) &&
		   message_write_journal(&m, fd) == ERR_OK,
	   "the sender is told of a failure");
	message_free(&m);
	ok(message_load(&m, fd, 1, false) == ERR_OK &&
		   m.rcpt[0].told == 0 && m.rcpt[1].told == TOLD_FAILURE,
	   "and that is read back");
	message_free(&m);
	close(fd);
	free(image);
}

/* A journal that outgrows its half trims the slot and goes on. */
static void test_long_journal(void)
{
	static char long_reply[2000];
	const char *word[] = {
		"deferred", "1", "4.0.0", "-", "none", long_reply
	};
	char *image = mem_alloc(IMAGE);
	struct slot_super s;
	struct message m;
	bool good = true;
	int fd;

	memset(long_reply, 'y', sizeof(long_reply) - 1);
	write_message(image, 1, 20000, 'x', &s);
	fd = file_of(image);
	err_ignore(message_load(&m, fd, 1, true));
	for (int i = 0; i < 40; i++)
		good = good && message_note(&m, word, 6) &&
		       message_write_journal(&m, fd) == ERR_OK;
	ok(good && m.trimmed, "a journal outgrows its half");
	message_free(&m);
	ok(message_load(&m, fd, 1, false) == ERR_OK &&
		   strlen(m.rcpt[1].reply) == sizeof(long_reply) - 1 &&
		   m.journal_end > SLOT_SIZE && slot_verify(fd, &s) == ERR_OK,
	   "and is whole");
	message_free(&m);
	close(fd);
	free(image);
}

/* Any bytes are an answer or an error, never a crash. */
static void test_random(void)
{
	char *image = mem_alloc(IMAGE);
	struct slot_super s;
	uint32_t generation;

	srandom(42);
	for (int i = 0; i < 300; i++) {
		write_message(image, 1, 100, 'x', &s);
		for (int k = 0; k < 1 + i % 50; k++)
			image[slot_half(1) + random() % 2048] = (char)random();
		verdict_on(image, &generation);
	}
	ok(true, "random damage is survived");
	free(image);
}

int main(void)
{
	test_ids();
	test_envelope();
	test_super();
	test_torn();
	test_rot();
	test_journal();
	test_expansion();
	test_born();
	test_told();
	test_long_journal();
	test_random();
	return done();
}
