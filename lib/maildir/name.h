/*
 * Names of message files: BASE[,key=value…][:2,FLAGS]. The base is what
 * stays when flags change. Ours are as message_base (messages/messages.h)
 * makes them.
 */
#ifndef MAILDIR_NAME_H
#define MAILDIR_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "messages/listing.h"
#include "messages/messages.h"

#define NAME_BASE_MAX MESSAGE_BASE_MAX
#define MAILDIR_NAME_SIZE 256 /* of a whole name, with the NUL */

/* Parses TEXT into N, except `text`, `dir` and `spelt`. False if it cannot be
 * a message: hidden, or a base of over NAME_BASE_MAX bytes. */
bool name_parse(const char *text, struct listing_file *n);

/* The whole name of the file: in `cur` with flags, in `new` without. */
void name_file(char out[MAILDIR_NAME_SIZE], const char *base, size_t nbase,
	       unsigned dir, uint32_t letters);

#endif
