/* Between the files of lib/config: one parameter's value. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/config.h"

struct config_value {
	const struct config_param *param;
	char *raw;	/* as set, or the default */
	char *origin;	/* "file:line", or "" for the default */
	char *text;	/* expanded */
	int64_t number;
	struct strlist list;
	bool expanding;
};

/* A configuration in which every parameter has its default, unexpanded. */
struct config *config_defaults(void);

/* Sets the parameter ROW: its text as set, where that was, and expanded. */
void config_set(struct config *c, int row, const char *raw, const char *origin,
		const char *text);

/* Expands what is not expanded yet, and checks each value against its row. */
void config_finish(struct config *c, struct buf *faults);

/* The parameter ROW. */
const struct config_value *config_value(const struct config *c, int row);

/* The row's place in the table, or -1. */
int config_find(const char *name);

/* The known name nearest to NAME, or NULL if none is near. */
const char *config_nearest(const char *name);

/* Checks V->text against the row and fills number and list. False, and one
 * line in FAULTS, if it is invalid. */
bool config_check(struct config_value *v, struct buf *faults);

#endif
