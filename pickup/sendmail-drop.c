/*
 * The drop folder as a list of messages that wait there until pickup takes
 * them. Only root and net_user may read it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "intake/posting.h"
#include "pickup/sendmail.h"

#define ID_SIZE 64

/* The id of a file "mail.TIME.RANDOM": the time. */
static void make_id(char out[ID_SIZE], const char *name)
{
	const char *time = name + strlen(POSTING_DROP_PREFIX);
	size_t n = strcspn(time, ".");

	if (n >= ID_SIZE)
		n = ID_SIZE - 1;
	memcpy(out, time, n);
	out[n] = '\0';
}

/* Calls EACH for the posting FD. If it is not one, pickup puts it aside. An
 * error: it cannot be read now. */
static int tell(struct sendmail *s, const char *name, int fd,
		 bool (*each)(void *context, const struct queue_item *m),
		 void *context)
{
	struct queue_item_recipient *r;
	struct queue_item m = { .state = QUEUE_WAITING };
	struct envelope e;
	off_t offset, length;
	char id[ID_SIZE];
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return err_sys("look at", name);
	if (!S_ISREG(st.st_mode))
		return ERR_OK;
	err = posting_read(s->arena, fd, &e, &offset, &length);
	if (err)
		return err == ERR_SYNTAX || err == ERR_TOO_LONG ? ERR_OK : err;
	r = arena_alloc(s->arena, (e.nrecipients + 1) * sizeof(*r));
	for (size_t i = 0; i < e.nrecipients; i++)
		r[i] = (struct queue_item_recipient){
			e.recipient[i].address,
			"in the drop folder, until pickup takes it"
		};
	make_id(id, name);
	m.id = id;
	m.sender = e.sender;
	m.size = length;
	m.arrival = st.st_mtime;
	m.recipient = r;
	m.nrecipients = e.nrecipients;
	each(context, &m);
	return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The messages' names in the folder PATH, the oldest first. */
static int read_names(const char *path, struct strlist *names)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int err;

	if (!d)
		return err_sys("open", path);
	while (!(err = file_next(d, path, &e)) && e)
		if (str_starts(e->d_name, POSTING_DROP_PREFIX))
			strlist_add(names, e->d_name);
	closedir(d);
	if (names->n > 0)
		qsort(names->item, names->n, sizeof(*names->item), by_name);
	return err;
}

/* ERR_OK also for one that pickup has taken meanwhile, and for a link or a
 * socket, which pickup will put aside. */
static int list_one(struct sendmail *s, const char *path,
		    bool (*each)(void *context, const struct queue_item *m),
		    void *context)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO
			       ? ERR_OK
			       : err_sys("open", path);
	err = tell(s, strrchr(path, '/') + 1, fd, each, context);
	close(fd);
	return err;
}

int sendmail_list_drop(struct sendmail *s,
		       bool (*each)(void *context, const struct queue_item *m),
		       void *context)
{
	const char *path =
		arena_printf(s->arena, "%s/drop",
			     config_string(s->config, "queue_directory"));
	struct strlist names = { 0 };
	int err = read_names(path, &names);

	for (size_t i = 0; i < names.n; i++) {
		int failed = list_one(
			s, arena_printf(s->arena, "%s/%s", path, names.item[i]),
			each, context);

		if (failed)
			err = failed;
	}
	strlist_free(&names);
	return err;
}
