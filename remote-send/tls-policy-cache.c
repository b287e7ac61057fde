/*
 * A record of the database is one policy as text, with the domain as key, and
 * is checked when it is read like anything else from outside. All of them are
 * also in memory; to make room an expired one is dropped, or else any. A new
 * policy is synced before the next is fetched.
 */
#include "remote-send/tls-policy-cache.h"

#include <db.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "log/log.h"

#define VALUE_MAX 32768

struct cache {
	struct map *map; /* domain to struct cached */
	DB *db;		 /* or NULL */
};

static const char *const modes[] = { "none", "testing", "enforce" };

static void cached_free(struct cached *e)
{
	if (!e)
		return;
	strlist_free(&e->policy.mx);
	free(e);
}

static bool expired(const struct cached *e, time_t now)
{
	return now - e->fetched >= e->policy.max_age;
}

/* The value in the file: "id mode fetched max_age mx mx …". */
static void write_value(struct buf *b, const struct cached *e)
{
	buf_printf(b, "%s %s %lld %lld", e->id, modes[e->policy.mode],
		   (long long)e->fetched, (long long)e->policy.max_age);
	for (size_t i = 0; i < e->policy.mx.n; i++)
		buf_printf(b, " %s", e->policy.mx.item[i]);
}

static bool read_mode(const char *word, enum policy_mode *mode)
{
	for (int i = POLICY_NONE; i <= POLICY_ENFORCE; i++)
		if (strcmp(modes[i], word) == 0) {
			*mode = (enum policy_mode)i;
			return true;
		}
	return false;
}

static struct cached *read_value(const char *text)
{
	struct cached *e = mem_alloc(sizeof(*e));
	struct strlist word = { 0 };
	bool good;

	strlist_split(&word, text);
	good = word.n >= 4 && word.n <= 4 + STS_MX_MAX &&
	       str_copy(e->id, sizeof(e->id), word.item[0]) &&
	       read_mode(word.item[1], &e->policy.mode) &&
	       str_to_int(word.item[2], 0, INT64_MAX / 2, &e->fetched) &&
	       str_to_int(word.item[3], 0, STS_AGE_MAX, &e->policy.max_age);
	for (size_t i = 4; good && i < word.n; i++)
		strlist_add(&e->policy.mx, word.item[i]);
	strlist_free(&word);
	if (good)
		return e;
	cached_free(e);
	return NULL;
}

static void keep(struct cache *c, const char *domain, struct cached *e)
{
	cached_free(map_put(c->map, domain, e));
}

/* One record of the file into memory; false if it is not one of ours. */
static bool load_record(struct cache *c, const DBT *key, const DBT *value)
{
	char *domain = mem_strndup(key->data, key->size);
	char *text = mem_strndup(value->data, value->size);
	struct cached *e = read_value(text);

	if (e)
		keep(c, domain, e);
	free(domain);
	free(text);
	return e != NULL;
}

static int load(struct cache *c)
{
	DBT key = { 0 }, value = { 0 };
	DBC *cursor;
	int err = c->db->cursor(c->db, NULL, &cursor, 0);

	if (err)
		return err;
	while ((err = cursor->get(cursor, &key, &value, DB_NEXT)) == 0 &&
	       map_count(c->map) < CACHE_MAX)
		if (!load_record(c, &key, &value))
			log_warn("dropping a malformed TLS policy from the "
				 "cache");
	cursor->close(cursor);
	return err == DB_NOTFOUND ? 0 : err;
}

/* A file that was torn by a power cut may open and fail later, or worse, so it
 * is verified first. */
static bool is_sound(const char *path)
{
	DB *db;

	if (access(path, F_OK) < 0)
		return true;
	if (db_create(&db, NULL, 0))
		return false;
	db->set_errfile(db, NULL);
	return db->verify(db, path, NULL, NULL, 0) == 0;
}

/* What cannot be understood may be from another version: it is kept. */
static int put_aside(const char *path)
{
	char *to =
		mem_printf("%s.damaged-%lld", path, (long long)clock_wall());
	int err = rename(path, to) < 0 ? err_sys("put aside", path) : ERR_OK;

	if (!err)
		log_error("%s is damaged: it is now called %s, and begun anew",
			  path, to);
	free(to);
	return err;
}

static int open_database(struct cache *c, const char *path)
{
	int err = db_create(&c->db, NULL, 0);

	if (err)
		return err_set(ERR_IO, "%s", db_strerror(err));
	c->db->set_errfile(c->db, NULL);
	err = c->db->open(c->db, NULL, path, NULL, DB_BTREE, DB_CREATE, 0600);
	if (!err)
		err = load(c);
	if (!err)
		return ERR_OK;
	c->db->close(c->db, 0);
	c->db = NULL;
	return err_set(ERR_IO, "cannot open %s: %s", path, db_strerror(err));
}

static int open_file(struct cache *c, const char *path)
{
	int err = is_sound(path) ? ERR_OK : put_aside(path);

	return err ? err : open_database(c, path);
}

struct cache *cache_open(const char *path)
{
	struct cache *c = mem_alloc(sizeof(*c));
	int err;

	c->map = map_new();
	err = open_file(c, path);
	if (err)
		log_error("%s; TLS policies are kept in memory alone",
			  err_why(err));
	return c;
}

static void forget(struct cache *c, const char *domain)
{
	DBT key = { .data = mem_strdup(domain),
		    .size = (u_int32_t)strlen(domain) };

	cached_free(map_remove(c->map, domain));
	if (c->db) /* if it stays, it has expired when it is read again */
		c->db->del(c->db, NULL, &key, 0);
	free(key.data);
}

const struct cached *cache_get(struct cache *c, const char *domain, time_t now)
{
	struct cached *e = map_get(c->map, domain);

	/* the clock was set back: it counts from now, so it is not forgotten,
	 * and lasts no longer than its domain asked for */
	if (e && now < e->fetched)
		e->fetched = now;
	if (e && expired(e, now)) {
		forget(c, domain);
		return NULL;
	}
	return e;
}

/* Makes room by dropping an expired policy, or else any. */
static void make_room(struct cache *c, time_t now)
{
	const char *domain, *any = NULL;
	size_t pos = 0;
	void *value;

	while ((domain = map_next(c->map, &pos, &value))) {
		any = domain;
		if (expired(value, now))
			break;
	}
	if (any) {
		char *copy = mem_strdup(domain ? domain : any);

		forget(c, copy);
		free(copy);
	}
}

static void store(struct cache *c, const char *domain, const struct cached *e)
{
	DBT key = { 0 }, value = { 0 };
	struct buf b;
	char *name = mem_strdup(domain);
	int err;

	buf_init(&b, VALUE_MAX);
	write_value(&b, e);
	key.data = name;
	key.size = (u_int32_t)strlen(name);
	value.data = b.data;
	value.size = (u_int32_t)b.len;
	err = b.over ? 0 : c->db->put(c->db, NULL, &key, &value, 0);
	if (!err)
		err = c->db->sync(c->db, 0);
	if (err)
		log_error("cannot keep the TLS policy of %s: %s", domain,
			  db_strerror(err));
	buf_free(&b);
	free(name);
}

void cache_put(struct cache *c, const char *domain, const char *id,
	       const struct sts_policy *p, time_t now)
{
	struct cached *e = mem_alloc(sizeof(*e));

	str_copy(e->id, sizeof(e->id), id);
	e->fetched = now;
	e->policy.mode = p->mode;
	e->policy.max_age = p->max_age;
	for (size_t i = 0; i < p->mx.n; i++)
		strlist_add(&e->policy.mx, p->mx.item[i]);
	if (map_count(c->map) >= CACHE_MAX)
		make_room(c, now);
	keep(c, domain, e);
	if (c->db)
		store(c, domain, e);
}

void cache_close(struct cache **cp)
{
	struct cache *c = *cp;
	size_t pos = 0;
	void *value;

	while (map_next(c->map, &pos, &value))
		cached_free(value);
	map_free(&c->map);
	if (c->db)
		c->db->close(c->db, 0);
	free(c);
	*cp = NULL;
}
