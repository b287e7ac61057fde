/* The checksums of messages that the journal has, read when the first is wanted,
 * and then as it grows. */
#ifndef INDEX_CONTENTS_H
#define INDEX_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct contents {
	struct buf known; /* struct content_of, by UID */
	uint64_t journal; /* its id */
	off_t read;	  /* it was read up to here */
};

void contents_init(struct contents *c);
void contents_free(struct contents *c);

/* The journal FD with ID: is the checksum of UID's content there? Then it goes
 * to *CRC. ERR_NOT_FOUND: it is not. */
int contents_find(struct contents *c, int fd, uint64_t id, uint32_t uid,
		  uint32_t *crc) MUST_CHECK;

#endif
