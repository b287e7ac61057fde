/*
 * What SORT sorts by (RFC 5256): criteria, and for each message a row with one
 * value for each of them.
 */
#ifndef IMAPD_SORT_H
#define IMAPD_SORT_H

#include "imapd/args.h"
#include "imapd/session.h"

#define SORT_CRITERIA_MAX 16

struct sort_criterion {
	const struct sort_by *by;
	bool reverse;
};

struct sort {
	struct session *s;
	struct arena *arena; /* of the values */
	struct sort_criterion criterion[SORT_CRITERIA_MAX];
	size_t n;
	struct buf value; /* work space */
	struct buf text;
};

struct sort_value {
	int64_t number;
	const char *text; /* NULL if it is a number */
};

struct sort_row {
	const struct sort *sort;
	uint32_t seq;
	unsigned score;
	struct sort_value *value;
};

/* Reads the list of criteria at A. False: there are none, or too many, or one
 * is unknown. sort_end frees the work space. */
bool sort_begin(struct sort *sort, struct session *s, const struct arg *a);
void sort_end(struct sort *sort);

/* Makes COPY, with values in ARENA, that also ends with sort_end. FROM may be
 * NULL: by nothing. */
void sort_copy(struct sort *copy, const struct sort *from, struct session *s,
	       struct arena *arena);

/* Is the relevance of messages among its criteria? */
bool sort_is_by_relevancy(const struct sort *sort);

/* Fills ROW with what the message SEQ, of the relevance SCORE, is sorted by, in
 * the command's memory. What cannot be read is empty. */
void sort_fill(struct sort *sort, uint32_t seq, unsigned score,
	       struct sort_row *row);

/* For qsort(3), of struct sort_row. */
int sort_compare(const void *a, const void *b);

#endif
