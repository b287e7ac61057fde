/*
 * A store of messages in memory (messages/messages.h) that stands in a
 * Maildir's place in the tests: it has no files with names, cannot list, and
 * keeps no flags; a message is a sealed piece of memory.
 */
#ifndef T_UNIT_MEMORY_STORE_H
#define T_UNIT_MEMORY_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "messages/messages.h"

struct memory_message {
	char base[MESSAGE_BASE_MAX + 1];
	int fd; /* -1: removed */
};

/* One for each folder, known by its directory; they live as long as the test,
 * so that closing and opening finds what was there. */
struct memory_folder {
	ino_t ino;
	struct memory_message message[4000];
	size_t n;
	struct memory_folder *next;
};

struct memory_store {
	struct messages m;
	struct memory_folder *f;
};

static struct memory_folder *memory_folders;

static struct memory_folder *memory_of(struct messages *ms)
{
	return ((struct memory_store *)(void *)ms)->f;
}

static struct memory_message *memory_find(struct messages *ms,
					  const struct message_ref *r)
{
	struct memory_folder *f = memory_of(ms);
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->message[i].fd >= 0 &&
		    strlen(f->message[i].base) == r->nbase &&
		    memcmp(f->message[i].base, r->base, r->nbase) == 0)
			return &f->message[i];
	return NULL;
}

static struct folder_id memory_id(struct messages *ms)
{
	return (struct folder_id){ 0, memory_of(ms)->ino };
}

static struct folder_token memory_token(struct messages *ms)
{
	return (struct folder_token){ memory_id(ms), -1 };
}

static bool memory_exact(struct messages *ms)
{
	(void)ms;
	return true;
}

static int memory_stamps(struct messages *ms, unsigned dirs, int64_t when[DIRS])
{
	(void)ms;
	(void)dirs;
	when[DIR_NEW] = when[DIR_CUR] = 1;
	return ERR_OK;
}

/* There may be a first look, at a folder that has no journal. */
static int memory_list(struct messages *ms, unsigned dirs, struct listing *l)
{
	struct memory_folder *f = memory_of(ms);
	size_t i;
	int code = ERR_OK;

	for (i = 0; !code && i < f->n; i++) {
		struct listing_file file = {
			.nbase = (uint8_t)strlen(f->message[i].base),
			.dir = DIR_CUR,
			.spelt = true,
			.size = -1,
			.wire = -1,
		};

		if (f->message[i].fd >= 0 && dirs & 1u << DIR_CUR)
			code = listing_add(l, &file, f->message[i].base);
	}
	return code;
}

static int memory_state(struct messages *ms, const struct message_ref *r,
			struct message_state *out)
{
	const struct memory_message *m = memory_find(ms, r);
	struct stat st;

	if (!m || fstat(m->fd, &st) < 0)
		return err_set(ERR_NOT_FOUND, "no such message");
	*out = (struct message_state){ .is_file = true,
				       .size = (uint64_t)st.st_size };
	return ERR_OK;
}

static int memory_open_message(struct messages *ms, const struct message_ref *r,
			       int *fd)
{
	const struct memory_message *m = memory_find(ms, r);
	char path[40];

	if (!m)
		return err_set(ERR_NOT_FOUND, "no such message");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m->fd);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? err_sys("open", path) : ERR_OK;
}

static int memory_create(struct messages *ms, unsigned dir,
			 struct message_new *n)
{
	(void)ms;
	(void)dir;
	n->fd = memfd_create("message", MFD_CLOEXEC);
	return n->fd < 0 ? err_sys("make", "a message") : ERR_OK;
}

static int memory_put(struct messages *ms, int fd, const struct message_ref *r)
{
	struct memory_folder *f = memory_of(ms);
	struct memory_message *m = &f->message[f->n];

	if (f->n == sizeof(f->message) / sizeof(f->message[0]))
		return ERR_NO_SPACE;
	m->fd = dup(fd);
	memcpy(m->base, r->base, r->nbase);
	m->base[r->nbase] = '\0';
	f->n++;
	return ERR_OK;
}

static int memory_name(struct messages *ms, struct message_new *n,
		       const struct message_ref *r)
{
	return memory_put(ms, n->fd, r);
}

static void memory_discard(struct messages *ms, struct message_new *n)
{
	(void)ms;
	close(n->fd);
}

static int memory_link(struct messages *ms, const struct message_ref *to,
		       struct messages *other, const struct message_ref *from)
{
	const struct memory_message *m = memory_find(other, from);

	return m ? memory_put(ms, m->fd, to)
		 : err_set(ERR_NOT_FOUND, "no such message");
}

static int memory_rename(struct messages *ms, const struct message_ref *from,
			 const struct message_ref *to)
{
	(void)ms;
	(void)from;
	(void)to;
	return ERR_OK;
}

static int memory_remove(struct messages *ms, const struct message_ref *r)
{
	struct memory_message *m = memory_find(ms, r);

	if (!m)
		return ERR_NOT_FOUND;
	close(m->fd);
	m->fd = -1;
	return ERR_OK;
}

static int memory_sync(struct messages *ms, unsigned dirs)
{
	(void)ms;
	(void)dirs;
	return ERR_OK;
}

static void memory_close(struct messages *ms)
{
	free(ms);
}

static const struct messages_ops memory_ops = {
	.id = memory_id,
	.token = memory_token,
	.stamps = memory_stamps,
	.exact = memory_exact,
	.list = memory_list,
	.state = memory_state,
	.open = memory_open_message,
	.create = memory_create,
	.name = memory_name,
	.discard = memory_discard,
	.link = memory_link,
	.rename = memory_rename,
	.remove = memory_remove,
	.put_aside = memory_remove,
	.sync = memory_sync,
	.close = memory_close,
};

static int memory_open(int dir, bool make, struct messages **ms)
{
	struct memory_store *s = mem_alloc(sizeof(*s));
	struct stat st;

	(void)make;
	if (fstat(dir, &st) < 0)
		return err_sys("look at", "a folder");
	for (s->f = memory_folders; s->f && s->f->ino != st.st_ino;)
		s->f = s->f->next;
	if (!s->f) {
		s->f = mem_alloc(sizeof(*s->f));
		s->f->ino = st.st_ino;
		s->f->next = memory_folders;
		memory_folders = s->f;
	}
	s->m.ops = &memory_ops;
	*ms = &s->m;
	return ERR_OK;
}

#endif
