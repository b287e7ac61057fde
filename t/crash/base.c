#include "t/crash/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "t/crash/disk.h"
#include "t/crash/record.h"

struct base {
	int fd;
	bool end;
};

static void put(const struct base *b, struct record_entry *e, const char *name,
		const struct buf *data)
{
	struct iovec iov[] = { { e, sizeof(*e) },
			       { (void *)(uintptr_t)name, strlen(name) },
			       { data->data, data->len } };

	e->magic = RECORD_MAGIC;
	e->nname = (uint16_t)strlen(name);
	e->ndata = data->len;
	e->total = sizeof(*e) + e->nname + e->ndata;
	if (writev(b->fd, iov, 3) != (ssize_t)e->total) {
		perror("crash-check: record");
		exit(2);
	}
}

static void put_tree(const struct base *b, const char *path, const char *name,
		     uint64_t folder);

static void put_folder(const struct base *b, const char *path,
		       const struct stat *st)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *inner;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		inner = mem_printf("%s/%s", path, e->d_name);
		put_tree(b, inner, e->d_name, st->st_ino);
		free(inner);
	}
	if (d)
		closedir(d);
}

static void put_tree(const struct base *b, const char *path, const char *name,
		     uint64_t folder)
{
	struct record_entry e = { .dir = folder };
	struct buf data;
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	buf_init(&data, 1 << 30);
	e.ino = st.st_ino;
	e.mtime = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	if (S_ISDIR(st.st_mode))
		e.type = b->end ? OP_END_DIR : OP_BASE_DIR;
	else
		e.type = b->end ? OP_END_FILE : OP_BASE_FILE;
	if (S_ISREG(st.st_mode) && file_read(path, &data) != ERR_OK)
		perror(path);
	put(b, &e, name, &data);
	buf_free(&data);
	if (S_ISDIR(st.st_mode))
		put_folder(b, path, &st);
}

void base_write(int fd, const char *top, bool end)
{
	static const char *const tree[] = { "spool", "mail", "accountd",
					    "tls-policy" };
	struct base b = { fd, end };

	for (size_t i = 0; i < sizeof(tree) / sizeof(*tree); i++) {
		char *path = mem_printf("%s/%s", top, tree[i]);

		put_tree(&b, path, tree[i], DISK_TOP);
		free(path);
	}
}
