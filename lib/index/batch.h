/*
 * Records on their way into a journal: items of the same kind are gathered in
 * one record, large records are split, and a large batch is written early.
 * Errors are kept until batch_end. A batch ends with that or batch_drop.
 */
#ifndef INDEX_BATCH_H
#define INDEX_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "index/folder.h"
#include "index/table.h"

struct batch {
	struct folder *f; /* locked; or NULL: gather only */
	struct buf buf;
	struct totals t; /* for the records; change it as items are put */
	enum record_type type;
	uint32_t count; /* items in the current record */
	size_t at;	/* where it begins */
	bool any;
	bool change;  /* messages get the mod-sequence of their record */
	bool sure;   /* what is added was there before: disk.h */
	bool needed; /* may use up the journal's reserve: folder_write */
	int code;
};

/* Begins with folder_next(F). With CHANGE messages come, change or go: one
 * modseq higher, and then one for each further record. */
void batch_begin(struct batch *b, struct folder *f, bool change);
void batch_item(struct batch *b, enum record_type type, const void *item,
		size_t size);
/* COUNT items of SIZE that have to be in one record. */
void batch_items(struct batch *b, enum record_type type, const void *items,
		 size_t size, uint32_t count);
/* An item of a record of ranges. JOINS: no existing UID lies between UID and
 * the item before it, so they may be joined. */
void batch_range(struct batch *b, enum record_type type, uint32_t uid,
		 bool joins);
/* With `change` the message is new, else it keeps its modseq. */
void batch_add(struct batch *b, const struct entry *e, const char *name,
	       uint64_t key, const uint32_t *content);
void batch_keyword(struct batch *b, uint32_t bit, const char *name);
/* A record without items. */
void batch_mark(struct batch *b, enum record_type type);
/* Ends the current record. */
void batch_close(struct batch *b);
/* Writes all; ERR_OK or the first error. */
int batch_end(struct batch *b) MUST_CHECK;
/* Instead of that: what was not written early never is. */
void batch_drop(struct batch *b);

#endif
