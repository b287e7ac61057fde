/*
 * SEARCH (RFC 3501 section 6.4.4): the keys as a tree, and matching a message
 * against it, cheap keys first.
 */
#ifndef IMAPD_SEARCH_H
#define IMAPD_SEARCH_H

#include "imapd/date.h"
#include "imapd/session.h"
#include "imapd/set.h"
#include "imaptext/fuzzy.h"
#include "imaptext/searched.h"

enum search_type {
	SEARCH_ALL,
	SEARCH_FLAG,	/* all bits of `flags` are set */
	SEARCH_KEYWORD, /* a bit of `keywords` is set */
	SEARCH_RECENT,
	SEARCH_NEW,	/* recent and not seen */
	SEARCH_NUMBER,	/* in `set`, by sequence number */
	SEARCH_UID,	/* in `set`, by UID */
	SEARCH_AFTER,	/* a UID above `size` */
	SEARCH_EARLIER, /* below it */
	SEARCH_MODSEQ,	/* changed at `modseq` or later */
	SEARCH_LARGER,
	SEARCH_SMALLER,
	SEARCH_BEFORE, /* INTERNALDATE against `day` */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SAVEDBEFORE, /* the same of SAVEDATE */
	SEARCH_SAVEDON,
	SEARCH_SAVEDSINCE,
	SEARCH_OLDER, /* INTERNALDATE against `when` */
	SEARCH_YOUNGER,
	SEARCH_SENTBEFORE, /* Date field against `day` */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_HEADER,	/* field `name` holds `text` */
	SEARCH_ADDRESS, /* … in one of its addresses, as ENVELOPE shows them */
	SEARCH_EMAILID, /* `text`, as it is, is it */
	SEARCH_THREADID,
	SEARCH_BODY,	/* `text` in the body */
	SEARCH_TEXT,	/* or in the header */
	SEARCH_AND,	/* all of `child` */
	SEARCH_OR	/* one of `child` */
};

struct search_key {
	enum search_type type;
	bool not ;
	int cost;		  /* 0: the table … 3: the message's text */
	struct search_key *child; /* linked by `next` */
	struct search_key *next;
	struct set set;
	unsigned flags;
	uint64_t keywords;
	uint32_t size;
	bool moving; /* what it means depends on the time, or on which message
		      * is the last */
	uint64_t modseq;
	bool by_modseq; /* of the whole: MODSEQ is among the keys */
	bool by_score;	/* likewise FUZZY */
	const struct fuzzy *like; /* what is like `text` matches too, or NULL */
	date_day day;
	int64_t when; /* seconds since 1970 */
	const char *name;
	struct needle text; /* of SEARCH_EMAILID, SEARCH_THREADID as it is */
	unsigned number;    /* among those for BODY and TEXT, from 0 */
};

/* Parses the keys at A, in CHARSET. NULL, and the client is told, if they
 * are wrong. MODSEQ among them enables CONDSTORE; if the result is not empty,
 * its highest mod-sequence has to be told (RFC 7162 section 3.1.5). Numbers of
 * messages among them set s->by_number. */
struct search_key *search_parse(struct session *s, const struct arg *a,
				const char *charset);

/* The name of a charset at A, known; false, and the client is told, if not. */
bool search_charset(struct session *s, const struct arg *a,
		    const char **charset);

/* One search: of one folder, for one tree of keys. Where many messages have to be
 * read for their text, signatures are asked which need not be. */
struct search;
struct search *search_new(struct session *s);
/* Tells the client if messages could not be read, and so did not match. */
void search_tell_unread(const struct search *m);
/* Does the message at SEQ match? */
bool search_match(struct search *m, const struct search_key *key, uint32_t seq);
/* How relevant is that message, 1 to 100 (RFC 6203)? */
unsigned search_score(const struct search *m);
/* How well does the folded TEXT hold what KEY asks for? 100: as it is; 0: not at
 * all. WORK is work space. */
unsigned search_holds(const struct search_key *key, const struct buf *text,
		      struct buf *work);
/* All messages that match into R; if only the first is wanted, that one. */
struct result;
void search_all(struct search *m, const struct search_key *key,
		struct result *r);
void search_free(struct search **m);

/* How well does an address in the field's VALUE, N, as ENVELOPE shows it, hold
 * what KEY asks for? As search_holds. TEXT, FOLDED and WORK are work space. */
unsigned search_address(const char *value, size_t n,
			const struct search_key *key, struct buf *text,
			struct buf *folded, struct buf *work);

#endif
