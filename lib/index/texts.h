/*
 * Texts of a folder's attachments, as commands made them (client/decoder.h), in
 * one file, appended one after the other, in any order. Disposable: a text is
 * used only if the checksums of its head and of itself are right, and it names
 * the message, the part, and the command that it is of.
 */
#ifndef INDEX_TEXTS_H
#define INDEX_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "index/signature.h"

/* As it is in the file; then the text, and zeros up to a multiple of 8. */
struct texts_head {
	uint32_t magic;
	uint32_t crc;	  /* over the head, this field taken as 0 */
	uint32_t made_by; /* struct decoder */
	uint32_t part;	  /* where its body begins in the message */
	struct signature_of of;
	int64_t failed; /* when the command made no text of it, in seconds since
			 * 1970; 0: it made one */
	uint32_t n;
	uint32_t text_crc;
};

/* Appends TEXT, N to OUT with H as its head, in which magic, n and the checksums
 * are filled in. */
void texts_put(struct buf *out, struct texts_head *h, const char *text, size_t n);

/* Reading the heads of the file FD, which stays the caller's, from AT on. */
struct texts_walk {
	int fd;
	off_t at;  /* of the next */
	off_t end; /* the file's */
	struct texts_head head;
	off_t place; /* of its text */
};

void texts_walk(struct texts_walk *w, int fd, off_t at);
/* False at the end, or where something comes that is none: w->at says where. */
bool texts_next(struct texts_walk *w);

/* The bytes in the file of a text of N bytes with its head. */
off_t texts_size(uint32_t n);

/* Appends the text of H at PLACE to B; false if it is not there. */
bool texts_read(int fd, const struct texts_head *h, off_t place, struct buf *b);

#endif
