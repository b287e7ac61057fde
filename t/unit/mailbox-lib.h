/* What the tests of lib/mailbox share: a Maildir in a fresh folder. */
#ifndef T_UNIT_MAILBOX_LIB_H
#define T_UNIT_MAILBOX_LIB_H

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "mailbox/append.h"
#include "mailbox/deliver.h"
#include "mailbox/mailbox.h"
#include "mailbox/store.h"
#include "t/unit/tap.h"

/* A test looks at what came of a call. */
#pragma GCC diagnostic ignored "-Wunused-result"

static struct {
	char root[64];
	char maildir[80];
} at;

__attribute__((unused)) static void fresh(void)
{
	static int count;

	if (!at.root[0]) {
		strcpy(at.root, "/tmp/mailbox-test.XXXXXX");
		if (!mkdtemp(at.root))
			exit(1);
	}
	snprintf(at.maildir, sizeof(at.maildir), "%s/m%d", at.root, ++count);
}

__attribute__((unused)) static void clean(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", at.root);
	if (system(command) != 0)
		printf("# could not remove %s\n", at.root);
}

/* A path below the Maildir; valid until the next call but three. */
__attribute__((unused)) static const char *path(const char *name)
{
	static char out[4][1024];
	static int i;

	i = (i + 1) % 4;
	snprintf(out[i], sizeof(out[i]), "%s/%s", at.maildir, name);
	return out[i];
}

__attribute__((unused)) static bool write_file(const char *p, const char *data,
					       size_t n)
{
	int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool good = fd >= 0 && write(fd, data, n) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	return good;
}

__attribute__((unused)) static long file_size(const char *p)
{
	struct stat st;

	return stat(p, &st) < 0 ? -1 : (long)st.st_size;
}

/* Delivers TEXT to FOLDER under queue id ID. */
__attribute__((unused)) static int deliver_to(const char *folder,
					      const char *text, const char *id,
					      struct delivered *out)
{
	struct delivery d = {
		.maildir = at.maildir,
		.folder = folder,
		.create_folder = true,
		.prologue = "Return-Path: <a@b>\r\n",
		.length = (off_t)strlen(text),
		.queue_id = id,
		.recipient = "u@example.org",
		.arrival_us = clock_wall_us() - 10000000,
	};
	int code;

	d.fd = open(at.root, O_TMPFILE | O_RDWR, 0600);
	if (d.fd < 0 ||
	    pwrite(d.fd, text, strlen(text), 0) != (ssize_t)strlen(text))
		exit(1);
	code = deliver_message(&d, out);
	close(d.fd);
	return code;
}

__attribute__((unused)) static void deliver_n(const char *folder, int n)
{
	struct delivered out;
	int i;

	for (i = 0; i < n; i++) {
		char text[200];

		snprintf(text, sizeof(text),
			 "From: <a@b>\r\nSubject: number %d\r\n\r\nbody %d\r\n",
			 i + 1, i + 1);
		if (deliver_to(folder, text, "", &out) != ERR_OK)
			printf("# delivery %d failed\n", i);
	}
}

__attribute__((unused)) static struct mailbox *open_folder(const char *name,
							   bool read_only,
							   struct store **s)
{
	struct mailbox *m = NULL;
	int code = store_open(at.maildir, true, s);

	if (!code)
		code = mailbox_open(*s, name, read_only, &m);
	if (code)
		printf("# cannot open %s: %s\n", name, err_text(code));
	return m;
}

__attribute__((unused)) static void close_folder(struct mailbox **m,
						 struct store **s)
{
	mailbox_close(m);
	store_close(s);
}

__attribute__((unused)) static bool text_is(struct mailbox *m, uint32_t seq,
					    const char *want)
{
	struct buf b;
	bool same;

	buf_init(&b, 1 << 28);
	same = mailbox_text(m, seq, &b) == ERR_OK && b.len == strlen(want) &&
	       memcmp(b.data, want, b.len) == 0;
	if (!same)
		printf("# got: %.200s\n", b.data);
	buf_free(&b);
	return same;
}

/* The content of the file P and its size, to be freed. */
__attribute__((unused)) static char *slurp(const char *p, size_t *n)
{
	long size = file_size(p);
	char *data = mem_alloc(size < 0 ? 1 : (size_t)size + 1);
	int fd = open(p, O_RDONLY);

	if (size < 0)
		exit(1);
	*n = (size_t)read(fd, data, (size_t)size);
	close(fd);
	return data;
}

/* UIDVALIDITY of a folder, and two further numbers of it. */
__attribute__((unused)) static uint32_t validity_of(const char *folder,
						    uint32_t *count,
						    uint32_t *uidnext)
{
	struct store *s;
	struct mailbox *m = open_folder(folder, true, &s);
	uint32_t v = m ? mailbox_uidvalidity(m) : 0;

	*count = m ? mailbox_count(m) : 0;
	*uidnext = m ? mailbox_uidnext(m) : 0;
	close_folder(&m, &s);
	return v;
}

/* A name in DIR (new, cur): the first that has HAVING in it. */
__attribute__((unused)) static bool find_name(const char *dir,
					      const char *having, char *out)
{
	DIR *d = opendir(path(dir));
	struct dirent *e;
	bool found = false;

	while (!found && (e = readdir(d)))
		if (e->d_name[0] != '.' && strstr(e->d_name, having)) {
			sprintf(out, "%s/%s", dir, e->d_name);
			found = true;
		}
	closedir(d);
	return found;
}

/* How many there are in DIR; and in both of INBOX. */
__attribute__((unused)) static int count_files(const char *dir)
{
	DIR *d = opendir(path(dir));
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

__attribute__((unused)) static int files_of_inbox(void)
{
	return count_files("new") + count_files("cur");
}

#endif
