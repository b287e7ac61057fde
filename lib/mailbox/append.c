#include "mailbox/append.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "mailbox/add.h"
#include "mailbox/private.h"

struct append {
	struct store *store;
	char *name;
	struct folder f;
	struct addition *message;
	size_t n;
	size_t max;
};

/* Each message holds a descriptor until the commit. */
static size_t messages_max(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		r.rlim_cur = 1024;
	return r.rlim_cur / 2 < APPEND_MAX ? r.rlim_cur / 2 : APPEND_MAX;
}

int append_new(struct store *s, const char *name, struct append **out)
{
	char disk[DISK_NAME_SIZE];
	struct append *a;
	int code = disk_name_in(s->dir, name, disk);

	if (code)
		return ERR_NOT_FOUND;
	a = mem_alloc(sizeof(*a));
	a->store = s;
	a->name = mem_strdup(name);
	a->max = messages_max();
	code = folder_open(s->dir, disk, s->opener, true, &a->f);
	if (code) {
		append_free(&a);
		return code;
	}
	*out = a;
	return ERR_OK;
}

/* The file's own date, for tools that know no other. */
static void set_date(const struct addition *a)
{
	struct timespec t[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = a->e.received },
	};

	/* without it they show when it was added */
	err_ignore(futimens(a->in.file.fd, t));
}

static int finish_last(struct append *a)
{
	struct addition *last;
	int code;

	if (a->n == 0)
		return ERR_OK;
	last = &a->message[a->n - 1];
	code = addition_finish(last);
	buf_free(&last->in.text); /* or many would be in memory together */
	if (!code)
		set_date(last);
	return code;
}

int append_begin(struct append *a, unsigned flags, const char *const *keyword,
		 size_t nkeywords, int64_t received)
{
	uint64_t bits = 0;
	int code = finish_last(a);

	if (!code && a->n == a->max)
		code = ERR_LIMIT;
	if (!code && nkeywords > 0)
		code = add_prepare(a->store, a->name, keyword, nkeywords,
				   &bits);
	if (code)
		return code;
	a->message = mem_resize(a->message, a->n + 1, sizeof(*a->message));
	return addition_begin(&a->message[a->n++], &a->f, flags, bits,
			      received < 0 ? clock_wall() : received);
}

int append_write(struct append *a, const void *data, size_t n)
{
	return incoming_write(&a->message[a->n - 1].in, data, n);
}

int append_commit(struct append *a, uint32_t *uidvalidity, uint32_t *uid,
		  struct folder_id *id)
{
	uint64_t none;
	int code = finish_last(a);

	if (!code)
		code = additions_wait(a->message, a->n);
	if (code)
		return code;
	code = folder_lock(&a->f);
	if (code == ERR_NOT_FOUND || code == ERR_CORRUPT) {
		folder_unlock(&a->f);
		code = add_prepare(a->store, a->name, NULL, 0, &none);
		if (!code)
			code = folder_lock(&a->f);
	}
	if (code) {
		folder_unlock(&a->f);
		return code == ERR_CORRUPT ? ERR_IO : code;
	}
	*uidvalidity = folder_uidvalidity(&a->f);
	*id = folder_id(&a->f);
	if (a->n > 0)
		return add_commit(&a->f, a->message, a->n, uid);
	*uid = folder_last(&a->f)->uidnext;
	folder_unlock(&a->f);
	return ERR_OK;
}

void append_free(struct append **out)
{
	struct append *a = *out;
	size_t i;

	if (!a)
		return;
	for (i = 0; i < a->n; i++)
		addition_end(&a->message[i]);
	free(a->message);
	free(a->name);
	folder_close(&a->f);
	free(a);
	*out = NULL;
}
