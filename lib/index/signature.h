/*
 * Signatures of a folder's messages: for each message a set of bits that says
 * which three bytes in a row may occur in the text that SEARCH compares
 * (imaptext/searched.h). A needle with three bytes that do not occur is not in
 * the message. So signatures exclude messages from a search, and never say that
 * one matches.
 *
 * They are in one file, appended one after the other, in any order. Disposable:
 * a signature is used only if its checksum is right, and it names the message
 * and was made by this version with these libraries. A message without one is
 * searched.
 */
#ifndef INDEX_SIGNATURE_H
#define INDEX_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Which message: a UID, a size and a name never belong to another content. */
struct signature_of {
	uint32_t validity;
	uint32_t uid;
	uint32_t size;
	uint32_t name; /* CRC-32C of its base name */
};

/* As it is in the file; then the bits, in words of 64. */
struct signature {
	uint32_t magic;
	uint32_t crc; /* over all of it, this field taken as 0 */
	uint32_t made_by;
	uint32_t words; /* 0: excludes nothing */
	struct signature_of of;
};

#define SIGNATURE_WORDS_MAX (1u << 14)
#define SIGNATURE_MAX \
	(sizeof(struct signature) + SIGNATURE_WORDS_MAX * sizeof(uint64_t))

/* Texts above this are not signed, which bounds memory. */
#define SIGNATURE_TEXT_MAX (16u << 20)

/* What makes signatures: this version, these libraries, and MORE, which stands
 * for all else on which the text of a message depends. Those that others made
 * may lack what would now be in the text. */
uint32_t signature_maker(uint32_t more);

/* Work space for making them, as MAKER. */
struct signer;
struct signer *signer_new(uint32_t maker);
void signer_free(struct signer **s);

/* Appends the signature of a message with the text HEADER and BODY, both folded,
 * to OUT. Of a text that is not WHOLE, because some of it could not be decoded,
 * or that has too much in it, one that excludes nothing. */
void signer_put(struct signer *s, struct buf *out,
		const struct signature_of *of, const struct buf *header,
		const struct buf *body, bool whole);

/* What a needle asks of a signature. */
#define PROBE_MAX 32
struct probe {
	uint32_t gram[PROBE_MAX];
	unsigned n; /* 0: the needle is too short to exclude anything */
};

void probe_init(struct probe *p, const char *needle, size_t n);

/* Does the message of S not hold the needle? False is no answer. */
bool signature_lacks(const struct signature *s, const struct probe *p);

/* Reading the file FD, which stays the caller's, from its beginning. */
struct signature_walk {
	int fd;
	off_t at; /* of the next */
	size_t next;
	struct buf read;
};

void signature_walk(struct signature_walk *w, int fd);
/* The next signature, valid until the next call, or NULL at the end, or where
 * something comes that is none: w->at says where. */
const struct signature *signature_next(struct signature_walk *w);
void signature_walk_end(struct signature_walk *w);

#endif
