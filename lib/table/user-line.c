/*
 * A line of the users file into a struct user, field by field, and the rules
 * that hold for all lines together.
 */
#include "table/user-line.h"

#include <stdlib.h>
#include <string.h>

#include "address/address.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/map.h"
#include "base/str.h"
#include "server/user.h"
#include "table/proxy.h"
#include "table/quota-rule.h"

enum { NAME, PASSWORD, UID, GID, GECOS, HOME, SHELL, EXTRA, FIELDS };

/* Prefixes of hashes that crypt(3) knows by themselves. */
static const char *const crypt_schemes[] = { "{CRYPT}", "{SHA512-CRYPT}",
					     "{SHA256-CRYPT}", "{BLF-CRYPT}",
					     "{YESCRYPT}" };

/* Splits at colons; the last field has the rest. */
static void split(char *line, char *field[FIELDS])
{
	static char none[] = "";

	for (int i = 0; i < FIELDS; i++) {
		char *colon = i < FIELDS - 1 ? strchr(line, ':') : NULL;

		field[i] = line;
		if (colon)
			*colon = '\0';
		line = colon ? colon + 1 : none;
	}
}

/* The name in the form under which it is looked up. */
static char *canonical_name(const char *text)
{
	char out[ADDRESS_TEXT_SIZE];
	struct address a;

	if (address_parse(text, strlen(text), &a) || !*a.local || !*a.domain ||
	    text_key_fault(text))
		return NULL;
	return mem_strdup(str_lower(address_text(&a, out)));
}

const char *user_hash(const char *text, const char **why)
{
	for (size_t i = 0; i < sizeof(crypt_schemes) / sizeof(*crypt_schemes);
	     i++)
		if (str_starts_ci(text, crypt_schemes[i])) {
			text += strlen(crypt_schemes[i]);
			break;
		}
	if (*text == '{')
		*why = "unknown password scheme, the user cannot log in";
	else if (*text && *text != '$' && *text != '!' && *text != '*')
		*why = "the password is no hash of crypt(3), the user cannot "
		       "log in";
	return *text == '$' ? text : "";
}

static bool parse_ids(struct user *u, const char *uid, const char *gid)
{
	gid_t ignored;

	return (!*uid || user_find(uid, &u->uid, &ignored)) &&
	       (!*gid || group_find(gid, &u->gid)) && u->uid >= USER_UID_MIN;
}

/* "~/x" is below the home, "/x" is itself. */
static char *below_home(const char *home, const char *path)
{
	if (str_starts(path, "~/"))
		return mem_printf("%s/%s", home, path + 2);
	return *path == '/' ? mem_strdup(path) : NULL;
}

/* The mailbox: Maildir in the home, or what Dovecot's userdb_mail says. */
static char *find_maildir(const char *home, char *extra)
{
	static const char field[] = "userdb_mail=maildir:";
	char *word;

	while ((word = strsep(&extra, " "))) {
		if (!str_starts(word, field))
			continue;
		word += sizeof(field) - 1;
		word[strcspn(word, ":")] = '\0';
		return below_home(home, word);
	}
	return mem_printf("%s/Maildir", home);
}

/* BASE/domain/user. A name whose parts would lead elsewhere needs an explicit
 * home. */
static char *default_home(const char *name, const char *base)
{
	const char *at = strrchr(name, '@');

	if (strchr(name, '/') || *name == '.' || at[1] == '.')
		return NULL;
	return mem_printf("%s/%s/%.*s", base, at + 1, (int)(at - name), name);
}

void user_free(struct user *u)
{
	if (!u)
		return;
	free(u->name);
	if (u->hash)
		mem_wipe(u->hash, strlen(u->hash));
	free(u->hash);
	free(u->home);
	free(u->maildir);
	free(u->quota_rules);
	if (u->proxy)
		mem_wipe(u->proxy, strlen(u->proxy));
	free(u->proxy);
	free(u);
}

static bool take_rules(struct user *u, const char *extra)
{
	struct buf trees;
	bool good;

	buf_init(&trees, QUOTA_RULES_SIZE);
	good = quota_rule_find(extra, &u->quota, &trees);
	if (trees.len)
		u->quota_rules = mem_strdup(trees.data);
	buf_free(&trees);
	return good;
}

/* A fault keeps the user from logging in, and no mail. */
static const char *take_proxy(struct user *u, const char *extra)
{
	struct proxy_target t;
	const char *fault;

	if (!proxy_is_meant(extra))
		return NULL;
	u->proxy = mem_strdup(extra);
	fault = proxy_read(extra, true, &t);
	mem_wipe(&t, sizeof(t));
	return fault;
}

/* U exists, but its line cannot be used. */
static struct user *refuse(struct user *u, const char **why, const char *text)
{
	*why = text;
	u->refused = true;
	return u;
}

static void remove_final_slashes(char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
}

/* Two lines without a line end between them: the second user is lost in
 * fields of the first. */
static bool is_joined(char *const field[FIELDS])
{
	const char *hash = strchr(field[PASSWORD], '$');

	return (hash && strchr(hash, '@')) || strchr(field[SHELL], '@');
}

struct user *user_parse(char *line, const struct user_defaults *defaults,
			const char **why)
{
	char *field[FIELDS];
	const char *proxy;
	struct user *u;

	*why = NULL;
	line = str_trim(line);
	if (!*line || *line == '#')
		return NULL;
	split(line, field);
	u = mem_alloc(sizeof(*u));
	u->uid = defaults->uid;
	u->gid = defaults->gid;
	u->name = canonical_name(field[NAME]);
	if (!u->name) {
		*why = "expected: user@domain:password: …, with colons "
		       "between";
		user_free(u);
		return NULL;
	}
	if (is_joined(field))
		return refuse(u, why,
			      "the password or the shell holds an @: is a line "
			      "end missing?");
	if (!parse_ids(u, field[UID], field[GID]))
		return refuse(u, why,
			      "no such user or group, or root, as the owner");
	u->home = *field[HOME] ? mem_strdup(field[HOME])
			       : default_home(u->name, defaults->base);
	if (!u->home || *u->home != '/')
		return refuse(u, why, "the home is not an absolute path");
	remove_final_slashes(u->home);
	if (!take_rules(u, field[EXTRA]))
		*why = "userdb_quota_rule is not of the form "
		       "*:storage=1G:messages=1000, or Trash:storage=+10%: "
		       "the limits of all hold";
	proxy = take_proxy(u, field[EXTRA]);
	if (proxy)
		*why = proxy;
	u->maildir = find_maildir(u->home, field[EXTRA]);
	if (!u->maildir)
		return refuse(u, why, "userdb_mail is not an absolute path");
	remove_final_slashes(u->maildir);
	u->hash = mem_strdup(user_hash(field[PASSWORD], why));
	return u;
}

struct users {
	const struct text_reading *reading;
	const struct user_defaults *defaults;
	struct map *seen;
	void (*take)(void *context, struct user *user, unsigned line);
	void *context;
};

/* LINE, which does not have its LF any more; ENDED: it had one. */
static void take_line(struct users *all, char *line, unsigned number,
		      bool ended)
{
	bool whole = ended || strchr(line, ':');
	const char *why;
	struct user *u = user_parse(line, all->defaults, &why);

	if (u && !whole) {
		why = "the file ends within this line";
		u->refused = true;
	}
	if (why && (!u || u->refused))
		text_unclear(all->reading, number, why);
	else if (why)
		text_fault(all->reading, number, why);
	if (!u)
		return;
	if (map_put(all->seen, u->name, all)) {
		buf_printf(all->reading->faults, "%s:%u: %s is there already\n",
			   all->reading->path, number, u->name);
		user_free(u);
	} else {
		all->take(all->context, u, number);
	}
}

void users_parse(const struct text_reading *r, char *text, size_t n,
		 const struct user_defaults *defaults,
		 void (*take)(void *context, struct user *user, unsigned line),
		 void *context)
{
	struct users all = { r, defaults, map_new(), take, context };
	char *end = text + n, *line = text + (text_after_mark(text, n) - text);

	for (unsigned number = 1; line < end; number++) {
		char *lf = memchr(line, '\n', (size_t)(end - line));

		if (lf)
			*lf = '\0';
		take_line(&all, line, number, lf != NULL);
		line = lf ? lf + 1 : end;
	}
	map_free(&all.seen);
}
