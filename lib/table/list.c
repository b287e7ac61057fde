/* The tables of one parameter, of table/table.h. */
#include "table/table.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

bool table_list_open(struct table_list *l, const struct strlist *specs,
		     bool targets, struct buf *faults)
{
	bool good = true;

	l->n = 0;
	l->table = mem_array(specs->n ? specs->n : 1, sizeof(*l->table));
	for (size_t i = 0; i < specs->n; i++) {
		struct table *t = table_open(specs->item[i], targets, faults);

		if (t)
			l->table[l->n++] = t;
		else
			good = false;
	}
	return good;
}

void table_list_free(struct table_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		table_free(&l->table[i]);
	free(l->table);
	*l = (struct table_list){ 0 };
}

static int get(const struct table_list *l, const char *key, bool part,
	       struct buf *value, struct table **from)
{
	bool unsure = false;

	for (size_t i = 0; i < l->n; i++) {
		int err;

		if ((part || unsure) && table_is_pattern(l->table[i]))
			continue;
		err = table_get(l->table[i], key, value);
		if (err == ERR_UNSURE)
			unsure = true;
		if (err == ERR_NOT_FOUND || err == ERR_UNSURE)
			continue;
		if (from)
			*from = l->table[i];
		return err;
	}
	return unsure ? ERR_UNSURE : ERR_NOT_FOUND;
}

int table_list_get(const struct table_list *l, const char *key,
		   struct buf *value, struct table **from)
{
	return get(l, key, false, value, from);
}

int table_list_get_part(const struct table_list *l, const char *key,
			struct buf *value, struct table **from)
{
	return get(l, key, true, value, from);
}
