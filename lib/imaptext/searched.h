/*
 * The text of a message that SEARCH compares (RFC 3501 section 6.4.4, BODY and
 * TEXT): fields with their encoded words decoded, and parts that are text, or
 * have one (struct searched_more), decoded to UTF-8, all as of mime_fold_case. HTML is searched as it is
 * written. Each field and each part ends with a line end, which no folded
 * text that is looked for has: so a match lies within one of them.
 */
#ifndef IMAPTEXT_SEARCHED_H
#define IMAPTEXT_SEARCHED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "mime/part.h"

/* What is looked for, as of mime_fold_case, and its longest word. */
struct needle {
	const char *text; /* the caller's */
	size_t n;
	const char *word;
	size_t nword;
	bool ascii; /* ASCII text can hold it */
};

void needle_init(struct needle *k, const char *text, size_t n);

/* Does the folded TEXT hold it? */
bool needle_is_in(const struct needle *k, const struct buf *text);

/* Who has text of parts that are none, such as documents. */
struct searched_more {
	/* The text of PART of the message DATA: *TEXT, *N, valid until the next
	 * call. False: it has none. *KNOWN becomes false if another time there
	 * may be another text, or any. */
	bool (*text)(void *context, const char *data,
		     const struct mime_part *part, const char **text,
		     size_t *n, bool *known);
	void *context;
};

/* What is searched: the message DATA with the tree ROOT. MORE may be NULL. */
struct searched {
	const char *data;
	const struct mime_part *root;
	const struct searched_more *more;
};

/* Appends the text of S: its header to HEADER, all else, with the headers of inner
 * parts, to BODY. False: another process may find more, since a charset is
 * unknown here, or a text, or the buffers are too small. */
bool searched_text(struct buf *header, struct buf *body,
		   const struct searched *s);

/* Does the body, or with HEADER the header or the body, hold K? This looks at the
 * message as it is and folds nothing, so it is not always sure. WORK is work
 * space. */
enum held { HELD_NOT, HELD_UNSURE, HELD };
enum held searched_held(const struct searched *s, bool header,
			const struct needle *k, struct buf *work);

#endif
