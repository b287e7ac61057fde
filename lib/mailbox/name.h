/*
 * Names of message files: BASE[,key=value…][:2,FLAGS]. The base is what
 * stays when flags change. Ours are
 *     SECONDS.MmicrosecondsVuidvalidity.posthorn,S=size,W=wire,U=uid
 */
#ifndef MAILBOX_NAME_H
#define MAILBOX_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_BASE_MAX 200
#define NAME_SIZE 256

/* Flags in a name: bit 0 to 25 are a to z, then D F P R S T. */
enum {
	LETTER_D = 1u << 26,
	LETTER_F = 1u << 27,
	LETTER_P = 1u << 28,
	LETTER_R = 1u << 29,
	LETTER_S = 1u << 30,
};
#define LETTER_T (1u << 31)

struct name {
	size_t nbase;	   /* bytes of the base */
	uint32_t letters;  /* flags in the name */
	int64_t size;	   /* S=, or -1 */
	int64_t wire;	   /* W=, or -1 */
	uint32_t uid;	   /* U= if the name is ours, or 0 */
	uint32_t validity; /* of that UID */
};

/* Takes TEXT apart. False if it cannot be a message: hidden, or a base of
 * over NAME_BASE_MAX bytes. */
bool name_parse(const char *text, struct name *n);

/* Our base name for a message. */
void name_make(char *out, size_t size, int64_t now_us, uint32_t validity,
	       uint32_t uid, uint32_t bytes, uint32_t wire);

/* The whole name of the file: in `cur` with flags, in `new` without. */
void name_file(char out[NAME_SIZE], const char *base, size_t nbase,
	       unsigned dir, uint32_t letters);

/* Flags (enum mailbox_flag) that LETTERS stand for, and back: OLD's letters
 * that stand for no flag stay. */
unsigned name_flags(uint32_t letters);
uint32_t name_letters(uint32_t old, unsigned flags);

#endif
