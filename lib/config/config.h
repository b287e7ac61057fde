/*
 * posthorn.conf: `name = value` lines; a line that begins with white space
 * continues the one before, `#` begins a comment line, `include FILE` reads
 * another file, `$name` or `${name}` in a value stands for another parameter's
 * value.
 *
 * Every parameter is one row of the table in config/params.c: name, type,
 * default, range, help. Parsing, `posthorn config`, posthorn.conf(5) and the
 * error messages come from these rows. All faults of a file are reported, each
 * with file, line and the nearest known name.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum config_type {
	CONFIG_STRING,
	CONFIG_BOOL,	/* yes, no */
	CONFIG_INT,
	CONFIG_SECONDS,	/* 30s, 5m, 2h, 1d, 1w; bare numbers are seconds */
	CONFIG_BYTES,	/* 10k, 50M; bare numbers are bytes */
	CONFIG_LIST,	/* words separated by commas and white space */
	CONFIG_CHOICE	/* one of the words in `range` */
};

struct config_param {
	const char *name;
	enum config_type type;
	const char *value;	/* the default, may contain $name */
	const char *range;	/* "MIN-MAX" for numbers, words for choices */
	const char *group;	/* heading in the manual */
	const char *help;	/* one or two sentences */
};

/* The table, in alphabetical order, ended by a NULL name. */
extern const struct config_param config_params[];

struct config;

/* Reads PATH (NULL: only defaults) and then the OVERRIDES[N] "name=value".
 * On any fault *FAULTS gets one line each and the result is NULL; the buffer
 * is initialised by the caller. Warnings are not faults. */
struct config *config_load(const char *path, const char *const *overrides,
			   int n, struct buf *faults);

/* The same for commands for a suite that runs with an earlier state of the
 * file: a faulty parameter has its default. NULL only if PATH itself cannot be
 * read. */
struct config *config_load_anyway(const char *path, struct buf *faults);
void config_free(struct config **c);

/* C as a file in memory that nobody can change (memfd_create(2)): what master
 * accepted, for the services that it starts. *FD is it, or -1 with an error. */
MUST_CHECK int config_seal(const struct config *c, int *fd);

/* The configuration in such a file. The file position is neither used nor
 * moved: others read it at the same time. FD stays open. No other file is
 * read. NULL with lines in FAULTS if FD is not a complete configuration. */
struct config *config_unseal(int fd, struct buf *faults);

/* Values, expanded. A name that is not in the table, or is asked for as a type
 * that it does not have, is a bug: the process aborts. Strings live as long as
 * the config. */
const char *config_string(const struct config *c, const char *name);
bool config_bool(const struct config *c, const char *name);
int64_t config_int(const struct config *c, const char *name);
int64_t config_seconds(const struct config *c, const char *name);
int64_t config_bytes(const struct config *c, const char *name);
const struct strlist *config_list(const struct config *c, const char *name);

/* The text as set or by default: unexpanded, and where it was set ("" if
 * it is the default). For `posthorn config`. */
const char *config_raw(const struct config *c, const char *name);
const char *config_origin(const struct config *c, const char *name);

#endif
