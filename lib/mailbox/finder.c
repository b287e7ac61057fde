#include "mailbox/finder.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void finder_begin(struct finder *f, struct messages *ms)
{
	memset(f, 0, sizeof(*f));
	f->ms = ms;
}

void finder_end(struct finder *f)
{
	free(f->ref);
	f->ref = NULL;
	f->n = 0;
	listing_free(&f->l);
}

int finder_by_base(const void *a, const void *b)
{
	const struct message_ref *x = a, *y = b;
	int order = memcmp(x->base, y->base,
			   x->nbase < y->nbase ? x->nbase : y->nbase);

	return order ? order : (x->nbase > y->nbase) - (x->nbase < y->nbase);
}

static bool list(struct finder *f)
{
	size_t i;

	finder_end(f);
	if (messages_list(f->ms, BOTH_DIRS, &f->l) != ERR_OK)
		return false;
	f->n = f->l.n;
	f->ref = mem_array(f->n + 1, sizeof(*f->ref));
	for (i = 0; i < f->n; i++) {
		const struct listing_file *file = &f->l.file[i];
		const char *text = listing_name(&f->l, i);

		f->ref[i] = (struct message_ref){ text, file->nbase, file->dir,
						  file->letters, text };
	}
	qsort(f->ref, f->n, sizeof(*f->ref), finder_by_base);
	return true;
}

bool finder_find(struct finder *f, bool anew, const struct message_ref *what,
		 struct message_ref *now)
{
	const struct message_ref *found;

	if ((anew || !f->ref) && !list(f))
		return false;
	found = bsearch(what, f->ref, f->n, sizeof(*f->ref), finder_by_base);
	if (found)
		*now = *found;
	return found != NULL;
}
