/*
 * The queue file: a slot, used for one message after another
 * (posthorn-queue(5)).
 *
 * A slot has two halves of SLOT_HALF bytes, filled with zeros once. Message
 * number n of a slot, its generation, is in half n & 1: superblock, content,
 * envelope, journal. The first is SLOT_FIRST, so that it comes into the lower
 * half: whatever is cut off a used slot's end, what is left begins with a
 * superblock, and does not look like a slot that was never used. What does not
 * fit is behind both halves; the superblock says where. So the sync that makes
 * generation n+1 durable also makes the unsynced freeing of n durable, which
 * is in the same file, before n+2 overwrites n: then nothing on disk can claim
 * that n is still promised. A slot is lent again only after its message was
 * freed; so of two valid superblocks, the older one belongs to a message that
 * is done.
 *
 * The CRC covers content and envelope. The key, random for each message, goes
 * into the CRC of every journal record, so that no bytes left over from an
 * earlier message can pass for a record.
 */
#ifndef QUEUE_SLOT_H
#define QUEUE_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "queue/id.h"

#define SLOT_HALF 32768
#define SLOT_SIZE (2 * SLOT_HALF)
#define SLOT_FIRST 2		/* generation of a new slot's first message */
#define SLOT_HEAD_ROOM 65536	/* at most, before content behind the halves */
#define SLOT_SUPER 512		/* bytes of a superblock: one sector */
#define SLOT_JOURNAL_MIN 2048	/* room for a journal within a half */
#define SLOT_ENVELOPE_MAX (64 << 20)

struct slot_super {
	bool freed;		/* the message is done */
	bool promised;		/* qmgr has written that it was promised */
	uint32_t generation;	/* from SLOT_FIRST; 1 in old slots */
	char id[QUEUE_ID_SIZE];
	off_t content, length;	/* where, bytes */
	off_t envelope, envelope_length;
	off_t journal;		/* where it begins */
	uint64_t key;
	uint32_t crc;		/* CRC-32C of content, then envelope */
};

/* Where the half of GENERATION begins. */
off_t slot_half(uint32_t generation);

/* Where a journal begins that follows END. */
off_t slot_journal_after(off_t end);

/* A superblock as bytes, and back. The second gives ERR_OK; ERR_NOT_FOUND if
 * the bytes are zeros: none was written; ERR_UNSUPPORTED if another version of
 * the format was; else ERR_CORRUPT, with S->id if that can be read. A sector
 * is written whole or not at all, so a power cut leaves nothing that is
 * ERR_CORRUPT. */
void slot_super_write(char out[SLOT_SUPER], const struct slot_super *s);
int slot_super_read(const char data[SLOT_SUPER], struct slot_super *s);

/* Did what gave CODE, reading a slot, see the bytes? Then CODE says what they
 * are. Else nothing is known of them: a disk, or memory, that fails for a moment
 * is no damage. */
bool slot_was_read(int code);

/* Reads the superblock in the half of GENERATION, which may be of an earlier
 * or later one. Like slot_super_read; or ERR_IO, ERR_TEMP … */
int slot_super_at(int fd, uint32_t generation, struct slot_super *s);

/* Finds the newest valid superblock. ERR_OK (look at s->freed), ERR_NOT_FOUND
 * if neither is valid; ERR_IO, ERR_TEMP … */
int slot_super_find(int fd, struct slot_super *s);

/* Reads content and envelope and compares the CRC: ERR_OK, ERR_CORRUPT,
 * ERR_IO, ERR_TEMP … */
int slot_verify(int fd, const struct slot_super *s);

/* Marks on disk, unsynced, that the message is done, or that it was promised:
 * ERR_OK, ERR_IO …. The second mark is beside the superblock in its sector, so
 * that it is there even if the journal is cut off. */
MUST_CHECK int slot_mark_freed(int fd, const struct slot_super *s);
MUST_CHECK int slot_mark_promised(int fd, const struct slot_super *s);

/* Gives back disk space that a waiting message does not need: USED is the end
 * of its journal. The journal may then grow without limit, and the slot cannot
 * be lent again. The former message's superblock in the lower half stays: it
 * tells a file that is cut off from one that was never used. What the file
 * system does not support is skipped. Call it only after slot_mark_promised,
 * which tells the hole from a lost superblock. */
void slot_trim(int fd, const struct slot_super *s, off_t used);

/* Where the journal of an untrimmed slot must end; 0 if it need not. */
off_t slot_journal_limit(const struct slot_super *s);

#endif
