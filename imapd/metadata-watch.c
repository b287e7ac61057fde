#include "imapd/metadata-watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "imapd/metadata.h"

/* One folder, or the account, as the client knows it. */
struct known {
	struct metadata_stamp stamp;
	const char *use;	/* special use, or NULL */
	struct metadata hashes; /* of the values */
	unsigned turn;		/* when it was last there */
};

struct metadata_watch {
	struct map *folders; /* names to struct known */
	unsigned turn;
	bool all; /* ENABLE METADATA */
};

static void free_known(struct known *k)
{
	metadata_free(&k->hashes);
	free(k);
}

static void know(struct known *k, const struct metadata_entry *e)
{
	uint64_t hash;

	if (!e->value) {
		metadata_remove(&k->hashes, e->name);
		return;
	}
	hash = map_hash(e->value, e->n);
	metadata_set(&k->hashes, e->name, (const char *)&hash, sizeof(hash));
}

static bool is_known(const struct known *k, const struct metadata_entry *e)
{
	const struct metadata_entry *f = metadata_find(&k->hashes, e->name);
	uint64_t hash = map_hash(e->value, e->n);

	return f && memcmp(f->value, &hash, sizeof(hash)) == 0;
}

/* Appends the names of entries of M that are not as in K, and of those that
 * are only in K, each with a space before it; K is then as M. */
static void compare(struct known *k, const struct metadata *m, struct buf *out)
{
	for (size_t i = 0; i < m->n; i++)
		if (!is_known(k, &m->entry[i])) {
			buf_putc(out, ' ');
			metadata_put_name(m->entry[i].name, out);
			know(k, &m->entry[i]);
		}
	for (size_t i = 0; i < k->hashes.n;) {
		const char *name = k->hashes.entry[i].name;

		if (metadata_find(m, name)) {
			i++;
			continue;
		}
		buf_putc(out, ' ');
		metadata_put_name(name, out);
		metadata_remove(&k->hashes, name);
	}
}

static struct known *find(struct metadata_watch *w, const char *name)
{
	struct known *k = map_get(w->folders, name);

	if (!k) {
		k = mem_alloc(sizeof(*k));
		map_put(w->folders, name, k);
	}
	return k;
}

/* What cannot be read now is looked at again the next time. */
static void look_at(struct session *s, const char *name, const char *use,
		    bool tell)
{
	struct known *k = find(s->watch, name);
	struct metadata_stamp stamp = metadata_stamp(s->store, name);
	struct metadata m = { 0 };
	struct buf changed;

	k->turn = s->watch->turn;
	if (metadata_stamp_equal(&k->stamp, &stamp) && k->use == use)
		return;
	if (metadata_read_with(s->store, name, use, &m) != ERR_OK)
		return;
	k->stamp = stamp;
	k->use = use;
	buf_init(&changed, 2 * METADATA_TOTAL_MAX);
	compare(k, &m, &changed);
	metadata_free(&m);
	if (tell && changed.len > 0) {
		buf_reset(&s->out);
		buf_puts(&s->out, "* METADATA ");
		session_put_name(s, &s->out, name);
		buf_put(&s->out, changed.data, changed.len);
		buf_puts(&s->out, "\r\n");
		stream_put(s->c.io, s->out.data, s->out.len);
	}
	buf_free(&changed);
}

/* Folders that are gone are nobody's concern. */
static void forget_gone(struct metadata_watch *w)
{
	const char *name;
	size_t at = 0;
	void *value;

	while ((name = map_next(w->folders, &at, &value))) {
		struct known *k = value;

		if (k->turn == w->turn)
			continue;
		map_remove(w->folders, name);
		free_known(k);
	}
}

static void look(struct session *s, bool tell)
{
	struct store_list all;
	int code = store_list(s->store, &all);

	s->watch->turn++;
	if (!code)
		look_at(s, "", NULL, tell);
	for (size_t i = 0; !code && i < all.n; i++)
		if (all.folder[i].exists)
			look_at(s, all.folder[i].name,
				all.folder[i].special_use, tell);
	if (!code)
		forget_gone(s->watch);
	store_list_free(&all);
}

static void need_watch(struct session *s)
{
	if (s->watch)
		return;
	s->watch = mem_alloc(sizeof(*s->watch));
	s->watch->folders = map_new();
}

bool metadata_watches_all(const struct session *s)
{
	return s->watch && s->watch->all;
}

bool metadata_watch_begin(struct session *s)
{
	if (metadata_watches_all(s))
		return false;
	need_watch(s);
	s->watch->all = true;
	look(s, false);
	return true;
}

void metadata_watch_look(struct session *s, const char *name, const char *use,
			 bool tell)
{
	need_watch(s);
	look_at(s, name, use, tell);
}

void metadata_watch_forget(struct session *s, const char *name)
{
	struct known *k = s->watch ? map_remove(s->watch->folders, name) : NULL;

	if (k)
		free_known(k);
}

void metadata_watch_end(struct session *s)
{
	if (!s->watch)
		return;
	s->watch->turn++;
	forget_gone(s->watch);
	map_free(&s->watch->folders);
	free(s->watch);
	s->watch = NULL;
}

void metadata_watch_send(struct session *s)
{
	if (metadata_watches_all(s))
		look(s, true);
}

void metadata_watch_own(struct session *s, const char *name,
			const struct metadata *changes)
{
	for (size_t i = 0; s->watch && i < changes->n; i++)
		know(find(s->watch, name), &changes->entry[i]);
}
