/*
 * The id of a mail folder: it is the same in every process and, even through a
 * rename, until the folder is deleted. The store of its messages gives it
 * (messages/messages.h), and nobody else knows what it is made of; others
 * compare it, pass it on and print it.
 */
#ifndef BASE_FOLDER_ID_H
#define BASE_FOLDER_ID_H

#include <stdbool.h>
#include <stdint.h>

struct folder_id {
	uint64_t high;
	uint64_t low;
};

#define FOLDER_ID_SIZE 33 /* of its text, with the NUL */

/* What a session shows to the program that is to watch a folder for it: the
 * store's proof that it may. What FD is only the store knows; -1: this folder
 * cannot be watched. */
struct folder_token {
	struct folder_id id;
	int fd;
};

/* For a token that is the caller's own. */
void folder_token_end(struct folder_token *t);

bool folder_id_equal(struct folder_id a, struct folder_id b);

/* To text, 32 lower-case hexadecimal digits, and back; false if TEXT (may be
 * NULL) is not an id. */
void folder_id_text(struct folder_id id, char out[FOLDER_ID_SIZE]);
bool folder_id_read(const char *text, struct folder_id *id);

#endif
