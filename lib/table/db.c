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

static void *load(const char *path, struct buf *faults)
{
	DB *db;
	int err;

	if (!can_open(path, faults))
		return NULL;
	err = db_create(&db, NULL, 0);
	if (err == 0) {
		/* nothing on stderr: faults go to the caller */
		db->set_errfile(db, NULL);
		/* not mapped: a truncated file would cause SIGBUS */
		err = db->open(db, NULL, path, NULL, DB_UNKNOWN,
			       DB_RDONLY | DB_NOMMAP, 0);
		if (err == 0)
			return db;
		db->close(db, 0);
	}
	buf_printf(faults, "%s: %s\n", path,
		   err == EINVAL ? "is not a Berkeley DB file" :
				   db_strerror(err));
	return NULL;
}

static int get(void *content, const char *key, struct buf *value)
{
	DB *db = content;
	size_t n = strlen(key);
	DBT k = { 0 }, v = { 0 };
	int err;

	memcpy(&k.data, &key, sizeof(key)); /* the library will not write */
	k.size = (u_int32_t)n + 1;
	err = db->get(db, NULL, &k, &v, 0);
	if (err == DB_NOTFOUND) {
		k.size = (u_int32_t)n;
		err = db->get(db, NULL, &k, &v, 0);
	}
	if (err == DB_NOTFOUND)
		return ERR_NOT_FOUND;
	if (err) {
		buf_puts(value, db_strerror(err));
		return ERR_TEMP;
	}
	buf_put(value, v.data, strnlen(v.data, v.size));
	return ERR_OK;
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
