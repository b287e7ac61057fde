#include "imapd/id.h"

#include "base/str.h"

#define PAIRS_MAX 30
#define NAME_MAX_BYTES 30
#define VALUE_MAX 1024

/* Atoms are taken for strings: clients write both. */
static bool is_string(const struct arg *a, size_t max)
{
	return arg_astring(a) && a->n <= max;
}

const char *id_check(const struct arg *a)
{
	size_t n;

	if (a[0].type == ARG_END || a[1].type != ARG_END ||
	    (a->type != ARG_LIST && !arg_is(a, "NIL")))
		return "ID takes a list or NIL.";
	if (a->type != ARG_LIST)
		return NULL;
	n = args_count(a->list);
	if (n % 2 != 0 || n > 2 * PAIRS_MAX)
		return "ID takes pairs, 30 at most.";
	for (a = a->list; a->type != ARG_END; a += 2)
		if (!is_string(&a[0], NAME_MAX_BYTES) ||
		    !is_string(&a[1], VALUE_MAX))
			return "ID takes names of 30 and values of 1024 bytes.";
	return NULL;
}

const char *id_value(const struct arg *a, const char *name)
{
	if (a->type != ARG_LIST)
		return NULL;
	for (a = a->list; a->type != ARG_END; a += 2)
		if (str_equal_ci(arg_astring(&a[0]), name))
			return arg_astring(&a[1]);
	return NULL;
}
