#include "base/stamp.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return same_inode(a, b) && a->st_size == b->st_size &&
	       same_time(a->st_mtim, b->st_mtim) &&
	       same_time(a->st_ctim, b->st_ctim);
}

/* A time in the future means nothing: the clock may have been set back. */
static bool is_younger(struct timespec written, int seconds)
{
	struct timespec now;
	double age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (double)(now.tv_sec - written.tv_sec) +
	      (double)(now.tv_nsec - written.tv_nsec) / 1e9;
	return age >= 0 && age < seconds;
}

static bool was_just_written(const struct stat *st)
{
	return is_younger(st->st_mtim, STAMP_QUIET_S);
}

/* The file is empty now: was it emptied, and is the writer done? If it is
 * another file, it may be a new one that is still being written. */
static enum stamp_state look_at_nothing(const struct stamp *s,
					const struct stat *st)
{
	if (same_inode(st, &s->st))
		return STAMP_CUT;
	return was_just_written(st) ? STAMP_BUSY : STAMP_NEW;
}

/* Does the text in the file PATH, of SIZE bytes, end with its last line? */
static bool ends_line(const char *path, off_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char last = 0;
	bool ends;

	/* one that cannot be read is no cut one: the reading says why */
	ends = fd < 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
	if (fd >= 0)
		close(fd);
	return ends;
}

/* The stamp stays that of what was read, however often the file is written
 * meanwhile: a half-written file is not to be read. */
static enum stamp_state judge(struct stamp *s, const struct stat *st,
			      const char *path, bool lines)
{
	bool in_place = same_inode(st, &s->st);

	if (same(st, &s->st))
		return STAMP_SAME;
	if (st->st_size == 0 && s->st.st_size > 0)
		return look_at_nothing(s, st);
	s->cut = in_place && (s->cut || st->st_size < s->st.st_size);
	if (!s->cut)
		return STAMP_NEW;
	if (was_just_written(st))
		return STAMP_BUSY;
	return lines && !ends_line(path, st->st_size) ? STAMP_CUT : STAMP_NEW;
}

enum stamp_state stamp_look(struct stamp *s, const char *path, bool lines)
{
	enum stamp_state state = STAMP_NEW;
	struct stat st;

	if (stat(path, &st) < 0)
		return STAMP_LOST;
	s->written = st.st_mtim;
	if (s->taken)
		state = judge(s, &st, path, lines);
	s->cut = s->cut || state == STAMP_CUT;
	if (state == STAMP_NEW)
		*s = (struct stamp){ .st = st,
				     .taken = true,
				     .written = st.st_mtim };
	return state;
}

bool stamp_holds(const struct stamp *s, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && same(&st, &s->st);
}

bool stamp_is_young(const struct stamp *s)
{
	return is_younger(s->written, STAMP_YOUNG_S);
}
