/*
 * The arguments of a command: the grammar below all commands (RFC 3501
 * section 9: atoms, strings, lists), parsed from the text that the reader
 * assembled. Strings hold no NUL, unless a client announces that with "~{n}";
 * all memory is from the command's arena.
 */
#ifndef IMAPD_ARGS_H
#define IMAPD_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum arg_type {
	ARG_END, /* ends every list */
	ARG_ATOM,
	ARG_STRING, /* quoted or literal */
	ARG_BINARY, /* a literal8 (RFC 3516): any bytes, NUL too */
	ARG_LIST,
	ARG_OPEN, /* the parentheses of lists, if they are to stay flat */
	ARG_CLOSE
};

struct arg {
	enum arg_type type;
	const char *s; /* atoms and strings; a NUL follows them */
	size_t n;
	struct arg *list; /* lists, ended by ARG_END */
	bool glued;	  /* no space before it */
};

struct args_limits {
	int depth;   /* of nested lists */
	size_t args; /* in all */
	bool utf8;   /* quoted strings are valid UTF-8 (RFC 6855) */
	bool flat;   /* a list is ARG_OPEN, its items, ARG_CLOSE: for lines
		      * that a literal divides */
};

/* Parses TEXT, N. Gives the top list, or NULL with *WHY for the client. */
struct arg *args_parse(struct arena *a, const char *text, size_t n,
		       const struct args_limits *limits, const char **why);

/* Is the argument the atom WORD, case folded? */
bool arg_is(const struct arg *a, const char *word);

/* An astring's value, or NULL if the argument is not one. */
const char *arg_astring(const struct arg *a);

/* A number from MIN up to 63 bits, as mod-sequences have. */
bool arg_number(const struct arg *a, int64_t min, uint64_t *n);

/* May an atom hold C (RFC 3501 section 9, ATOM-CHAR)? */
bool args_atom_byte(char c);

/* How many arguments there are before the end. */
size_t args_count(const struct arg *a);

#endif
