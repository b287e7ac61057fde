/* posthorn check: files in the queue that wait for the administrator. Mail may
 * be in them, and nothing happens to it until somebody mends them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/check.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "intake/posting.h"
#include "queue/id.h"
#include "queue/slot.h"
#include "server/user.h"

#define NAMED_MAX 3 /* of many files only the first are named */

struct tally {
	const char *base; /* queue_directory */
	uid_t uid;	  /* whose the files are to be */
	size_t n;
	struct buf names;
	struct buf unread; /* why a folder could not be listed */
};

static void tally_add(struct tally *t, const char *name, const char *why)
{
	if (t->n < NAMED_MAX)
		buf_printf(&t->names, "%s%s%s%s%s", t->n ? ", " : "", name,
			   *why ? " (" : "", why, *why ? ")" : "");
	else if (t->n == NAMED_MAX)
		buf_puts(&t->names, ", …");
	t->n++;
}

typedef void visit(struct tally *t, const char *path, const char *name);

/* Why FOLDER, or the rest of it, is not known: but what is missing or closed to
 * the caller, other checks or his rights explain. */
static void note_unread(struct tally *t, int code)
{
	if (code && code != ERR_NOT_FOUND && code != ERR_DENIED &&
	    t->unread.len == 0)
		buf_puts(&t->unread, err_why(code));
}

/* Calls EACH with the name, from base on, of all that is in FOLDER but hidden
 * names. */
static void walk(struct tally *t, const char *folder, visit *each)
{
	char *full = mem_printf("%s/%s", t->base, folder);
	DIR *d = opendir(full);
	struct dirent *e = NULL;
	int code = d ? file_next(d, full, &e) : err_sys("open", full);

	while (!code && e) {
		char *path = mem_printf("%s/%s", folder, e->d_name);

		if (e->d_name[0] != '.')
			each(t, path, e->d_name);
		free(path);
		code = file_next(d, full, &e);
	}
	note_unread(t, code);
	if (d)
		closedir(d);
	free(full);
}

static void tally_begin(struct tally *t)
{
	buf_init(&t->names, 4096);
	buf_init(&t->unread, 4096);
}

static void tally_end(struct tally *t)
{
	buf_free(&t->names);
	buf_free(&t->unread);
}

/* Is PATH of type TYPE, the user's, and has he the rights MODE? Files come and
 * go meanwhile. */
static void look_at(struct tally *t, const char *path, mode_t type, mode_t mode)
{
	char *full = mem_printf("%s/%s", t->base, path);
	struct stat st;

	if (lstat(full, &st) == 0) {
		if ((st.st_mode & S_IFMT) != type)
			tally_add(t, path, "is no slot");
		else if (st.st_uid != t->uid)
			tally_add(t, path, "belongs to another user");
		else if ((st.st_mode & mode) != mode)
			tally_add(t, path, "its mode is too narrow");
	}
	free(full);
}

static void look_at_slot(struct tally *t, const char *path, const char *name)
{
	uint32_t number;

	if (queue_slot_from_name(name, &number))
		look_at(t, path, S_IFREG, 0600);
}

static void look_at_folder(struct tally *t, const char *path, const char *name)
{
	if (strlen(name) != 2)
		return;
	look_at(t, path, S_IFDIR, 0700);
	walk(t, path, look_at_slot);
}

static void count_one(struct tally *t, const char *path, const char *name)
{
	(void)name;
	tally_add(t, path, "");
}

static void count_aside(struct tally *t, const char *path, const char *name)
{
	if (str_starts(name, POSTING_ASIDE_PREFIX))
		tally_add(t, path, "");
}

/* Is the message in the slot at PATH that of another slot: a copy made by hand?
 * qmgr would not deliver it. */
static bool is_copy(const struct tally *t, const char *path, uint32_t number)
{
	char *full = mem_printf("%s/%s", t->base, path);
	struct slot_super s;
	struct stat st;
	uint32_t slot;
	bool copy;
	int fd = -1;

	/* opening a device may have effects */
	if (lstat(full, &st) == 0 && S_ISREG(st.st_mode))
		fd = open(full,
			  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	copy = fd >= 0 && slot_super_find(fd, &s) == ERR_OK && !s.freed &&
	       queue_id_slot(s.id, &slot) && slot != number;

	if (fd >= 0)
		close(fd);
	free(full);
	return copy;
}

static void look_for_stray(struct tally *t, const char *path, const char *name)
{
	char right[QUEUE_PATH_SIZE];
	uint32_t number;

	if (!queue_slot_from_name(name, &number)) {
		tally_add(t, path, "is not the name of a slot");
		return;
	}
	queue_slot_path(right, number);
	if (strcmp(path, right) != 0)
		tally_add(t, path, "is in the wrong folder");
	else if (is_copy(t, path, number))
		tally_add(t, path, "holds the message of another slot");
}

static void look_for_strays(struct tally *t, const char *path, const char *name)
{
	uint32_t number;

	if (strlen(name) == 2)
		walk(t, path, look_for_stray);
	else if (queue_slot_from_name(name, &number))
		tally_add(t, path, "is in the wrong folder");
}

static void check_slots(struct findings *f, struct tally *t, const char *user)
{
	walk(t, "queue", look_at_folder);
	if (t->n)
		check_warning(
			f,
			"queue_directory = %s: %s, the queue_user, cannot "
			"use %zu of the files in it, and mail may be in "
			"them: %s; chown -R %s: %s/queue, chmod -R "
			"u=rwX,go= %s/queue, then posthorn queue flush "
			"ALL",
			t->base, user, t->n, t->names.data, user, t->base,
			t->base);
}

/* What else waits for the administrator, by folder of the queue. */
static const struct place {
	const char *folder;
	visit *look;
	const char *one; /* what there is, if it is one, or several */
	const char *several;
	const char *advice;
} places[] = {
	/* what qmgr does not look at, or would put into corrupt/ */
	{ "queue", look_for_strays,
	  "file in the queue is not where mail is looked for",
	  "files in the queue are not where mail is looked for",
	  "if mail is in it, posthorn-queue(5) says how to put it back, else "
	  "remove it" },
	{ "corrupt", count_one, "damaged file, perhaps mail, lies there",
	  "damaged files, perhaps mail, lie there",
	  "posthorn-queue(5) says what to do" },
	{ "drop", count_aside,
	  "file that local programs left could not be taken, perhaps mail",
	  "files that local programs left could not be taken, perhaps mail",
	  "posthorn-queue(5) says what to do" },
};

static void check_place(struct findings *f, const char *base,
			const struct place *p)
{
	struct tally t = { .base = base };

	tally_begin(&t);
	walk(&t, p->folder, p->look);
	if (t.n)
		check_warning(f, "queue_directory = %s: %zu %s: %s; %s", base,
			      t.n, t.n == 1 ? p->one : p->several,
			      t.names.data, p->advice);
	if (t.unread.len > 0)
		check_warning(f,
			      "queue_directory = %s: %s: what waits there is "
			      "not all known",
			      base, t.unread.data);
	tally_end(&t);
}

void check_queue(struct findings *f, const struct config *c)
{
	const char *user = config_string(c, "queue_user");
	struct tally slots = { .base = config_string(c, "queue_directory") };
	gid_t gid;

	if (geteuid() != 0)
		slots.uid = geteuid();
	else if (!user_find(user, &slots.uid, &gid))
		return; /* check_start says so */
	tally_begin(&slots);
	check_slots(f, &slots, user);
	tally_end(&slots);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		check_place(f, slots.base, &places[i]);
}
