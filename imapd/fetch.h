/*
 * FETCH: what was asked for (fetch-items.c), and sending a message's pieces
 * (fetch-body.c), decoded (fetch-binary.c) or as a preview (fetch-preview.c).
 */
#ifndef IMAPD_FETCH_H
#define IMAPD_FETCH_H

#include "imapd/range.h"
#include "imapd/session.h"
#include "imaptext/section.h"

enum fetch_what {
	FETCH_UID = 1 << 0,
	FETCH_FLAGS = 1 << 1,
	FETCH_INTERNALDATE = 1 << 2,
	FETCH_SIZE = 1 << 3,
	FETCH_ENVELOPE = 1 << 4,
	FETCH_BODY = 1 << 5,
	FETCH_BODYSTRUCTURE = 1 << 6,
	FETCH_SAVEDATE = 1 << 7,
	FETCH_PREVIEW = 1 << 8,
	FETCH_LAZY = 1 << 9, /* PREVIEW (LAZY) */
	FETCH_MODSEQ = 1 << 10,
	FETCH_EMAILID = 1 << 11,
	FETCH_THREADID = 1 << 12,
	FETCH_UID_TOO = 1 << 13 /* the UID, unless the response begins with it */
};

enum fetch_form {
	FETCH_AS_IS,
	FETCH_DECODED,	   /* BINARY[…] (RFC 3516) */
	FETCH_DECODED_SIZE /* BINARY.SIZE[…] */
};

/* One BODY[…]<…> or BINARY[…]<…>, or one of the three RFC822 forms. */
struct fetch_section {
	const char *label; /* as in the response */
	enum fetch_form form;
	struct imap_section section;
	struct strlist names; /* of HEADER.FIELDS; strings are the arena's */
	bool cached;	      /* all of the names are in the cache */
	bool partial;
	uint64_t from; /* offset and length of <from.length> */
	uint64_t length;
};

struct fetch {
	unsigned what;
	bool changed;		/* only messages that have changed since */
	uint64_t changed_since; /* this mod-sequence (RFC 7162) */
	bool vanished;		/* tell also which have vanished since */
	struct range part;	/* of the messages that there are (RFC 9394) */
	bool set_seen;		/* something is asked for without PEEK */
	struct fetch_section *section;
	size_t nsections;
};

/* Parses the items at A, in the command's memory. NULL, or what is wrong. */
const char *fetch_parse(struct session *s, const struct arg *a,
			struct fetch *f);

/* The tree of the message TEXT as the client knows it, in memory of A. */
const struct mime_part *fetch_tree(const struct session *s, struct arena *a,
				   const struct buf *text);

/* Sends what F asks for of the message at SEQ, unless it is gone. If it cannot
 * be read nothing is sent; but if it was sent in part, the session ends. */
void fetch_put(struct session *s, const struct fetch *f, uint32_t seq);

/* Puts " LABEL literal" for the message at SEQ into s->out, which holds the
 * response so far; a long one is sent piece by piece, and s->flushed set.
 * Gives a code: ERR_NOT_FOUND if the message is gone, ERR_UNSUPPORTED if its
 * encoding is unknown. */
int fetch_put_section(struct session *s, const struct fetch_section *sec,
		      uint32_t seq);

/* The same for a section that is not FETCH_AS_IS. */
int fetch_put_binary(struct session *s, const struct fetch_section *sec,
		     uint32_t seq);

/* Puts what is wanted of BODY and BODYSTRUCTURE, each followed by a space, for
 * a message with message/global in it, as only IMAP4rev2 shows that. */
int fetch_put_global(struct session *s, uint32_t seq, unsigned what);

/* Puts "PREVIEW string "; NIL if it is to be LAZY and would take long. */
int fetch_put_preview(struct session *s, uint32_t seq, bool lazy);

/* Makes s->body the text of the message at SEQ. */
int fetch_load(struct session *s, uint32_t seq);

/* Puts " LABEL string" with what SEC wants of DATA, N: as a literal8 if RAW. */
void fetch_put_piece(struct session *s, const struct fetch_section *sec,
		     const char *data, size_t n, bool raw);

/* Puts " LABEL NIL" (of a size 0) there: it has no such part, or is gone. */
void fetch_put_nil(struct session *s, const struct fetch_section *sec);

#endif
