/*
 * hash and btree: a Berkeley DB file, open for reading. Keys have the NUL
 * that Postfix and sendmail write at their end, or none: both are tried.
 * The file is never changed in place (table/build.h renames a new one over
 * it), so no lock is needed.
 */
#include <db.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "table/type.h"

/* The library would open anything of that name, and wait for the writer of a
 * FIFO. */
static bool can_open(const char *path, struct buf *faults)
{
	int fd, err = file_open(path, &fd);

	if (err)
		buf_printf(faults, "%s\n", err_why(err));
	else
		close(fd);
	return !err;
}

/* One key, N bytes; the library's code. */
static int look_up(DB *db, const char *key, size_t n, struct buf *value)
{
	DBT k = { .size = (u_int32_t)n }, v = { 0 };
	int err;

	memcpy(&k.data, &key, sizeof(key)); /* the library will not write */
	err = db->get(db, NULL, &k, &v, 0);
	if (err == 0)
		buf_put(value, v.data, strnlen(v.data, v.size));
	return err;
}

/* What was not understood of the text when DB was built from it. */
static void take_doubt(DB *db, const struct text_reading *r)
{
	int err = look_up(db, TABLE_DOUBT, sizeof(TABLE_DOUBT), r->doubt);

	if (err && err != DB_NOTFOUND)
		buf_printf(r->doubt, "%s: %s", r->path, db_strerror(err));
	if (r->doubt->len)
		buf_printf(r->faults, "%s (and then build the table anew)\n",
			   r->doubt->data);
}

static void *load(const struct text_reading *r)
{
	DB *db;
	int err;

	if (!can_open(r->path, r->faults))
		return NULL;
	err = db_create(&db, NULL, 0);
	if (err == 0) {
		/* nothing on stderr: faults go to the caller */
		db->set_errfile(db, NULL);
		/* not mapped: a truncated file would cause SIGBUS */
		err = db->open(db, NULL, r->path, NULL, DB_UNKNOWN,
			       DB_RDONLY | DB_NOMMAP, 0);
		if (err == 0) {
			take_doubt(db, r);
			return db;
		}
		db->close(db, 0);
	}
	buf_printf(r->faults, "%s: %s\n", r->path,
		   err == EINVAL ? "is not a Berkeley DB file" :
				   db_strerror(err));
	return NULL;
}

static int get(void *content, const char *key, struct buf *value)
{
	size_t n = strlen(key);
	int err = look_up(content, key, n + 1, value);

	if (err == DB_NOTFOUND)
		err = look_up(content, key, n, value);
	if (err && err != DB_NOTFOUND)
		buf_puts(value, db_strerror(err));
	return err == 0		    ? ERR_OK
	       : err == DB_NOTFOUND ? ERR_NOT_FOUND
				    : ERR_TEMP;
}

static void end(void *content)
{
	DB *db = content;

	db->close(db, 0);
}

const struct table_type table_hash = {
	.name = "hash",
	.help = "a Berkeley DB hash file, made by `posthorn map'",
	.suffix = ".db",
	.flags = TABLE_FILE | TABLE_OWN,
	.load = load,
	.get = get,
	.free = end,
};

const struct table_type table_btree = {
	.name = "btree",
	.help = "a Berkeley DB btree file, made by `posthorn map'",
	.suffix = ".db",
	.flags = TABLE_FILE | TABLE_OWN,
	.load = load,
	.get = get,
	.free = end,
};
