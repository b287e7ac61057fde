/* Making the files of a state, of state.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "t/crash/state.h"

struct builder {
	const struct units *u;
	const struct state *s;
	struct names names;
	int64_t *mtime; /* of each object that is a folder */
	char **path;	/* of each object that was made */
};

static void give_up(const char *what, const char *path)
{
	fprintf(stderr, "crash-check: cannot %s %s: ", what, path);
	perror(NULL);
	exit(2);
}

static size_t version_of(const struct builder *b, enum unit_type type,
			 const struct object *o, size_t which)
{
	for (size_t i = 0; i < b->u->n; i++)
		if (b->u->unit[i].type == type && b->u->unit[i].object == o &&
		    b->u->unit[i].which == which)
			return i;
	return SIZE_MAX;
}

/* The names of the state: a change whose name did not change before, as it
 * should have, cannot have happened either. */
static void choose_names(struct builder *b, const struct disk *d)
{
	bool *lost = mem_array(d->npending + 1, sizeof(*lost));

	names_copy(&b->names, &d->stable);
	for (size_t i = 0; i < d->npending; i++) {
		const struct rename *r = &d->pending[i];
		size_t unit = version_of(b, UNIT_NAME, NULL, i);

		lost[i] = b->s->version[unit] == 0;
		for (size_t k = 0; !lost[i] && k < i; k++)
			lost[i] = lost[k] && rename_touches(r, &d->pending[k]);
		if (lost[i])
			continue;
		names_change(&b->names, r);
		if (r->gone.dir)
			b->mtime[r->gone.dir->index] = r->gone_mtime;
		if (r->come.dir)
			b->mtime[r->come.dir->index] = r->come_mtime;
	}
	free(lost);
}

/* How many changes sector AT of O has seen, whose newest change is J. */
static size_t limit_of(const struct builder *b, const struct object *o,
		       size_t j, int64_t at)
{
	size_t i = version_of(b, UNIT_CONTENT, o, j), v;
	const struct unit *unit;

	if (i == SIZE_MAX)
		return o->nchanges;
	unit = &b->u->unit[i];
	v = b->s->torn == i ? draw(b->s->seed, (uint64_t)at) % unit->nversions
			    : b->s->version[i];
	return (size_t)unit->version[v];
}

/* What change C does to the sector at AT, whose bytes are P. */
static void change_sector(char *p, int64_t at, const struct change *c)
{
	int64_t from = c->from > at ? c->from : at;
	int64_t to = c->to < at + SECTOR ? c->to : at + SECTOR;

	if (c->type == OP_TRUNCATE) {
		from = c->to > at ? c->to : at;
		to = at + SECTOR;
	}
	if (from >= to)
		return;
	if (c->type == OP_WRITE)
		memcpy(p + (from - at), c->data + (from - c->from),
		       (size_t)(to - from));
	else
		memset(p + (from - at), 0, (size_t)(to - from));
}

static int newest_change(const struct object *o, int64_t at)
{
	for (size_t j = o->nchanges; j-- > 0;) {
		const struct change *c = &o->change[j];

		if (c->type != OP_TRUNCATE && c->from < at + SECTOR &&
		    c->to > at)
			return (int)j;
	}
	return -1;
}

static int64_t size_in_state(const struct builder *b, const struct object *o)
{
	size_t i = version_of(b, UNIT_SIZE, o, 0);

	if (i == SIZE_MAX)
		return object_size(o, o->nchanges);
	if (b->s->cut >= 0 && b->s->short_unit == i)
		return b->s->cut;
	return b->u->unit[i].version[b->s->version[i]];
}

static char *content(const struct builder *b, const struct object *o,
		     int64_t size)
{
	char *data = mem_alloc((size_t)size + SECTOR);
	size_t stable = o->size < (size_t)size ? o->size : (size_t)size;

	if (stable)
		memcpy(data, o->stable, stable);
	for (int64_t at = 0; at < size; at += SECTOR) {
		int j = newest_change(o, at);
		size_t limit =
			j < 0 ? o->nchanges : limit_of(b, o, (size_t)j, at);

		for (size_t k = 0; k < limit; k++)
			change_sector(data + at, at, &o->change[k]);
	}
	return data;
}

static void write_all(const char *path, const char *data, int64_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		give_up("make", path);
	if (write(fd, data, (size_t)size) != size)
		give_up("write", path);
	close(fd);
}

static void make_file(struct builder *b, const struct object *o, char *path)
{
	char **known = &b->path[o->index];
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	if (*known) {
		if (link(*known, path) < 0)
			give_up("link", path);
		return;
	}
	if (o->nchanges) {
		int64_t size = size_in_state(b, o);
		char *data = content(b, o, size);

		write_all(path, data, size);
		free(data);
	} else {
		write_all(path, o->stable ? o->stable : "", (int64_t)o->size);
	}
	/* nobody has written to it since the crash */
	times[1].tv_sec = time(NULL) - 3600;
	utimensat(AT_FDCWD, path, times, 0);
	*known = mem_strdup(path);
}

static void make_folder(struct builder *b, const struct object *dir,
			const char *path)
{
	int64_t t = b->mtime[dir->index];
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ t / 1000000000, t % 1000000000 },
	};

	if (mkdir(path, 0700) < 0)
		give_up("make", path);
	for (size_t i = 0; i < b->names.n; i++) {
		const struct name *n = &b->names.name[i];
		char *inner;

		if (n->dir != dir)
			continue;
		inner = mem_printf("%s/%.*s", path, n->n, n->text);
		if (n->to->folder)
			make_folder(b, n->to, inner);
		else
			make_file(b, n->to, inner);
		free(inner);
	}
	if (t)
		utimensat(AT_FDCWD, path, times, 0);
}

void state_build(const struct disk *d, const struct units *u,
		 const struct state *s, const char *top)
{
	struct builder b = { .u = u, .s = s };

	b.mtime = mem_array(d->nobjects, sizeof(*b.mtime));
	b.path = mem_array(d->nobjects, sizeof(*b.path));
	for (size_t i = 0; i < d->nobjects; i++)
		b.mtime[i] = d->object[i]->mtime;
	choose_names(&b, d);
	make_folder(&b, d->object[0], top);
	for (size_t i = 0; i < d->nobjects; i++)
		free(b.path[i]);
	free(b.path);
	free(b.mtime);
	free(b.names.name);
}
