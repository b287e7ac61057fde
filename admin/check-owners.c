/*
 * posthorn check: whom the mailboxes of virtual users belong to. A session runs
 * as the owner, so none may be a user of the suite's programs, whom the private
 * sockets trust. The default was net_user once: where that user still has the
 * mail, mail_user cannot deliver to it. Nor can any user where another has it,
 * root for instance, who restored a backup.
 */
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/check.h"
#include "admin/doubts.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/user.h"
#include "service/own-users.h"

struct owners {
	struct own_users own;
	uid_t map; /* of virtual_uid_maps; (uid_t)-1: unknown */
	char *trusted, *foreign; /* the first of each kind; or NULL */
	unsigned ntrusted, nforeign;
};

/* Master tells of it, since a reload with it is refused. */
static void find_map(const struct config *c, struct owners *o)
{
	const char *map = config_string(c, "virtual_uid_maps");
	gid_t ignored;

	if (!str_starts(map, "static:") ||
	    !user_find(map + 7, &o->map, &ignored))
		o->map = (uid_t)-1;
}

/* What makes all in U's home that of its user. */
static char *chown_of(const struct user *u)
{
	const struct passwd *p = getpwuid(u->uid);
	const char *place = str_starts(u->maildir, u->home) ? u->home
							    : u->maildir;

	if (p)
		return mem_printf("chown -R %s: %s", p->pw_name, place);
	return mem_printf("chown -R %lu %s", (unsigned long)u->uid, place);
}

static void note(char **first, unsigned *count, char *text)
{
	if ((*count)++ == 0)
		*first = text;
	else
		free(text);
}

/* A mailbox's directories; its other folders are not looked at. */
static const char *const parts[] = { "", "/new", "/cur" };

/* Does a part of U's mailbox belong to another user, *OWNER, who lets nobody
 * else write there? */
static bool is_foreign(const struct user *u, uid_t *owner)
{
	struct stat st;
	char *path;
	bool found = false;

	for (size_t i = 0; !found && i < sizeof(parts) / sizeof(*parts); i++) {
		path = mem_printf("%s%s", u->maildir, parts[i]);
		found = stat(path, &st) == 0 && st.st_uid != u->uid &&
			!(st.st_mode & (S_IWGRP | S_IWOTH));
		*owner = st.st_uid;
		free(path);
	}
	return found;
}

/* What an administrator calls the user UID. Free it. */
static char *name_of(const struct owners *o, uid_t uid)
{
	const char *param = own_users_param(&o->own, uid);
	const struct passwd *p = param ? NULL : getpwuid(uid);

	if (param || p)
		return mem_strdup(param ? param : p->pw_name);
	return mem_printf("uid %lu", (unsigned long)uid);
}

static void note_foreign(struct owners *o, const struct user *u, unsigned line,
			 uid_t owner)
{
	char *name = name_of(o, owner), *mend = chown_of(u);

	note(&o->foreign, &o->nforeign,
	     mem_printf("line %u: the mailbox of %s belongs to %s, and its "
			"mail waits until it is given to its user: %s",
			line, u->name, name, mend));
	free(name);
	free(mend);
}

static void look_at(struct owners *o, const struct user *u, unsigned line)
{
	const char *param = own_users_param(&o->own, u->uid);
	uid_t owner;

	if (param && u->uid != o->map)
		note(&o->trusted, &o->ntrusted,
		     mem_printf("line %u: %s has the uid of %s", line, u->name,
				param));
	if (!param && is_foreign(u, &owner))
		note_foreign(o, u, line, owner);
}

static void take_user(void *context, struct user *u, unsigned line)
{
	if (!u->refused)
		look_at(context, u, line);
	user_free(u);
}

static void tell(struct findings *f, const struct owners *o)
{
	if (o->trusted)
		check_fault(f,
			    "virtual_users_file: %s, " OWN_USERS_DANGER "; name another, "
			    "and give it the mail that is there: chown -R "
			    "(such users: %u)",
			    o->trusted, o->ntrusted);
	if (o->foreign)
		check_fault(f, "virtual_users_file: %s (such mailboxes: %u)",
			    o->foreign, o->nforeign);
}

/* Without root all is one user. */
void check_owners(struct findings *f, const struct config *c)
{
	struct owners o = { 0 };
	struct buf faults, doubt;

	if (geteuid() != 0 || config_list(c, "virtual_mailbox_domains")->n == 0)
		return;
	own_users_find(&o.own, c);
	find_map(c, &o);
	buf_init(&faults, 1 << 20);
	buf_init(&doubt, 1 << 20);
	/* check_lines tells of faults, check_files why it cannot be read */
	err_ignore(doubts_of_users(c, &faults, &doubt, take_user, &o));
	tell(f, &o);
	buf_free(&faults);
	buf_free(&doubt);
	free(o.trusted);
	free(o.foreign);
}
