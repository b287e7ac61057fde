/*
 * The drop folder as a list of messages: what waits there until pickup takes
 * it. Only root and net_user may look into it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "queue/submit.h"
#include "submit/sendmail.h"

#define ID_SIZE 64

/* The id of a file "mail.TIME.RANDOM": the time. */
static void make_id(char out[ID_SIZE], const char *name)
{
	const char *time = name + strlen(SUBMIT_DROP_PREFIX);
	size_t n = strcspn(time, ".");

	if (n >= ID_SIZE)
		n = ID_SIZE - 1;
	memcpy(out, time, n);
	out[n] = '\0';
}

/* Calls EACH for the submission FD. What is none pickup will put aside. */
static void tell(struct sendmail *s, const char *name, int fd,
		 bool (*each)(void *context, const struct queue_item *m),
		 void *context)
{
	struct queue_item_recipient *r;
	struct queue_item m = { .state = QUEUE_WAITING };
	struct envelope e;
	off_t offset, length;
	char id[ID_SIZE];
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    submit_read(s->arena, fd, &e, &offset, &length))
		return;
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
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_message(const struct dirent *e)
{
	return str_starts(e->d_name, SUBMIT_DROP_PREFIX);
}

int sendmail_list_drop(struct sendmail *s,
		       bool (*each)(void *context, const struct queue_item *m),
		       void *context)
{
	const char *path =
		arena_printf(s->arena, "%s/drop",
			     config_string(s->config, "queue_directory"));
	struct dirent **entry = NULL;
	int n = scandir(path, &entry, is_message, by_name);

	if (n < 0)
		return err_from_errno(errno);
	for (int i = 0; i < n; i++) {
		const char *name = entry[i]->d_name;
		int fd = open(arena_printf(s->arena, "%s/%s", path, name),
			      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0) {
			tell(s, name, fd, each, context);
			close(fd);
		}
		free(entry[i]);
	}
	free(entry);
	return ERR_OK;
}
