/*
 * What SEARCH and SORT found, and what RETURN says about it: which items the
 * ESEARCH response has (RFC 4731, 5267, 9394), and whether the result is kept
 * as "$" (RFC 5182). Without RETURN it is the plain response.
 */
#ifndef IMAPD_RESULT_H
#define IMAPD_RESULT_H

#include "imapd/range.h"
#include "imapd/search.h"
#include "imapd/session.h"
#include "imapd/sort.h"

enum {
	RESULT_MIN = 1 << 0,
	RESULT_MAX = 1 << 1,
	RESULT_ALL = 1 << 2,
	RESULT_COUNT = 1 << 3,
	RESULT_PARTIAL = 1 << 4,
	RESULT_SAVE = 1 << 5,
	RESULT_UPDATE = 1 << 6, /* keep the client informed (RFC 5267) */
	RESULT_CONTEXT = 1 << 7, /* a hint that we do not need */
	RESULT_RELEVANCY = 1 << 8 /* the scores (RFC 6203) */
};

struct result {
	struct session *s;
	const char *plain; /* the response without RETURN: "SEARCH"; NULL: as
			    * of RETURN () */
	unsigned wanted;   /* bits as above; 0: the plain response */
	struct range part;
	struct fetch *fetch; /* UPDATE (…): what to fetch of new ones (RFC 5465
			      * section 7), or NULL */
	bool by_modseq;	   /* MODSEQ was among the keys: see search.h */
	const char *where; /* of ESEARCH, which folder: the correlators of RFC
			    * 7377 section 2.1. Then nothing found is nothing
			    * told */
	uint32_t *seq;	   /* found, in their order, the command's memory */
	unsigned char *score; /* of each: search_score */
	size_t n;
};

/* Reads RETURN and its list, if that is what *A is, and moves *A behind them.
 * False, and the client is told:
 * it is not valid. */
bool result_begin(struct result *r, const struct arg **a);

/* Can what R asks for, sorted BY (or NULL), be said of what KEY finds? False, and
 * the client is told: scores are of FUZZY alone. */
bool result_fits(const struct result *r, const struct sort *by,
		 const struct search_key *key);

/* Makes room for all messages of the open folder. */
void result_room(struct result *r);

/* The command failed with NO: nothing is kept (RFC 5182 section 2.1). */
void result_failed(struct result *r);

/* Sends the response and keeps what is to be kept: the result of KEY, sorted
 * BY, or by nothing if that is NULL. */
void result_send(struct result *r, const struct sort *by,
		 struct search_key *key);

#endif
