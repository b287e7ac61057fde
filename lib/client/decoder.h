/*
 * Commands that make text of attachments (fts_decoder), and the questions to
 * the program `decoder`, which runs them: it gets the bytes of a part and gives
 * UTF-8. It is not told whose they are, only a number that all questions for one
 * user have, so that none keeps the others out. posthorn-protocol(7).
 */
#ifndef CLIENT_DECODER_H
#define CLIENT_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define DECODERS_MAX 64	    /* rows */
#define DECODER_ARGS_MAX 32 /* words of a command */
#define DECODER_INPUT_MAX (64u << 20)
#define DECODER_TEXT_MAX (4u << 20) /* the rest of a longer text is cut off */

/* "application/pdf .pdf: /usr/bin/pdftotext - -" */
struct decoder {
	struct strlist names; /* types, and ends of file names, with a dot */
	struct strlist words; /* the command's */
	char *argv[DECODER_ARGS_MAX + 1]; /* the same, then NULL */
	uint32_t key;	      /* of the command, to be asked with */
	uint32_t made_by;     /* … and of its file as it was when the table was
			       * read: texts of another one are not its */
};

struct decoders {
	struct decoder row[DECODERS_MAX];
	size_t n;
	char *socket;	  /* where to ask */
	uint32_t made_by; /* of all */
};

/* Reads the items of fts_decoder. RUN is run_directory. False, and one line in
 * FAULTS each: some are wrong. Never freed. */
bool decoders_read(struct decoders *d, const struct strlist *items,
		   const char *run, struct buf *faults);

/* The row for a part of TYPE "application/pdf", called NAME (or NULL), which
 * counts if the type says nothing. NULL: there is none. */
const struct decoder *decoders_find(const struct decoders *d, const char *type,
				    const char *name);

/* The row with KEY, or NULL. */
const struct decoder *decoders_get(const struct decoders *d, uint32_t key);

/* Appends to OUT the text that ROW makes of DATA, N, for the user ASKER. Waits
 * for half a minute at most. ERR_UNSUPPORTED: it makes none of it, now and
 * tomorrow; ERR_TEMP: nobody can say. */
int decoder_ask(const struct decoders *d, const struct decoder *row,
		uint64_t asker, const char *data, size_t n,
		struct buf *out) MUST_CHECK;

#endif
