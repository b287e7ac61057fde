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

/* The row's place in the table, or -1. */
int config_find(const char *name);

/* The known name that is most like NAME, or NULL if none is near. */
const char *config_nearest(const char *name);

/* Checks V->text against the row, fills number and list. False and one line
 * in FAULTS if it does not fit. */
bool config_check(struct config_value *v, struct buf *faults);

#endif
