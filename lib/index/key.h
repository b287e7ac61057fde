/*
 * Keys of deliveries: queue id and recipient as one number, kept with the
 * message in the journal, so that a second delivery is recognised.
 */
#ifndef INDEX_KEY_H
#define INDEX_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "messages/content.h"
#include "index/folder.h"

/* 0 if there is no queue id. */
uint64_t key_make(const char *queue_id, const char *recipient);

struct key_found {
	uint32_t uid;
	off_t record;	       /* which added it; 0: in a former journal */
	struct record_add add; /* as it was added */
	char base[MESSAGE_BASE_MAX + 1];
	int64_t ours; /* record_last_write */
	bool sure;  /* the record says so */
	bool alone; /* the record adds no other message */
	bool kept;  /* that is enough: no need to look at the file */
};

/* Was KEY delivered at SINCE_US or later, and not withdrawn? ERR_NOT_FOUND: no.
 * Looks only at records since then, usually none. If its message is still in the
 * folder, its file decides: it may never have been linked, or be torn. Under the
 * lock. */
int key_find(struct folder *f, uint64_t key, int64_t since_us,
	     struct key_found *k) MUST_CHECK;

#endif
