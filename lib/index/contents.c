#include "index/contents.h"

#include <stdlib.h>
#include <string.h>

#include "index/journal.h"

struct content_of {
	uint32_t uid;
	uint32_t crc;
};

void contents_init(struct contents *c)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->known, UINT32_MAX);
}

void contents_free(struct contents *c)
{
	buf_free(&c->known);
	contents_init(c);
}

static void take(struct contents *c, const struct record *r)
{
	struct record_add a;
	size_t n;
	const char *p = record_payload(r, &n);
	uint32_t i;

	if (r->type != RECORD_ADD)
		return;
	for (i = 0; i < r->count && record_add_next(&p, &n, &a); i++) {
		struct content_of one = { a.uid, a.content };

		if (a.known)
			buf_put(&c->known, &one, sizeof(one));
	}
}

static int read_on(struct contents *c, int fd)
{
	struct journal_walk w;
	const struct record *r;

	journal_walk(&w, fd, c->read);
	while ((r = journal_next(&w)))
		take(c, r);
	c->read = w.at;
	return journal_walk_end(&w);
}

static int by_uid(const void *a, const void *b)
{
	const struct content_of *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static const struct content_of *look_up(const struct contents *c, uint32_t uid)
{
	const struct content_of key = { .uid = uid };

	return c->known.len == 0
		       ? NULL
		       : bsearch(&key, c->known.data,
				 c->known.len / sizeof(key), sizeof(key),
				 by_uid);
}

int contents_find(struct contents *c, int fd, uint64_t id, uint32_t uid,
		  uint32_t *crc)
{
	const struct content_of *found;
	int code = ERR_OK;

	if (c->journal != id || c->read == 0) {
		contents_free(c);
		c->journal = id;
		c->read = sizeof(struct journal_head);
	}
	found = look_up(c, uid);
	if (!found) {
		code = read_on(c, fd);
		found = look_up(c, uid);
	}
	if (!found)
		return code ? code : ERR_NOT_FOUND;
	*crc = found->crc;
	return ERR_OK;
}
