/*
 * A configuration as a sealed file in memory, with four texts for each
 * parameter, each ended by a NUL: its name, its value as set, where it was
 * set, and its value expanded. An empty text ends the file, so that a part of
 * it is never taken for the whole.
 *
 * All services have the same open file, and start at the same time: it is read
 * with pread, since they share the file position.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/value.h"

#define SEALED_MAX_BYTES (64 << 20)

static void put(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text) + 1);
}

/* A file in memory with what B holds. */
static int make_file(const struct buf *b, int *made)
{
	int fd = memfd_create("posthorn.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err = fd < 0 ? err_sys("make", "a file in memory") : ERR_OK;

	if (!err && b->over)
		err = err_set(ERR_TOO_LONG, "the configuration is too large");
	if (!err)
		err = file_write(fd, b->data, b->len);
	if (!err)
		err = file_seal(fd);
	if (err && fd >= 0)
		close(fd);
	*made = err ? -1 : fd;
	return err;
}

int config_seal(const struct config *c, int *fd)
{
	struct buf b;
	int err;

	buf_init(&b, SEALED_MAX_BYTES);
	for (int i = 0; config_params[i].name; i++) {
		const struct config_value *v = config_value(c, i);

		put(&b, v->param->name);
		put(&b, v->raw);
		put(&b, v->origin);
		put(&b, v->text);
	}
	put(&b, "");
	err = make_file(&b, fd);
	buf_free(&b);
	return err;
}

/* The text at *AT, which moves past it; NULL at the end. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul =
		text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

/* A parameter that this program does not know, or does not find, is from
 * another version: during an upgrade the old master is still running. */
static bool take_texts(struct config *c, const char *at, const char *end)
{
	const char *t[4];
	int row;

	while ((t[0] = next_text(&at, end)) && t[0][0]) {
		for (int i = 1; i < 4; i++)
			if (!(t[i] = next_text(&at, end)))
				return false;
		row = config_find(t[0]);
		if (row >= 0)
			config_set(c, row, t[1], t[2], t[3]);
	}
	return t[0] && at == end;
}

/* All of FD, whatever the shared file position is. */
static bool read_all(int fd, struct buf *b)
{
	struct stat st;
	char *to;

	if (fstat(fd, &st) < 0 || st.st_size > SEALED_MAX_BYTES)
		return false;
	to = buf_room(b, (size_t)st.st_size);
	if (file_pread(fd, to, (size_t)st.st_size, 0))
		return false;
	buf_added(b, (size_t)st.st_size);
	return true;
}

struct config *config_unseal(int fd, struct buf *faults)
{
	struct config *c = config_defaults();
	struct buf b;
	size_t before = faults->len;

	buf_init(&b, SEALED_MAX_BYTES);
	if (!file_is_sealed(fd) || !read_all(fd, &b) ||
	    !take_texts(c, b.data, b.data + b.len))
		buf_puts(faults, "the configuration that master gave cannot "
				 "be read\n");
	buf_free(&b);
	config_finish(c, faults);
	if (faults->len > before)
		config_free(&c);
	return c;
}
