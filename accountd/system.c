#include "accountd/system.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "table/quota-rule.h"

#define KEEP_MS 10000
#define KEPT_MAX 5000 /* then all are forgotten */
#define ENTRY_MAX 65536
/* Persons have user ids from here on, in all distributions, … */
#define PERSON_MIN 1000
/* … and these are nobody. */
#define NOBODY 65534

struct kept {
	int64_t until_ms;
	bool found;
	struct user user;
};

static struct {
	bool offered;
	const char *home_mailbox;
	struct map *kept; /* name → struct kept */
} self;

void system_begin(const struct config *c)
{
	self.offered = config_bool(c, "local_users");
	self.home_mailbox = config_string(c, "home_mailbox");
	if (!*self.home_mailbox || *self.home_mailbox == '/')
		log_die(EX_CONFIG,
			"home_mailbox wants a path below the home: %s",
			self.home_mailbox);
	self.kept = map_new();
}

static void free_kept(struct kept *k)
{
	free(k->user.name);
	free(k->user.hash);
	free(k->user.home);
	free(k->user.maildir);
	free(k);
}

static void forget_all(void)
{
	size_t at = 0;
	void *value;

	while (map_next(self.kept, &at, &value))
		free_kept(value);
	map_free(&self.kept);
	self.kept = map_new();
}

static void fill(struct user *u, const struct passwd *p)
{
	size_t n;

	u->name = mem_strdup(p->pw_name);
	u->hash = mem_strdup("");
	u->home = mem_strdup(p->pw_dir);
	u->maildir = mem_printf("%s/%s", p->pw_dir, self.home_mailbox);
	n = strlen(u->maildir);
	while (n > 1 && u->maildir[n - 1] == '/')
		u->maildir[--n] = '\0';
	u->quota = (struct quota_limits){ QUOTA_DEFAULT, QUOTA_DEFAULT };
	u->uid = p->pw_uid;
	u->gid = p->pw_gid;
}

/* Asks the system. NULL if it could not tell. */
static struct kept *ask(const char *name)
{
	struct passwd entry, *p;
	char *text = mem_alloc(ENTRY_MAX);
	int err = getpwnam_r(name, &entry, text, ENTRY_MAX, &p);
	struct kept *k = NULL;

	/* getpwnam_r(3) lists what systems say for "no such user" */
	if (err == 0 || err == ENOENT || err == ESRCH) {
		k = mem_alloc(sizeof(*k));
		k->until_ms = clock_ms() + KEEP_MS;
		k->found = p && *p->pw_dir == '/';
		if (k->found)
			fill(&k->user, p);
	} else {
		log_warn("cannot look up the system user %s: %s", name,
			 strerror(err));
	}
	free(text);
	return k;
}

enum users_status system_find(const char *name, const struct user **user)
{
	struct kept *k, *old;

	if (!self.offered)
		return USERS_NONE;
	k = map_get(self.kept, name);
	if (!k || clock_ms() >= k->until_ms) {
		if (map_count(self.kept) >= KEPT_MAX)
			forget_all();
		k = ask(name);
		if (!k) {
			err_set(ERR_TEMP,
				"%s: the system's users cannot be "
				"read now",
				name);
			return USERS_TEMP;
		}
		old = map_put(self.kept, name, k);
		if (old)
			free_kept(old);
	}
	*user = &k->user;
	return k->found ? USERS_FOUND : USERS_NONE;
}

enum account_status system_receives(const struct account *a)
{
	if (file_owned_dir(a->home, a->uid) != ERR_NOT_FOUND ||
	    file_owned_dir(a->maildir, a->uid) == ERR_OK)
		return ACCOUNT_FOUND;
	return a->uid < PERSON_MIN || a->uid == NOBODY ? ACCOUNT_NONE
						       : ACCOUNT_TEMP;
}
