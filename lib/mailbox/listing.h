/* The names of files in a folder's new and cur, read in one pass each. */
#ifndef MAILBOX_LISTING_H
#define MAILBOX_LISTING_H

#include <stdint.h>

#include "mailbox/folder.h"
#include "mailbox/name.h"

struct listing_file {
	struct name name;
	uint32_t text; /* offset of its name in `names` */
	uint8_t dir;
};

struct listing {
	unsigned dirs;	      /* bit per directory that was read */
	int64_t before[DIRS]; /* their times before */
	struct listing_file *file;
	size_t n;
	size_t room;
	struct buf names;
};

/* Reads the directories whose bit is set in DIRS. */
int listing_read(struct listing *l, struct folder *f, unsigned dirs);
const char *listing_name(const struct listing *l, size_t i);
void listing_free(struct listing *l);

#endif
