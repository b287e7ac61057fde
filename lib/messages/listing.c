#include "messages/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FILES_MAX 20000000u

void listing_init(struct listing *l, unsigned dirs)
{
	memset(l, 0, sizeof(*l));
	buf_init(&l->names, UINT32_MAX);
	l->dirs = dirs;
}

int listing_add(struct listing *l, const struct listing_file *f,
		const char *text)
{
	struct listing_file file = *f;

	if (l->n == FILES_MAX)
		return err_set(ERR_LIMIT, "over %u files in a folder",
			       FILES_MAX);
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->file = mem_resize(l->file, l->room, sizeof(*l->file));
	}
	file.text = (uint32_t)l->names.len;
	buf_put(&l->names, text, strlen(text) + 1);
	if (l->names.over)
		return err_set(ERR_LIMIT, "too many names in a folder");
	l->file[l->n++] = file;
	return ERR_OK;
}

const char *listing_name(const struct listing *l, size_t i)
{
	return l->names.data + l->file[i].text;
}

void listing_free(struct listing *l)
{
	free(l->file);
	buf_free(&l->names);
	memset(l, 0, sizeof(*l));
}
