/* What the tests of lib/intake share: the queue behind it, of the bed. */
#ifndef T_UNIT_INTAKE_LIB_H
#define T_UNIT_INTAKE_LIB_H

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

struct found {
	char id[64];
	enum queue_state state;
	int n;
};

static bool note(void *context, const struct queue_item *m)
{
	struct found *f = context;

	f->n++;
	f->state = m->state;
	str_copy(f->id, sizeof(f->id), m->id);
	return true;
}

/* The one message of the queue. */
static struct found find(void)
{
	struct found f = { .n = 0 };
	struct queue_summary sum;
	struct buf why;

	buf_init(&why, 1000);
	queue_admin_list(bed.public, NULL, note, &f, &sum, &why);
	buf_free(&why);
	return f;
}

static char *content(void)
{
	struct found f = find();
	struct buf text, why;
	off_t offset = 0, length = 0;
	int fd = -1;
	char *data;

	buf_init(&text, 1 << 20);
	buf_init(&why, 1000);
	queue_admin_show(bed.public, f.id, &text, &fd, &offset, &length, &why);
	data = mem_alloc((size_t)length + 1);
	if (fd < 0 || file_pread(fd, data, (size_t)length, offset))
		printf("# cannot be read: %s\n", why.data);
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	buf_free(&why);
	return data;
}

static bool is_alone(const void *state)
{
	struct found f = find();

	return f.n == 1 && f.state == *(const enum queue_state *)state;
}

static void empty(void)
{
	struct buf why;
	int64_t n;

	buf_init(&why, 1000);
	queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	buf_free(&why);
	ok(bed_wait(bed_is_empty, NULL), "the queue is empty");
}

#endif
