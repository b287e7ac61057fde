/*
 * The record of what a running suite did to its files, for crash-check: a
 * file of entries in the order in which the operations happened.
 *
 * An entry is this head, then its first name, its second name and its data,
 * none ended by a NUL. Files and folders are told by their inode number;
 * names by the number of the folder and the last part of the path. A sync is
 * two entries: what the first one follows is on disk when the second comes.
 * Entries of the story (RECORD_FACT, RECORD_BASE_…) are written by
 * t/crash/story.py.
 */
#ifndef T_CRASH_RECORD_H
#define T_CRASH_RECORD_H

#include <stdint.h>

#define RECORD_MAGIC 0x48534352u

enum {
	OP_BASE_DIR = 1, /* there before: name in dir is the folder ino */
	OP_BASE_FILE,	 /* there before: name in dir is ino, with this data */
	OP_FACT,	 /* data: what a client was told, see fact.h */
	OP_CREATE,	 /* name in dir is now ino, if it was not */
	OP_UNNAMED,	 /* ino is a new file without a name */
	OP_MKDIR,
	OP_WRITE,      /* data at offset */
	OP_TRUNCATE,   /* to length */
	OP_PUNCH,      /* zeros at offset, length bytes; the size stays */
	OP_SYNC,       /* of ino begins, in process pid */
	OP_SYNCED,     /* and ended well */
	OP_RENAME,     /* name in dir is now name2 in dir2 */
	OP_LINK,       /* name2 in dir2 is now ino, too */
	OP_UNLINK,     /* name in dir is gone: file or folder */
	OP_END_DIR,    /* as OP_BASE_…, at the end: how the tree is, to see */
	OP_END_FILE,   /* whether all that happened to it is in the record */
	OP_WRITTEN,    /* what ino held at OP_SYNC left the machine: no sync */
	OP_SYNCED_ALL, /* as OP_SYNCED, for all files and folders */
	OP_TYPES
};

struct record_entry {
	uint32_t magic;
	uint32_t type;
	uint64_t total; /* of the whole entry, bytes */
	uint64_t ino;
	uint64_t dir;
	uint64_t dir2;
	int64_t offset;
	int64_t length;
	int64_t mtime;	/* of dir after it, nanoseconds */
	int64_t mtime2; /* of dir2 */
	uint32_t pid;
	uint16_t nname;
	uint16_t nname2;
	uint64_t ndata;
	uint32_t inside; /* dir is in a tree that is recorded */
	uint32_t inside2;
};

#endif
