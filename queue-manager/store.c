#include "queue-manager/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "queue/id.h"
#include "queue/slot.h"

struct slot *store_get(const struct store *s, uint32_t number)
{
	size_t p = number / STORE_PAGE;

	if (p >= s->npages || !s->page[p])
		return NULL;
	return s->page[p]->slot[number % STORE_PAGE];
}

static void grow(struct store *s, size_t pages)
{
	size_t n = s->npages;

	if (pages <= n)
		return;
	while (n < pages)
		n = n ? n * 2 : 64;
	s->page = mem_resize(s->page, n, sizeof(*s->page));
	for (size_t i = s->npages; i < n; i++)
		s->page[i] = NULL;
	s->npages = n;
}

struct slot *store_add(struct store *s, uint32_t number, enum slot_state state)
{
	size_t p = number / STORE_PAGE;
	struct slot *slot;

	grow(s, p + 1);
	if (!s->page[p])
		s->page[p] = mem_alloc(sizeof(*s->page[p]));
	if (s->page[p]->slot[number % STORE_PAGE])
		return NULL;
	slot = mem_alloc(sizeof(*slot));
	slot->number = number;
	slot->generation = SLOT_FIRST;
	slot->state = (uint8_t)state;
	s->page[p]->slot[number % STORE_PAGE] = slot;
	s->page[p]->used++;
	s->count++;
	s->by_state[state]++;
	return slot;
}

void store_remove(struct store *s, struct slot *slot)
{
	struct store_page **page = &s->page[slot->number / STORE_PAGE];

	s->count--;
	s->by_state[slot->state]--;
	(*page)->slot[slot->number % STORE_PAGE] = NULL;
	if (--(*page)->used == 0) {
		free(*page);
		*page = NULL;
	}
	free(slot);
}

void store_set_state(struct store *s, struct slot *slot, enum slot_state state)
{
	s->by_state[slot->state]--;
	s->by_state[state]++;
	slot->state = (uint8_t)state;
}

struct slot *store_next(const struct store *s, uint32_t number)
{
	for (size_t p = number / STORE_PAGE; p < s->npages; p++) {
		size_t i = p == number / STORE_PAGE ? number % STORE_PAGE : 0;

		for (; s->page[p] && i < STORE_PAGE; i++)
			if (s->page[p]->slot[i])
				return s->page[p]->slot[i];
	}
	return NULL;
}

static struct slot_files *files_of(struct slot *slot)
{
	if (!slot->files) {
		slot->files = mem_alloc(sizeof(*slot->files));
		slot->files->rw = slot->files->ro = -1;
	}
	return slot->files;
}

static int open_once(struct slot *slot, int *fd, int flags)
{
	char path[QUEUE_PATH_SIZE];

	if (*fd < 0) {
		queue_slot_path(path, slot->number);
		/* it may have become anything: a FIFO would make us wait */
		*fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
					 O_NOCTTY);
	}
	return *fd;
}

int slot_rw(struct slot *slot)
{
	return open_once(slot, &files_of(slot)->rw, O_RDWR);
}

int slot_ro(struct slot *slot)
{
	return open_once(slot, &files_of(slot)->ro, O_RDONLY);
}

void slot_close(struct slot *slot)
{
	if (!slot->files)
		return;
	if (slot->files->rw >= 0)
		close(slot->files->rw);
	if (slot->files->ro >= 0)
		close(slot->files->ro);
	free(slot->files);
	slot->files = NULL;
}
