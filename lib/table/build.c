#include "table/build.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "table/aliases.h"
#include "table/text.h"
#include "table/type.h"

struct build {
	struct text_reading reading; /* of the text */
	char *tmp;	  /* the database while it is made */
	char *final;
	DB *db;
	struct buf text, doubt;
	struct table_built *built;
	int err;
};

static void fail(struct build *b, const char *what, int err)
{
	if (!b->err)
		buf_printf(b->reading.faults, "%s: %s\n", what,
			   db_strerror(err));
	b->err = err_set(err_from_errno(err), "%s: %s", what, db_strerror(err));
}

static int put_raw(struct build *b, char *key, const char *value)
{
	DBT k = { .data = key, .size = (u_int32_t)strlen(key) + 1 };
	DBT v = { .size = (u_int32_t)strlen(value) + 1 };

	memcpy(&v.data, &value, sizeof(value)); /* is only read */
	return b->db->put(b->db, NULL, &k, &v, DB_NOOVERWRITE);
}

/* A value that is too long for lookups is also stored, so that its key is not
 * unknown. */
static void put(struct build *b, const char *key, const char *value,
		unsigned line)
{
	const char *why = text_value_fault(value);
	char *folded = str_lower(mem_strdup(key));
	size_t n = strlen(value);
	int err = put_raw(b, folded, value);

	free(folded);
	if (err == DB_KEYEXIST) {
		text_fault(&b->reading, line, "a duplicate key is left out");
	} else if (err) {
		fail(b, b->tmp, err);
	} else {
		if (why)
			text_fault(&b->reading, line, why);
		b->built->entries++;
		b->built->bytes += n;
		if (n > b->built->longest)
			b->built->longest = n;
	}
}

static void put_alias(void *context, const char *name, const char *value,
		      unsigned line)
{
	struct build *b = context;

	/* a faulty entry is only marked: mail to it waits */
	if (!b->err)
		put(b, name, value ? value : "", line);
}

static void put_pairs(struct build *b)
{
	struct arena *a = arena_new();
	struct text_lines lines;
	char *line, *key, *value;

	text_begin(&lines, b->text.data, b->text.len);
	while (!b->err && (line = text_next(&lines)) != NULL) {
		const char *why = lines.fault;

		if (!why)
			why = text_pair(line, &key, &value);
		if (why) {
			text_unclear(&b->reading, lines.line, why);
			continue;
		}
		arena_reset(a);
		why = text_targets_fault(&b->reading, a, value);
		if (why)
			text_unclear(&b->reading, lines.line, why);
		put(b, key, why ? "" : value, lines.line);
	}
	text_end(&lines);
	arena_free(&a);
}

/* In the database, for those who look names up in it. */
static void put_doubt(struct build *b)
{
	char key[] = TABLE_DOUBT;
	int err;

	if (b->err || b->doubt.len == 0)
		return;
	err = put_raw(b, key, b->doubt.data);
	if (err)
		fail(b, b->tmp, err);
}

static void fill(struct build *b, enum table_source source)
{
	if (source == TABLE_SOURCE_ALIASES)
		aliases_parse(&b->reading, b->text.data, b->text.len, put_alias,
			      b);
	else
		put_pairs(b);
	put_doubt(b);
}

static bool create(struct build *b, DBTYPE type)
{
	int err = db_create(&b->db, NULL, 0);

	if (err == 0) {
		b->db->set_errfile(b->db, NULL);
		/* an old unfinished one; DB_EXCL notices if it stays */
		err_ignore(unlink(b->tmp));
		err = b->db->open(b->db, NULL, b->tmp, NULL, type,
				  DB_CREATE | DB_EXCL, 0600);
	}
	if (err)
		fail(b, b->tmp, err);
	return !err;
}

/* Makes the new file durable and gives it the text's owner and mode. */
static void settle(struct build *b)
{
	struct stat st;
	int fd, err = b->db->close(b->db, 0);

	b->db = NULL;
	if (err) {
		fail(b, b->tmp, err);
		return;
	}
	fd = open(b->tmp, O_RDWR | O_CLOEXEC);
	if (fd < 0 || stat(b->reading.path, &st) < 0 ||
	    (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) < 0) ||
	    fchmod(fd, st.st_mode & 0777) < 0 || fsync(fd) < 0)
		fail(b, b->tmp, errno);
	if (fd >= 0)
		close(fd);
}

static void rename_over(struct build *b)
{
	char *copy = mem_strdup(b->final);
	int err;

	if (rename(b->tmp, b->final) < 0) {
		fail(b, b->final, errno);
	} else {
		err = file_sync_dir(dirname(copy));
		if (err)
			fail(b, b->final, errno);
	}
	free(copy);
}

/* Also removes the name that Berkeley DB uses until there is a first page. If a
 * file stays, its name says what it is. */
static void remove_unfinished(const struct build *b)
{
	const char *slash = strrchr(b->tmp, '/');
	const char *base = slash ? slash + 1 : b->tmp;
	char *early =
		mem_printf("%.*s__db.%s", (int)(base - b->tmp), b->tmp, base);

	err_ignore(unlink(early));
	err_ignore(unlink(b->tmp));
	free(early);
}

static void make(struct build *b, DBTYPE type, enum table_source source)
{
	if (create(b, type))
		fill(b, source);
	if (!b->err)
		settle(b);
	else if (b->db)
		b->db->close(b->db, 0);
	if (!b->err)
		rename_over(b);
	if (b->err)
		remove_unfinished(b);
}

int table_build(const char *spec, enum table_source source,
		struct table_built *built, struct buf *faults)
{
	struct build b = { .built = built };
	bool hash = str_starts(spec, "hash:");

	*built = (struct table_built){ 0 };
	if (!hash && !str_starts(spec, "btree:"))
		return ERR_UNSUPPORTED;
	b.reading = (struct text_reading){
		.path = strchr(spec, ':') + 1,
		.faults = faults,
		.doubt = &b.doubt,
		.targets = source == TABLE_SOURCE_TARGETS,
	};
	if (!text_read(&b.reading, &b.text))
		return ERR_IO;
	buf_init(&b.doubt, TABLE_VALUE_MAX);
	b.final = mem_printf("%s.db", b.reading.path);
	b.tmp = mem_printf("%s.new.%ld", b.final, (long)getpid());
	make(&b, hash ? DB_HASH : DB_BTREE, source);
	buf_free(&b.text);
	buf_free(&b.doubt);
	free(b.tmp);
	free(b.final);
	return b.err;
}
