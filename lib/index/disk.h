/*
 * What lib/index keeps in a folder beside the messages:
 * posthorn-mailbox(5). Numbers are in the host's byte order; the magic
 * number tells a file from a host of the other order.
 */
#ifndef INDEX_DISK_H
#define INDEX_DISK_H

#include <stdint.h>

#include "messages/messages.h"

#define DISK_LOCK "posthorn-lock"
#define DISK_JOURNAL "posthorn-journal"
#define DISK_SNAPSHOT "posthorn-snapshot"
#define DISK_CACHE "posthorn-cache"
#define DISK_SIGNATURES "posthorn-signatures"
#define DISK_TEXTS "posthorn-texts"
#define DISK_NEW_SUFFIX ".new"

/* A record that adds messages is written before they are on stable storage.
 * When they are, `sure` is set in place, without the lock and without a sync;
 * likewise `synced`, which `sure` implies. So after a power cut a record that
 * is not sure proves nothing: neither a name nor a size says that the file has
 * the message in it, only the checksum of its content does. If a record is
 * wrong but later ones are right, only a later one that says `synced` proves
 * that it was on the disk once and was damaged; otherwise the disk wrote the
 * later ones first, and nobody was told of either. */

/* The state after a record: the last record alone suffices for STATUS and for
 * a delivery, without reading what is before it. */
struct totals {
	uint32_t uidnext;
	uint32_t claimed;   /* \Recent was given out up to this UID */
	uint64_t modseq;    /* the highest */
	int64_t time;	    /* of the record, microseconds, never going back */
	int64_t mark[DIRS]; /* ctime of the directory, in nanoseconds, as we
			     * left it; below 0: the same, but files of
			     * expunged messages may still be there;
			     * INT64_MAX instead of a time, or 0 from former
			     * versions: look at it. See mark.h */
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t recent; /* messages with a UID above `claimed` */
	uint64_t bytes;	 /* sum of sizes as sent; where that is not known, of
			  * the file, which former versions did not count */
};

enum record_type {
	RECORD_BEGIN = 1, /* first of each journal */
	RECORD_ADD,	  /* messages: struct record_add and names */
	RECORD_FLAGS,	  /* new flags: struct record_flags */
	RECORD_EXPUNGE,	  /* messages gone: struct record_range */
	RECORD_KEYWORD,	  /* `count` is the bit, the name follows */
	RECORD_NAMED,	  /* names of files as they are: struct record_named */
	RECORD_CLAIM,	  /* \Recent was given out */
	RECORD_MARK,	  /* directories were read */
	RECORD_SIZE,	  /* sizes found by reading: struct record_size */
	RECORD_CACHED,	  /* places in the cache: struct record_cached */
	RECORD_KEY,	  /* deliveries whose messages are gone: record_key */
	RECORD_PAST,	  /* expunges from a former journal: record_past */
	RECORD_UNDO,	  /* never promised, withdrawn: struct record_range */
	RECORD_MISSING,	  /* messages whose files are not there, either
			   * removed by somebody or never linked by their
			   * delivery: struct record_range */
	RECORD_TYPES
};

struct record {
	uint32_t length; /* of the whole record, a multiple of 8 */
	uint16_t type;
	uint8_t sure;	/* 1: the messages that it adds are on stable storage */
	uint8_t synced; /* 1: so is the journal up to its end */
	uint32_t crc;	/* over the record, these three fields taken as 0 */
	uint32_t count;
	struct totals t;
	/* payload, then struct record_end */
};

struct record_end {
	uint32_t length; /* again: to find the record from its end */
	uint32_t magic;
};

#define RECORD_END_MAGIC 0x68724552u
#define RECORD_MIN (sizeof(struct record) + sizeof(struct record_end))
#define RECORD_MAX (4u << 20)

/* The first bytes of a journal. */
struct journal_head {
	uint64_t magic;
	uint64_t id; /* of this file: the snapshot says which it belongs to */
	uint32_t uidvalidity;
	uint32_t crc;  /* over the head, this field taken as 0 */
	uint64_t born; /* its size when it was made; 0: not known */
};
#define JOURNAL_MAGIC UINT64_C(0x314c4e4a4e524f48) /* "HORNJNL1" */

struct record_add {
	uint32_t uid;
	uint8_t flags;
	uint8_t dir;
	uint8_t nname; /* bytes of the base name, which follows, padded to 8 */
	uint8_t known; /* 1: `content` is set; 0 in records of old versions */
	uint32_t letters; /* flags in the file's name, see name.h */
	uint32_t size;	  /* of the file */
	uint32_t wire;	  /* as sent, 0 if not known */
	uint32_t ncache;
	uint64_t cache; /* place in the cache file */
	uint64_t keywords;
	uint64_t modseq;
	int64_t received;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint32_t saved;	  /* it was once eight bytes, those above zero */
	uint32_t content; /* CRC-32C of the file's bytes */
#else
	uint32_t content;
	uint32_t saved;
#endif
	uint64_t key; /* of the delivery, 0 for none */
};

/* With FLAGS_SINCE the messages between the previous item and this one are
 * also changed, as the upper bits say: so one change of all messages in a
 * folder of any size is a short record, which fits even on a full disk. Former
 * versions wrote no such items, and ignore the upper bits. */
struct record_flags {
	uint32_t uid;
	uint32_t flags;
	uint64_t keywords;
};
#define FLAGS_SET_SHIFT 8	    /* flags that those between get, */
#define FLAGS_CLEAR_SHIFT 16	    /* and lose first */
#define FLAGS_KEYWORDS (1u << 30) /* they have the keywords of this item */
#define FLAGS_SINCE (1u << 31)

struct record_range {
	uint32_t first;
	uint32_t last;
};

struct record_named {
	uint32_t uid;
	uint32_t letters;
	uint64_t dir;
};

struct record_size {
	uint32_t uid;
	uint32_t wire;
};

struct record_cached {
	uint32_t uid;
	uint32_t ncache;
	uint64_t cache;
};

struct record_key {
	uint64_t key;
	uint64_t uid;
	int64_t time; /* of the delivery */
};

/* With `first` above `last` it tells of no expunge: the history reaches back
 * to `modseq` and no further. Former versions wrote no such items, and ignore
 * them: then it reaches back to the journal's first record. If it has the
 * mod-sequence of its own record, nothing before is to be relied on, and all
 * messages may have changed: they get that mod-sequence. */
struct record_past {
	uint32_t first;
	uint32_t last;
	uint64_t modseq;
	int64_t time;
};

/* In the lock file, which outlives the journal: no UID and no modseq at or
 * above these was ever given out, so numbering can go on after a loss. */
struct high_water {
	uint64_t magic;
	uint32_t uidvalidity;
	uint32_t uid;
	uint64_t modseq;
	uint32_t zero;
	uint32_t crc;
};
#define HIGH_WATER_MAGIC UINT64_C(0x314857484e524f48)

/* After it: which journal was written last, how far, and when this was noted.
 * Not synced; if it is lost nothing is known. */
struct journal_note {
	uint64_t magic;
	uint64_t journal; /* its id */
	int64_t end;
	int64_t written; /* microseconds since 1970, by our clock */
	int64_t skew;	 /* of the file system's clock, the same unit */
	uint32_t apart;	 /* 1: after a write it gives mtime and ctime that differ;
			  * former versions wrote 0 */
	uint32_t crc;	 /* over what is before */
};
#define JOURNAL_NOTE_MAGIC UINT64_C(0x32544f4e4e524f48)
#define JOURNAL_NOTE_AT 64

_Static_assert(sizeof(struct totals) == 64, "totals");
_Static_assert(sizeof(struct record) == 80, "record");
_Static_assert(sizeof(struct journal_head) == 32, "journal head");
_Static_assert(sizeof(struct record_add) == 72, "add");
_Static_assert(sizeof(struct high_water) == 32, "high water");
_Static_assert(sizeof(struct journal_note) == 48, "journal note");

#endif
