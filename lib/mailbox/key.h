/*
 * Keys of deliveries: queue id and recipient as one number, kept with the
 * message in the journal, so that a second delivery is recognised.
 */
#ifndef MAILBOX_KEY_H
#define MAILBOX_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "mailbox/folder.h"

/* 0 if there is no queue id. */
uint64_t key_make(const char *queue_id, const char *recipient);

/* Was KEY delivered at SINCE_US or later, and kept? Then its UID. A delivery
 * that was recorded but whose file is not there in full does not count. Looks
 * only at records since then: none, mostly. Under the lock. */
bool key_find(struct folder *f, uint64_t key, int64_t since_us, uint32_t *uid);

#endif
