#include "accountd/users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "accountd/user-line.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "base/str.h"
#include "log/log.h"
#include "server/user.h"

#define FILE_MAX_BYTES (256 << 20)
#define LOOK_MS 1000

/* Matches no password: sha512-crypt, which costs about as much to check as a
 * real one. */
static const char dummy_hash[] =
	"$6$posthorn.dummy.1$ZU/qQcBsr1OPfK3cmkkcjPmPEoSKPXnaq3p3hBR4WwMV/vFo"
	"Fb8Xs7FZQvGrETUnbuaTS2FuM/d55EMhEsYXa0";

static struct {
	const char *path;
	bool wanted; /* there are domains with virtual users */
	struct user_defaults defaults;
	struct map *users; /* name → struct user; NULL: never read */
	char *dummy;	   /* the first hash of the file */
	int64_t looked_ms;
	struct stamp seen;
	bool unclear; /* not empty, but without a user: not a users file */
	char *told;   /* why it cannot be read, as logged; or NULL */
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
		log_die(EX_CONFIG, "virtual_uid_maps: there is no user %s",
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
	if (self.wanted)
		read_owner(c);
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

static void take_line(struct map *users, char *line, int number)
{
	const char *why;
	struct user *u = user_parse(line, &self.defaults, &why);

	if (why)
		log_error("%s:%d: %s", self.path, number, why);
	if (!u)
		self.unclear = self.unclear || why;
	if (!u)
		return;
	if (!self.dummy && u->hash && *u->hash)
		self.dummy = mem_strdup(u->hash);
	if (map_get(users, u->name)) {
		log_error("%s:%d: %s is there already", self.path, number,
			  u->name);
		user_free(u);
		return;
	}
	map_put(users, u->name, u);
}

static void take_text(char *text)
{
	struct map *users = map_new();
	int number = 0;
	char *line;

	free(self.dummy);
	self.dummy = NULL;
	self.unclear = false;
	while ((line = strsep(&text, "\n")))
		take_line(users, line, ++number);
	self.unclear = self.unclear && map_count(users) == 0;
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
		take_text(text.data);
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

enum users_status users_find(const char *name, const struct user **user)
{
	if (!self.wanted)
		return USERS_NONE;
	look();
	if (!self.users)
		return USERS_TEMP;
	*user = map_get(self.users, name);
	if (*user)
		return (*user)->refused ? USERS_TEMP : USERS_FOUND;
	return self.unclear ? USERS_TEMP : USERS_NONE;
}

const char *users_dummy_hash(void)
{
	return self.dummy ? self.dummy : dummy_hash;
}
