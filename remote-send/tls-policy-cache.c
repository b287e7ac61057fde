/*
 * All policies are in memory, and as lines in a file that only grows: a line that
 * was synced is never written again, so a power cut takes none away. What it
 * leaves of the last line is no line, since each has its checksum. When most
 * lines are of policies that were replaced, the others are written to a second
 * file, whose head then gets a higher number: the file with the highest one
 * counts. Both stay open, since this process opens nothing later. To make room
 * an expired policy is dropped, or else any.
 */
#include "remote-send/tls-policy-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "log/log.h"

#define LINE_MAX_BYTES 32768
#define FILE_MAX (256u << 20)
#define CRC 9 /* "%08x " */
#define HEAD "posthorn-tls-policies 1 "
#define HEAD_SIZE (CRC + sizeof(HEAD) - 1 + 10 + 1)
#define WASTE_MIN 1000 /* lines not worth the work */

struct cache {
	struct map *map; /* domain to struct cached_policy */
	int fd[2];	 /* or -1 */
	int now;	 /* which of them counts; -1: none */
	uint32_t number; /* its number */
	off_t end;
	size_t lines;
};

static const char *const modes[] = { "none", "testing", "enforce" };

static void cached_free(struct cached_policy *e)
{
	if (!e)
		return;
	strlist_free(&e->policy.mx);
	free(e);
}

static bool expired(const struct cached_policy *e, time_t now)
{
	return now - e->fetched >= e->policy.max_age;
}

/* "domain id mode fetched max_age mx mx …" */
static void put_policy(struct buf *b, const char *domain,
		       const struct cached_policy *e)
{
	buf_printf(b, "%s %s %s %lld %lld", domain, e->id,
		   modes[e->policy.mode], (long long)e->fetched,
		   (long long)e->policy.max_age);
	for (size_t i = 0; i < e->policy.mx.n; i++)
		buf_printf(b, " %s", e->policy.mx.item[i]);
}

/* Appends TEXT as a line. */
static void put_line(struct buf *out, const struct buf *text)
{
	buf_printf(out, "%08" PRIx32 " %s\n", crc32c(0, text->data, text->len),
		   text->data);
}

/* The text of the line at *AT, which moves to the next; NULL: it is none, or
 * there is none. */
static char *take_line(const char *data, size_t n, size_t *at)
{
	const char *line = data + *at, *lf = memchr(line, '\n', n - *at);
	size_t size = lf ? (size_t)(lf - line) : n - *at;
	char crc[CRC + 1] = "";

	*at += lf ? size + 1 : size;
	if (!lf || size < CRC)
		return NULL;
	snprintf(crc, sizeof(crc), "%08" PRIx32 " ",
		 crc32c(0, line + CRC, size - CRC));
	return memcmp(line, crc, CRC) == 0
		       ? mem_strndup(line + CRC, size - CRC)
		       : NULL;
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

/* What put_policy wrote, behind the domain. */
static struct cached_policy *read_value(const char *text)
{
	struct cached_policy *e = mem_alloc(sizeof(*e));
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

static void keep(struct cache *c, const char *domain, struct cached_policy *e)
{
	cached_free(map_put(c->map, domain, e));
}

static void forget(struct cache *c, const char *domain)
{
	/* its line stays until the file is written anew: it has expired when
	 * it is read again, or is one too many */
	cached_free(map_remove(c->map, domain));
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
		char *copy = mem_strdup(any);

		forget(c, copy);
		free(copy);
	}
}

/* One line of the file into memory; false if it is not one of ours. */
static bool load_line(struct cache *c, char *text)
{
	char *rest = strchr(text, ' ');
	struct cached_policy *e = rest ? read_value(rest + 1) : NULL;

	if (!e)
		return false;
	*rest = '\0';
	if (map_count(c->map) >= CACHE_MAX && !map_get(c->map, text))
		make_room(c, clock_wall());
	keep(c, text, e);
	return true;
}

/* All lines. False: there is one after what is none, or one that says nothing;
 * a power cut leaves no such thing. */
static bool load(struct cache *c, const struct buf *b)
{
	size_t at = HEAD_SIZE;
	bool sound = true, torn = false;

	c->end = HEAD_SIZE;
	while (at < b->len) {
		char *text = take_line(b->data, b->len, &at);

		if (text) {
			sound = load_line(c, text) && !torn && sound;
			c->end = (off_t)at;
			c->lines++;
		}
		torn = torn || !text;
		free(text);
	}
	return sound;
}

static void put_head(struct buf *b, uint32_t number)
{
	struct buf text;

	buf_init(&text, HEAD_SIZE);
	buf_printf(&text, HEAD "%010" PRIu32, number);
	put_line(b, &text);
	buf_free(&text);
}

/* The number of a file that is B. 0: it was not written to its end, or not
 * begun. False: its head is damaged, or of another version. */
static bool read_head(const struct buf *b, uint32_t *number)
{
	static const char nothing[HEAD_SIZE];
	struct buf head;
	bool same;

	*number = 0;
	if (b->len < HEAD_SIZE)
		return b->len == 0 || memcmp(b->data, nothing, b->len) == 0;
	if (memcmp(b->data, nothing, HEAD_SIZE) == 0)
		return true;
	*number = (uint32_t)strtoul(b->data + CRC + sizeof(HEAD) - 1, NULL, 10);
	buf_init(&head, HEAD_SIZE + 1);
	put_head(&head, *number);
	same = *number > 0 && memcmp(head.data, b->data, HEAD_SIZE) == 0;
	buf_free(&head);
	return same;
}

/* The lines, then the head: so what is there of them means nothing before all
 * of it is durable. */
static int write_file(int fd, struct buf *b)
{
	int err = ftruncate(fd, 0) < 0 ? err_sys("cut", "a file") : ERR_OK;

	if (!err)
		err = file_pwrite(fd, b->data + HEAD_SIZE, b->len - HEAD_SIZE,
				  HEAD_SIZE);
	if (!err && file_sync(fd) < 0)
		err = err_sys("sync", "a file");
	if (!err)
		err = file_pwrite(fd, b->data, HEAD_SIZE, 0);
	if (!err && file_sync(fd) < 0)
		err = err_sys("sync", "a file");
	return err;
}

/* All into B, with the head NUMBER; expired ones too, since the clock may be
 * wrong now. Gives the lines. */
static size_t put_all(struct cache *c, struct buf *b, uint32_t number)
{
	const char *domain;
	struct buf text;
	size_t pos = 0, n = 0;
	void *value;

	buf_init(&text, LINE_MAX_BYTES);
	put_head(b, number);
	while ((domain = map_next(c->map, &pos, &value))) {
		buf_reset(&text);
		put_policy(&text, domain, value);
		if (text.over)
			continue;
		put_line(b, &text);
		n++;
	}
	buf_free(&text);
	return n;
}

/* To the file that does not count, which then does. */
static int write_anew(struct cache *c)
{
	int to = c->now == 0;
	struct buf b;
	size_t lines;
	int err;

	if (c->fd[to] < 0)
		return err_set(ERR_IO, "there is no second file");
	buf_init(&b, FILE_MAX);
	lines = put_all(c, &b, c->number + 1);
	err = b.over ? ERR_TOO_LONG : write_file(c->fd[to], &b);
	if (!err) {
		c->now = to;
		c->number++;
		c->lines = lines;
		c->end = (off_t)b.len;
	}
	buf_free(&b);
	return err;
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

static int open_one(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);
}

/* File I at PATH: it counts if its number is the highest so far. */
static int read_one(struct cache *c, int i, const char *path)
{
	struct buf b;
	uint32_t number;
	int err;

	buf_init(&b, FILE_MAX);
	c->fd[i] = open_one(path);
	err = c->fd[i] < 0 ? err_sys("open", path)
			   : file_read_fd(c->fd[i], &b);
	if (!err && !read_head(&b, &number)) {
		close(c->fd[i]);
		err = put_aside(path);
		c->fd[i] = err ? -1 : open_one(path);
	} else if (!err && number > c->number) {
		c->number = number;
		c->now = i;
	}
	buf_free(&b);
	return err;
}

/* What the file that counts holds. */
static int load_it(struct cache *c, const char *path)
{
	int i = c->now, err;
	struct buf b;

	buf_init(&b, FILE_MAX);
	err = file_read(path, &b);
	if (!err && !load(c, &b)) {
		err = write_anew(c);
		if (!err)
			err = put_aside(path);
		if (!err) {
			close(c->fd[i]);
			c->fd[i] = open_one(path);
		}
	}
	buf_free(&b);
	return err;
}

static int open_files(struct cache *c, const char *path)
{
	char *second = mem_printf("%s.2", path), *copy = mem_strdup(path);
	int err = read_one(c, 0, path);

	if (!err)
		err = read_one(c, 1, second);
	if (!err && c->now >= 0)
		err = load_it(c, c->now ? second : path);
	else if (!err)
		err = write_anew(c);
	if (!err)
		err = file_sync_dir(dirname(copy));
	free(second);
	free(copy);
	return err;
}

struct cache *cache_open(const char *path)
{
	struct cache *c = mem_alloc(sizeof(*c));
	int err;

	*c = (struct cache){ .map = map_new(), .fd = { -1, -1 }, .now = -1 };
	err = open_files(c, path);
	if (err) {
		log_error("%s; TLS policies are kept in memory alone",
			  err_why(err));
		c->now = -1;
	}
	return c;
}

/* Behind the last line; what a power cut left there is overwritten, and what is
 * longer cut off. */
static int append(struct cache *c, const struct buf *line)
{
	int fd = c->fd[c->now];
	int err = ftruncate(fd, c->end) < 0 ? err_sys("cut", "a file") : ERR_OK;

	if (!err)
		err = file_pwrite(fd, line->data, line->len, c->end);
	if (!err && file_sync(fd) < 0)
		err = err_sys("sync", "a file");
	if (!err) {
		c->end += (off_t)line->len;
		c->lines++;
	}
	return err;
}

static void store(struct cache *c, const char *domain,
		  const struct cached_policy *e)
{
	struct buf text, line;
	int err = ERR_OK;

	if (c->now < 0)
		return;
	buf_init(&text, LINE_MAX_BYTES);
	buf_init(&line, LINE_MAX_BYTES + CRC + 1);
	put_policy(&text, domain, e);
	put_line(&line, &text);
	if (!text.over)
		err = append(c, &line);
	if (!err && c->lines > 2 * map_count(c->map) + WASTE_MIN)
		err = write_anew(c);
	if (err)
		log_error("cannot keep the TLS policy of %s: %s", domain,
			  err_why(err));
	buf_free(&text);
	buf_free(&line);
}

const struct cached_policy *cache_get(struct cache *c, const char *domain,
				      time_t now)
{
	struct cached_policy *e = map_get(c->map, domain);

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

void cache_put(struct cache *c, const char *domain, const char *id,
	       const struct sts_policy *p, time_t now)
{
	struct cached_policy *e = mem_alloc(sizeof(*e));

	str_copy(e->id, sizeof(e->id), id);
	e->fetched = now;
	e->policy.mode = p->mode;
	e->policy.max_age = p->max_age;
	for (size_t i = 0; i < p->mx.n; i++)
		strlist_add(&e->policy.mx, p->mx.item[i]);
	if (map_count(c->map) >= CACHE_MAX)
		make_room(c, now);
	keep(c, domain, e);
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
	for (int i = 0; i < 2; i++)
		if (c->fd[i] >= 0)
			close(c->fd[i]);
	free(c);
	*cp = NULL;
}
