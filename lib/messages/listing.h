/* The names of messages in a folder's places, read in one pass each. */
#ifndef MESSAGES_LISTING_H
#define MESSAGES_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* One name: its base is the first NBASE bytes of the text. */
struct listing_file {
	uint32_t text; /* where it begins among `names` */
	uint8_t nbase;
	uint8_t dir;
	bool spelt;	   /* as we spell it */
	uint32_t letters;  /* flags in it */
	int64_t size;	   /* according to the name, or -1 */
	int64_t wire;	   /* the same */
	uint32_t uid;	   /* if the name is ours, else 0 */
	uint32_t validity; /* of that UID */
};

struct listing {
	unsigned dirs;	   /* bit per place that was read */
	int64_t before[2]; /* stamps before */
	struct listing_file *file;
	size_t n;
	size_t room;
	struct buf names;
};

void listing_init(struct listing *l, unsigned dirs);
/* Adds F, whose name is TEXT. ERR_LIMIT. */
int listing_add(struct listing *l, const struct listing_file *f,
		const char *text) MUST_CHECK;
const char *listing_name(const struct listing *l, size_t i);
void listing_free(struct listing *l);

#endif
