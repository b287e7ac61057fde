/* The drop folder after a power cut: mail of local programs. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "mime/crlf.h"
#include "intake/posting.h"
#include "t/crash/check-parts.h"

/* TEXT has lines that end with LF alone. */
static void see_text(struct check *c, const char *name, const struct buf *text)
{
	char token[WORD];
	struct buf wire;
	bool whole;

	buf_init(&wire, 64 << 20);
	mime_put_crlf(&wire, 0, text->data, text->len);
	if (!fact_token(wire.data, wire.len, token, &whole) || !whole)
		check_fail(c, "half: %s in the drop folder", name);
	else if (!fact_mail(c->f, token, NULL))
		check_fail(c, "invented: %s in the drop folder", token);
	else
		check_pending(c, token);
	buf_free(&wire);
}

static void see_file(struct check *c, int dir, const char *name)
{
	struct arena *a = arena_new();
	struct envelope e;
	struct buf text;
	off_t at, length;
	int fd = openat(dir, name, O_RDONLY);
	int code = fd < 0 ? ERR_IO : posting_read(a, fd, &e, &at, &length);
	char *p = NULL;

	buf_init(&text, 64 << 20);
	if (!code)
		p = buf_room(&text, (size_t)length);
	if (p && !(code = file_pread(fd, p, (size_t)length, at)))
		buf_added(&text, (size_t)length);
	if (code)
		check_fail(c, "half: %s in the drop folder: %s", name,
			   err_text(code));
	else
		see_text(c, name, &text);
	buf_free(&text);
	arena_free(&a);
	if (fd >= 0)
		close(fd);
}

void check_drop(struct check *c)
{
	DIR *d = opendir("drop");
	struct dirent *e;

	if (!d)
		check_fail(c, "the drop folder is not there");
	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, POSTING_DROP_PREFIX,
			    strlen(POSTING_DROP_PREFIX)) == 0)
			see_file(c, dirfd(d), e->d_name);
	if (d)
		closedir(d);
}
