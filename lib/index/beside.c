#include "index/beside.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "index/lock.h"

#define NAME_SIZE 64

static const char *const names[] = {
	[BESIDE_SIGNATURES] = DISK_SIGNATURES,
	[BESIDE_TEXTS] = DISK_TEXTS,
};

int beside_open(const struct index *x, enum beside which)
{
	return openat(x->f.dir, names[which],
		      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

int beside_take(const struct index *x, enum beside which, int *out)
{
	const char *name = names[which];
	struct stat have, now;
	int code, fd = lock_open(x->f.dir, name);

	*out = -1;
	if (fd < 0)
		return err_sys("open", name);
	code = lock_take(fd, 0);
	if (!code && (fstat(fd, &have) < 0 ||
		      fstatat(x->f.dir, name, &now, AT_SYMLINK_NOFOLLOW) <
			      0 ||
		      have.st_ino != now.st_ino || !S_ISREG(have.st_mode)))
		code = err_set(ERR_BUSY, "another file took its place");
	if (code)
		close(fd);
	else
		*out = fd;
	return code;
}

void beside_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool beside_look(int fd, struct beside_state *s)
{
	struct stat st;
	bool good = fd >= 0 && fstat(fd, &st) == 0;

	*s = good ? (struct beside_state){ st.st_ino, st.st_size }
		  : (struct beside_state){ 0 };
	return good;
}

int beside_replace(const struct index *x, enum beside which, int fd,
		   beside_copy *copy, void *context)
{
	const char *name = names[which];
	char fresh[NAME_SIZE];
	int code, to;

	snprintf(fresh, sizeof(fresh), "%s" DISK_NEW_SUFFIX, name);
	/* an unfinished one of before; if it stays, O_EXCL tells */
	err_ignore(unlinkat(x->f.dir, fresh, 0));
	to = openat(x->f.dir, fresh,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return err_sys("make", fresh);
	code = copy(context, fd, to);
	if (!code && renameat(x->f.dir, fresh, x->f.dir, name) < 0)
		code = err_sys("rename", fresh);
	if (code)
		err_ignore(unlinkat(x->f.dir, fresh, 0)); /* or the next */
	close(to);
	return code;
}

int beside_append(int fd, off_t *end, struct buf *out)
{
	int code = file_pwrite(fd, out->data, out->len, *end);

	if (code)
		err_ignore(ftruncate(fd, *end)); /* or it is seen as torn */
	else
		*end += (off_t)out->len;
	buf_reset(out);
	return code;
}

bool beside_describe(const struct index *x, const struct entry *e,
		     struct signature_of *of)
{
	const char *name = entries_name(&x->t, e);

	if (!name)
		return false;
	*of = (struct signature_of){ x->f.head.uidvalidity, e->uid, e->size,
				     crc32c(0, name, e->nname) };
	return true;
}

bool beside_find(const struct index *x, uint32_t n,
		 const struct signature_of *of, uint32_t *next,
		 uint32_t *index)
{
	const struct table *t = &x->t;
	struct signature_of is;
	uint32_t i = *next;

	if (i >= n || entries_at(t, i)->uid != of->uid)
		i = entries_find(t, of->uid);
	if (i >= n || entries_at(t, i)->state & ENTRY_GONE)
		return false;
	*next = i + 1;
	*index = i;
	return beside_describe(x, entries_at(t, i), &is) &&
	       is.validity == of->validity && is.uid == of->uid &&
	       is.size == of->size && is.name == of->name;
}
