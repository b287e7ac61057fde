/*
 * The disk of disk.h, driven by the entries of a record.
 *
 * Objects are found by inode number and live on without a name, as open files
 * do. There are two lists of names, what programs see and what is stable; what
 * lies between them is `pending`, in its order. A sync of a folder settles the
 * changes of its names that are older than the sync's begin, and of each name
 * all older changes, in other folders, too.
 */
#include "t/crash/disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SLOT, JOURNAL, MESSAGE, FOLDER, OTHER };

const char *const disk_kinds[] = { "slot",   "journal", "message",
				   "folder", "other",	NULL };

static bool begins(const struct name *n, const char *text)
{
	size_t size = strlen(text);

	return n->n >= size && memcmp(n->text, text, size) == 0;
}

/* Tells by its name and place what it is. */
static void tell_kind(const struct name *n)
{
	struct object *o = n->to;
	int kind = OTHER;

	if (n->dir->queue && n->dir->kind == disk_kinds[OTHER])
		kind = o->folder ? OTHER : SLOT;
	else if (begins(n, "posthorn-journal"))
		kind = JOURNAL;
	else if (o->folder && (begins(n, "new") || begins(n, "cur")))
		kind = FOLDER;
	else if (n->dir->kind == disk_kinds[FOLDER])
		kind = MESSAGE;
	o->kind = disk_kinds[kind];
}

static struct object *add_object(struct disk *d, uint64_t ino, bool folder)
{
	struct object *o = mem_alloc(sizeof(*o));

	*o = (struct object){ .ino = ino,
			      .folder = folder,
			      .kind = disk_kinds[OTHER],
			      .index = (uint32_t)d->nobjects };
	d->object = mem_resize(d->object, d->nobjects + 1, sizeof(*d->object));
	d->object[d->nobjects++] = o;
	return o;
}

/* The newest of that number: numbers are used again. */
static struct object *find_object(const struct disk *d, uint64_t ino)
{
	for (size_t i = d->nobjects; i-- > 0;)
		if (d->object[i]->ino == ino)
			return d->object[i]->former ? NULL : d->object[i];
	return NULL;
}

/* The folder that a name is in; one outside of the trees may have the number
 * of one that we knew. */
static struct object *find_folder(const struct disk *d, uint64_t ino,
				  uint32_t inside)
{
	return inside ? find_object(d, ino) : NULL;
}

/* Another file has this number now, or nobody has. */
static void give_up_number(struct disk *d, uint64_t ino)
{
	struct object *o = find_object(d, ino);

	if (o)
		o->former = true;
}

void disk_init(struct disk *d)
{
	*d = (struct disk){ .object = NULL };
	add_object(d, DISK_TOP, true);
}

void disk_free(struct disk *d)
{
	for (size_t i = 0; i < d->nobjects; i++) {
		free(d->object[i]->stable);
		free(d->object[i]->change);
		free(d->object[i]);
	}
	free(d->object);
	free(d->stable.name);
	free(d->now.name);
	free(d->pending);
	free(d->sync);
}

bool disk_gap(struct disk *d, const char *name, size_t n, const char *why)
{
	if (!d->based)
		return false;
	if (d->gaps++ == 0)
		snprintf(d->gap, sizeof(d->gap), "entry %" PRIu64 ": %.*s %s",
			 d->when, (int)n, name, why);
	return false;
}

/* A name in a folder that is not known: elsewhere, or a gap. */
static bool elsewhere(struct disk *d, uint32_t inside, const char *name,
		      size_t n)
{
	return inside ? disk_gap(d, name, n, "is in a folder nobody made")
		      : false;
}

static bool is_same(const struct name *a, const struct name *b)
{
	return a->dir && a->dir == b->dir && a->n == b->n &&
	       memcmp(a->text, b->text, a->n) == 0;
}

const struct name *names_find(const struct names *n, const struct object *dir,
			      const char *text, size_t size)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->name[i].dir == dir && n->name[i].n == size &&
		    memcmp(n->name[i].text, text, size) == 0)
			return &n->name[i];
	return NULL;
}

static void take_out(struct names *n, const struct name *gone)
{
	for (size_t i = 0; i < n->n; i++)
		if (is_same(&n->name[i], gone)) {
			n->name[i] = n->name[--n->n];
			return;
		}
}

void names_change(struct names *n, const struct rename *r)
{
	take_out(n, &r->gone);
	if (!r->come.dir)
		return;
	take_out(n, &r->come);
	n->name = mem_resize(n->name, n->n + 1, sizeof(*n->name));
	n->name[n->n++] = r->come;
}

void names_copy(struct names *to, const struct names *from)
{
	to->name = mem_resize(to->name, from->n + 1, sizeof(*to->name));
	if (from->n)
		memcpy(to->name, from->name, from->n * sizeof(*to->name));
	to->n = from->n;
}

bool rename_touches(const struct rename *a, const struct rename *b)
{
	return is_same(&a->gone, &b->gone) || is_same(&a->gone, &b->come) ||
	       is_same(&a->come, &b->gone) || is_same(&a->come, &b->come);
}

static void add_rename(struct disk *d, struct rename *r)
{
	r->when = d->when;
	names_change(&d->now, r);
	d->pending =
		mem_resize(d->pending, d->npending + 1, sizeof(*d->pending));
	d->pending[d->npending++] = *r;
}

int64_t object_size(const struct object *o, size_t k)
{
	int64_t size = (int64_t)o->size;

	for (size_t i = 0; i < k; i++)
		if (o->change[i].type == OP_TRUNCATE)
			size = o->change[i].to;
		else if (o->change[i].type == OP_WRITE &&
			 o->change[i].to > size)
			size = o->change[i].to;
	return size;
}

static void resize(struct object *o, size_t size)
{
	o->stable = mem_resize(o->stable, size + 1, 1);
	if (size > o->size)
		memset(o->stable + o->size, 0, size - o->size);
	o->size = size;
}

static void settle_change(struct object *o, const struct change *c)
{
	if (c->type == OP_TRUNCATE) {
		resize(o, (size_t)c->to);
	} else if (c->type == OP_WRITE) {
		if ((size_t)c->to > o->size)
			resize(o, (size_t)c->to);
		memcpy(o->stable + c->from, c->data, (size_t)(c->to - c->from));
	} else {
		size_t end = (size_t)c->to < o->size ? (size_t)c->to : o->size;

		if ((size_t)c->from < end)
			memset(o->stable + c->from, 0, end - (size_t)c->from);
	}
}

static void settle_content(struct object *o, uint64_t before)
{
	size_t n = 0;

	while (n < o->nchanges && o->change[n].when < before)
		settle_change(o, &o->change[n++]);
	o->nchanges -= n;
	if (n && o->nchanges)
		memmove(o->change, o->change + n,
			o->nchanges * sizeof(*o->change));
}

/* What comes before a change of the same name goes with it. */
static void spread_backwards(const struct disk *d, bool *chosen)
{
	for (size_t i = d->npending; i-- > 0;)
		for (size_t k = 0; chosen[i] && k < i; k++)
			if (rename_touches(&d->pending[i], &d->pending[k]))
				chosen[k] = true;
}

static void settle_name(struct disk *d, const struct rename *r)
{
	names_change(&d->stable, r);
	if (r->gone.dir)
		r->gone.dir->mtime = r->gone_mtime;
	if (r->come.dir)
		r->come.dir->mtime = r->come_mtime;
}

static void settle_names(struct disk *d, const struct object *dir,
			 uint64_t before)
{
	bool *chosen = mem_array(d->npending + 1, sizeof(*chosen));
	size_t kept = 0;

	for (size_t i = 0; i < d->npending; i++)
		chosen[i] = d->pending[i].when < before &&
			    (d->pending[i].gone.dir == dir ||
			     d->pending[i].come.dir == dir);
	spread_backwards(d, chosen);
	for (size_t i = 0; i < d->npending; i++)
		if (chosen[i])
			settle_name(d, &d->pending[i]);
		else
			d->pending[kept++] = d->pending[i];
	d->npending = kept;
	free(chosen);
}

static bool sync_begins(struct disk *d, const struct record_entry *e)
{
	d->sync = mem_resize(d->sync, d->nsyncs + 1, sizeof(*d->sync));
	d->sync[d->nsyncs++] = (struct sync){ e->pid, e->ino, d->when };
	return false;
}

/* What was done to O is durable. O may be NULL. */
static bool settle(struct disk *d, struct object *o, uint64_t before)
{
	if (!o || (d->without && strcmp(o->kind, d->without) == 0))
		return false;
	if (o->folder)
		settle_names(d, o, before);
	else
		settle_content(o, before);
	return true;
}

static bool settle_all(struct disk *d, uint64_t before)
{
	for (size_t i = 0; i < d->nobjects; i++)
		settle(d, d->object[i], before);
	return true;
}

static bool sync_ended(struct disk *d, const struct record_entry *e)
{
	struct object *o = find_object(d, e->ino);
	uint64_t before;

	if (e->type == OP_WRITTEN && (!d->ordered || (o && o->folder)))
		o = NULL;
	for (size_t i = d->nsyncs; i-- > 0;) {
		if (d->sync[i].pid != e->pid || d->sync[i].ino != e->ino)
			continue;
		before = d->sync[i].when;
		d->sync[i] = d->sync[--d->nsyncs];
		return e->type == OP_SYNCED_ALL ? settle_all(d, before)
						: settle(d, o, before);
	}
	return false;
}

static bool change_content(struct disk *d, const struct record_entry *e,
			   const char *data)
{
	struct object *o = find_object(d, e->ino);
	struct change c = { .type = e->type, .when = d->when, .data = data };

	if (!o || o->folder)
		return false;
	c.from = e->offset;
	c.to = e->type == OP_WRITE   ? e->offset + (int64_t)e->ndata
	       : e->type == OP_PUNCH ? e->offset + e->length
				     : e->length;
	o->change = mem_resize(o->change, o->nchanges + 1, sizeof(c));
	o->change[o->nchanges++] = c;
	return true;
}

static bool make_name(struct disk *d, const struct record_entry *e,
		      const char *name)
{
	struct object *dir = find_folder(d, e->dir, e->inside);
	struct rename r = { .come = { dir, NULL, e->nname, name } };
	const struct name *old;

	if (!dir) {
		give_up_number(d, e->ino);
		return elsewhere(d, e->inside, name, e->nname);
	}
	old = names_find(&d->now, dir, name, e->nname);
	if (old && old->to->ino == e->ino)
		return false; /* it was opened, not made */
	if (old)
		disk_gap(d, name, e->nname, "became another file");
	r.come.to = add_object(d, e->ino, e->type == OP_MKDIR);
	r.come.to->queue = dir->queue;
	tell_kind(&r.come);
	r.come_mtime = e->mtime;
	add_rename(d, &r);
	return true;
}

static bool make_link(struct disk *d, const struct record_entry *e,
		      const char *name2)
{
	struct object *dir = find_folder(d, e->dir2, e->inside2);
	struct rename r = { .come = { dir, find_object(d, e->ino), e->nname2,
				      name2 } };

	if (!dir)
		return elsewhere(d, e->inside2, name2, e->nname2);
	if (!r.come.to)
		return disk_gap(d, name2, e->nname2, "is a file nobody made");
	r.come.to->queue = dir->queue;
	tell_kind(&r.come);
	r.come_mtime = e->mtime2;
	add_rename(d, &r);
	return true;
}

static bool change_name(struct disk *d, const struct record_entry *e,
			const char *name, const char *name2)
{
	struct object *from = find_folder(d, e->dir, e->inside);
	struct object *to = find_folder(d, e->dir2, e->inside2);
	const struct name *old =
		from ? names_find(&d->now, from, name, e->nname) : NULL;
	struct rename r = { .gone_mtime = e->mtime, .come_mtime = e->mtime2 };

	if (!from && !to)
		return elsewhere(d, e->inside | e->inside2, name, e->nname);
	if (!old)
		return disk_gap(d, name, e->nname, "goes and was never made");
	if (e->type == OP_RENAME && !to)
		elsewhere(d, e->inside2, name2, e->nname2);
	r.gone = *old;
	if (e->type == OP_RENAME && to)
		r.come = (struct name){ to, old->to, e->nname2, name2 };
	if (e->type == OP_UNLINK && old->to->folder)
		give_up_number(d, old->to->ino);
	add_rename(d, &r);
	return true;
}

static bool was_there(struct disk *d, const struct record_entry *e,
		      const char *name, const char *data)
{
	struct object *dir = find_object(d, e->dir);
	struct rename r = { .come = { dir, NULL, e->nname, name } };

	d->based = true;
	if (!dir)
		return disk_gap(d, name, e->nname, "was in a folder not known");
	r.come.to = add_object(d, e->ino, e->type == OP_BASE_DIR);
	r.come.to->queue =
		dir->queue || (e->dir == DISK_TOP && begins(&r.come, "spool"));
	tell_kind(&r.come);
	r.come.to->mtime = e->mtime;
	resize(r.come.to, (size_t)e->ndata);
	memcpy(r.come.to->stable, data, (size_t)e->ndata);
	names_change(&d->now, &r);
	names_change(&d->stable, &r);
	return true;
}

static bool is_still(struct disk *d, const struct record_entry *e,
		     const char *name, const char *data)
{
	const struct object *dir = find_object(d, e->dir);
	const struct name *n =
		dir ? names_find(&d->now, dir, name, e->nname) : NULL;

	struct name same;

	d->ended++;
	if (!n || n->to->ino != e->ino)
		return disk_gap(d, name, e->nname,
				"is there and was never made");
	same = *n;
	take_out(&d->now, &same);
	if (e->type == OP_END_DIR)
		return false;
	settle_content(same.to, UINT64_MAX);
	if (same.to->size != e->ndata ||
	    (e->ndata && memcmp(same.to->stable, data, e->ndata) != 0))
		disk_gap(d, name, e->nname,
			 "was changed in a way not recorded");
	return false;
}

void disk_end(struct disk *d)
{
	const struct name *left = d->now.name;

	if (d->ended == 0)
		disk_gap(d, "", 0, "the end was not compared");
	else if (d->now.n > 0)
		disk_gap(d, left->text, left->n, "should be there and is not");
}

bool disk_apply(struct disk *d, const struct record_entry *e, const char *name,
		const char *name2, const char *data)
{
	d->when++;
	if (d->ended && e->type != OP_END_DIR && e->type != OP_END_FILE)
		return false; /* after the story */
	switch (e->type) {
	case OP_BASE_DIR:
	case OP_BASE_FILE:
		return was_there(d, e, name, data);
	case OP_CREATE:
	case OP_MKDIR:
		return make_name(d, e, name);
	case OP_UNNAMED:
		add_object(d, e->ino, false);
		return false;
	case OP_WRITE:
	case OP_TRUNCATE:
	case OP_PUNCH:
		return change_content(d, e, data);
	case OP_SYNC:
		return sync_begins(d, e);
	case OP_SYNCED:
	case OP_WRITTEN:
	case OP_SYNCED_ALL:
		return sync_ended(d, e);
	case OP_RENAME:
	case OP_UNLINK:
		return change_name(d, e, name, name2);
	case OP_LINK:
		return make_link(d, e, name2);
	case OP_END_DIR:
	case OP_END_FILE:
		return is_still(d, e, name, data);
	default:
		return false;
	}
}
