#include "mailbox/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define FILES_MAX 20000000u

static int add(struct listing *l, unsigned dir, const char *text)
{
	struct listing_file file = { .dir = (uint8_t)dir };

	if (!name_parse(text, &file.name))
		return ERR_OK;
	if (l->n == FILES_MAX)
		return ERR_LIMIT;
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->file = mem_resize(l->file, l->room, sizeof(*l->file));
	}
	file.text = (uint32_t)l->names.len;
	buf_put(&l->names, text, strlen(text) + 1);
	if (l->names.over)
		return ERR_LIMIT;
	l->file[l->n++] = file;
	return ERR_OK;
}

static int read_dir(struct listing *l, struct folder *f, unsigned dir)
{
	static const char *const names[DIRS] = DIR_NAMES;
	struct dirent *entry;
	int code = ERR_OK;
	DIR *d;
	/* Not a copy of ours: those share one position. */
	int fd = openat(f->dir, names[dir],
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_from_errno(errno);
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return ERR_IO;
	}
	errno = 0;
	while (!code && (entry = readdir(d)))
		code = add(l, dir, entry->d_name);
	if (!code && errno)
		code = err_from_errno(errno);
	closedir(d);
	return code;
}

int listing_read(struct listing *l, struct folder *f, unsigned dirs)
{
	unsigned d;
	int code;

	memset(l, 0, sizeof(*l));
	buf_init(&l->names, UINT32_MAX);
	l->dirs = dirs;
	code = folder_times(f, BOTH_DIRS, l->before);
	for (d = 0; !code && d < DIRS; d++)
		if (dirs & 1u << d)
			code = read_dir(l, f, d);
	return code;
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
