/*
 * Queue ids and slot numbers. An id is 17 digits of base 32: eleven for the
 * time in microseconds, so that ids sort by time, and six for the slot's
 * number, so that an id leads to its file. The digits are 0-9 and capital
 * letters except A, I, O and U: so ids contain no words, and the log tools of
 * Postfix take them for its long ids.
 *
 * A slot's file is queue/XX/NNNNNN below queue_directory: NNNNNN is the
 * number in six digits, XX the third and fourth of them, so that 1024 slots
 * in a row share a folder.
 */
#ifndef QUEUE_ID_H
#define QUEUE_ID_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_ID_SIZE 18	/* with the NUL */
#define QUEUE_PATH_SIZE 24	/* with the NUL */
#define QUEUE_SLOT_MAX ((1u << 30) - 1)
#define QUEUE_SLOTS_PER_DIR 1024

/* The id of a message that came at TIME_US (since 1970) into SLOT. */
void queue_id_make(char out[QUEUE_ID_SIZE], int64_t time_us, uint32_t slot);

/* The slot of ID; false if ID is not one. */
bool queue_id_slot(const char *id, uint32_t *slot);

/* "queue/XX/NNNNNN", or with the last part left out "queue/XX". */
void queue_slot_path(char out[QUEUE_PATH_SIZE], uint32_t slot);
void queue_slot_dir(char out[QUEUE_PATH_SIZE], uint32_t slot);

/* The slot whose file is called NAME; false if it is not such a name. */
bool queue_slot_from_name(const char *name, uint32_t *slot);

#endif
