/*
 * The file of virtual users is parsed as a whole (table/user-line.h) into a new
 * map, which then replaces the one before, so that no question sees a part of
 * it. It counts as read only if it was the same file before and after: one that
 * is being written is looked at again a second later. What cannot be read
 * leaves the former map in use. What is complained of is said once, not at each
 * look.
 */
#include "accountd/users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "base/str.h"
#include "log/log.h"
#include "log/rate.h"
#include "server/user.h"
#include "service/own-users.h"
#include "table/user-line.h"

#define FILE_MAX_BYTES (256 << 20)
#define LOOK_MS 1000
#define FAULTS_MAX (1 << 20)

/* Matches no password: sha512-crypt, which costs about as much to check as a
 * real one. */
static const char dummy_hash[] =
	"$6$posthorn.dummy.1$ZU/qQcBsr1OPfK3cmkkcjPmPEoSKPXnaq3p3hBR4WwMV/vFo"
	"Fb8Xs7FZQvGrETUnbuaTS2FuM/d55EMhEsYXa0";

static struct {
	const char *path;
	bool wanted; /* there are domains with virtual users */
	struct user_defaults defaults;
	struct own_users own;
	bool told_own;	   /* that a mailbox belongs to one of them */
	struct map *users; /* name → struct user; NULL: never read */
	char *dummy;	   /* the first hash of the file */
	int64_t looked_ms;
	struct stamp seen;
	struct buf doubt; /* the first line that is not understood */
	struct log_rate unsure_lines;
	char *told; /* why it cannot be read, as logged; or NULL */
} self;

/* What follows "static:". Ends the process if nothing does. */
static const char *static_value(const struct config *c, const char *parameter)
{
	const char *text = config_string(c, parameter);

	if (!str_starts(text, "static:"))
		log_die(EX_CONFIG, "%s wants static: and a name or number: %s",
			parameter, text);
	return text + 7;
}

static void read_owner(const struct config *c)
{
	const char *user = static_value(c, "virtual_uid_maps");
	const char *group = static_value(c, "virtual_gid_maps");
	gid_t ignored;

	if (!user_find(user, &self.defaults.uid, &ignored))
		log_die(EX_CONFIG,
			"virtual_uid_maps: there is no user %s; make it with "
			"useradd --system",
			user);
	if (self.defaults.uid < USER_UID_MIN)
		log_die(EX_CONFIG,
			"virtual_uid_maps = static:%s: is root, who must not "
			"own mailboxes; name another user",
			user);
	if (!group_find(group, &self.defaults.gid))
		log_die(EX_CONFIG, "virtual_gid_maps: there is no group %s",
			group);
}

void users_begin(const struct config *c)
{
	self.path = config_string(c, "virtual_users_file");
	self.wanted = config_list(c, "virtual_mailbox_domains")->n > 0;
	self.defaults.base = config_string(c, "virtual_mailbox_base");
	buf_init(&self.doubt, 65536);
	if (self.wanted)
		read_owner(c);
	own_users_find(&self.own, c);
}

static void free_users(struct map **users)
{
	size_t at = 0;
	void *user;

	if (!*users)
		return;
	while (map_next(*users, &at, &user))
		user_free(user);
	map_free(users);
}

/* A mailbox that belongs to one of the suite's own users is dangerous, but its
 * mail has to go on: installations from before mail_user have such. */
static void warn_of_own(const struct user *u, unsigned line)
{
	const char *param =
		u->refused ? NULL : own_users_param(&self.own, u->uid);

	if (!param || self.told_own)
		return;
	log_warn("%s:%u: the mailbox of %s belongs to %s, whom the suite's own "
		 "sockets trust: a session that is taken over could use them; "
		 "posthorn check says what mends that",
		 self.path, line, u->name, param);
	self.told_own = true;
}

static void take_user(void *context, struct user *u, unsigned line)
{
	struct map *users = context;

	warn_of_own(u, line);
	if (!self.dummy && u->hash && *u->hash)
		self.dummy = mem_strdup(u->hash);
	map_put(users, u->name, u);
}

static void take_text(char *text, size_t n)
{
	struct map *users = map_new();
	struct buf faults;
	const struct text_reading r = { .path = self.path,
					.faults = &faults,
					.doubt = &self.doubt };

	free(self.dummy);
	self.dummy = NULL;
	buf_init(&faults, FAULTS_MAX);
	buf_reset(&self.doubt);
	users_parse(&r, text, n, &self.defaults, take_user, users);
	log_error_lines(NULL, faults.data);
	if (self.doubt.len)
		log_error("%s: mail and logins of names that are not found "
			  "wait until that is mended",
			  self.path);
	buf_free(&faults);
	free_users(&self.users);
	self.users = users;
	log_debug("%s: %zu users", self.path, map_count(users));
}

static void complain(const char *why)
{
	if (self.told && str_equal(self.told, why))
		return;
	log_error("virtual_users_file: %s%s", why,
		  self.users ? "; the former content stays in use" : "");
	free(self.told);
	self.told = mem_strdup(why);
}

/* False: the file changed meanwhile, so this may be incomplete. */
static bool read_users(void)
{
	struct buf text;
	bool whole;
	int err;

	buf_init(&text, FILE_MAX_BYTES);
	err = file_read(self.path, &text);
	whole = stamp_holds(&self.seen, self.path);
	if (err) {
		complain(err_why(err));
	} else if (memchr(text.data, '\0', text.len)) {
		complain(err_why(
			err_set(ERR_SYNTAX, "%s holds a NUL", self.path)));
	} else if (whole) {
		free(self.told);
		self.told = NULL;
		take_text(text.data, text.len);
	}
	mem_wipe(text.data, text.len);
	buf_free(&text);
	return whole;
}

/* Sees whether the file changed. */
static void look(void)
{
	struct stamp former = self.seen;
	int64_t now = clock_ms();

	if (self.looked_ms && now - self.looked_ms < LOOK_MS)
		return;
	self.looked_ms = now;
	switch (stamp_look(&self.seen, self.path, true)) {
	case STAMP_LOST:
		complain(err_why(err_sys("look at", self.path)));
		break;
	case STAMP_CUT:
		complain(err_why(err_set(ERR_SYNTAX,
					 "%s was emptied or cut within a "
					 "line, not replaced",
					 self.path)));
		break;
	case STAMP_NEW:
		if (!read_users())
			self.seen = former;
		break;
	case STAMP_SAME:
	case STAMP_BUSY:
		break;
	}
}

/* NAME is not found, but may be in a line that is not understood. */
static enum users_status doubt_it(const char *name)
{
	if (log_rate_allows(&self.unsure_lines, 1, "names that are not found"))
		log_warn("%s is not found, but may be in what is not "
			 "understood: %s",
			 name, self.doubt.data);
	err_set(ERR_TEMP,
		"%s is not found, but may be in what is not "
		"understood: %s",
		name, self.doubt.data);
	return USERS_UNSURE;
}

/* The line of NAME was complained of when it was read. */
static enum users_status refuse(const char *name)
{
	err_set(ERR_TEMP, "%s: the line of %s is not understood", self.path,
		name);
	return USERS_TEMP;
}

enum users_status users_find(const char *name, const struct user **user)
{
	if (!self.wanted)
		return USERS_NONE;
	look();
	if (!self.users) {
		err_set(ERR_TEMP, "%s cannot be read", self.path);
		return USERS_TEMP;
	}
	*user = map_get(self.users, name);
	if (*user)
		return (*user)->refused ? refuse(name) : USERS_FOUND;
	return self.doubt.len ? doubt_it(name) : USERS_NONE;
}

const char *users_dummy_hash(void)
{
	return self.dummy ? self.dummy : dummy_hash;
}
