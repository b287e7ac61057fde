/*
 * Changes to an incoming message, for policies of the stages HEADER, BODY and
 * END. They are noted when requested, and made after all rows of END were
 * asked, before the message is signed: so every row sees the message as it
 * came. The content is not copied for them, unless its body changes: a changed
 * header is written over the former one, into room before the body
 * (queue_replace_head in qmgr/receive.h).
 */
#ifndef INTAKE_EDIT_H
#define INTAKE_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "intake/header.h"

struct intake;

/* The fields, to be read and changed (intake/header.h), including ours: the
 * first one is the Received field that we added. */
struct intake_header *intake_header(struct intake *in);

/* At END: the message as it came, *LENGTH bytes from *OFFSET, the body from
 * *BODY; the descriptor is for reading only, and stays the intake's. -1 if it
 * cannot be read. */
int intake_file(struct intake *in, off_t *offset, off_t *length, off_t *body);

/* Begins a body that the message gets instead of its own, or of one that a
 * former row gave it; appends to it. Line ends are CRLF. False if it becomes
 * larger than message_size_limit. */
void intake_new_body(struct intake *in);
bool intake_put_body(struct intake *in, const void *data, size_t n);

/* Changes of the envelope: TEXT is an address, "" the null sender. False if it
 * is not an address; for the last function, if there is no such recipient. A
 * message that has lost all recipients when all rows were asked is
 * discarded. */
bool intake_change_sender(struct intake *in, const char *text);
bool intake_add_recipient(struct intake *in, const char *text);
bool intake_remove_recipient(struct intake *in, const char *text);

#endif
