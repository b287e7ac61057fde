/*
 * Sets of messages: "1,5:9,12:*" (RFC 3501 section 9, sequence-set).
 */
#ifndef IMAPD_SET_H
#define IMAPD_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imapd/session.h"

struct set_range {
	uint32_t from;
	uint32_t to; /* not below FROM */
};

struct set {
	struct set_range *range; /* ascending, apart from each other */
	size_t n;
};

/* Parses TEXT; "*" stands for LAST. Memory from A. False: not a set. */
bool set_parse(struct arena *a, const char *text, uint32_t last,
	       struct set *out);

/* Keeps the messages SEQ[N] as "$" (RFC 5182), in any order, some maybe
 * twice. */
void set_save(struct session *s, const uint32_t *seq, size_t n);

/* "$" as a set of UIDs, in the command's memory. */
void set_saved(struct session *s, struct set *out);

/* Is ARG "$"? */
bool set_is_saved(const struct arg *arg);

/* What a client that has enabled UIDONLY is told if it names numbers (RFC 9586
 * section 3). */
#define UIDREQUIRED "[UIDREQUIRED] Only UIDs, as you have enabled UIDONLY."

bool set_has(const struct set *set, uint32_t number);

/* The messages that ARG means in the current command, by number or by UID, as
 * ascending sequence numbers in the command's memory. False, and the client is
 * told, if it is not a set or a number is beyond the last message. UIDs that
 * do not exist are skipped, and so are messages of "$" that are gone. */
bool set_messages(struct session *s, const struct arg *arg, uint32_t **seq,
		  size_t *n);

/* Parses TEXT as a set in which "*" is not allowed. */
bool set_parse_known(struct arena *a, const char *text, struct set *out);

/* How many numbers it has. */
uint64_t set_count(const struct set *set);

/* Appends the set, which is not empty. */
void set_put_set(struct buf *out, const struct set *set);

/* What is in both, in memory from A. */
struct set set_meet(struct arena *a, const struct set *x, const struct set *y);

/* Appends NUMBER[N] (ascending runs are joined) as a set, order kept. */
void set_put(struct buf *out, const uint32_t *number, size_t n);

#endif
