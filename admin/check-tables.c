/* Tables, and the address that every domain must have. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/check.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "table/lookup.h"
#include "table/table.h"

/* Was the text changed after its database was made? */
static void check_age(struct findings *f, const char *param, const char *spec,
		      const char *path)
{
	char *base = mem_printf("%s.db", path);
	struct stat text, db;

	if (stat(path, &text) == 0 && stat(base, &db) == 0 &&
	    text.st_mtime > db.st_mtime)
		check_warning(f,
			      "%s: %s is newer than its database; posthorn map "
			      "%s%s makes it anew",
			      param, path,
			      strcmp(param, "alias_maps") == 0 ? "-a " : "",
			      spec);
	free(base);
}

static void check_spec(struct findings *f, const struct config *c,
		       const char *param, const char *spec)
{
	bool db = str_starts(spec, "hash:") || str_starts(spec, "btree:");
	const char *path = strchr(spec, ':');
	char *file;

	if (!path || path[1] != '/')
		return;
	file = mem_printf("%s%s", path + 1, db ? ".db" : "");
	check_readable(f, c, param, file);
	free(file);
	if (access(path + 1, F_OK) < 0)
		return;
	check_file(f, param, path + 1, false);
	check_entries(f, param, path + 1);
	if (db)
		check_age(f, param, spec, path + 1);
}

/* Opens the tables of PARAM in L; false if one of them cannot be used. */
static bool open_tables(struct findings *f, const struct config *c,
			const char *param, bool targets, struct table_list *l)
{
	const struct strlist *specs = config_list(c, param);
	struct buf faults;
	size_t before = f->faults;

	buf_init(&faults, 1 << 20);
	table_list_open(l, specs, targets, &faults);
	check_faults(f, param, &faults);
	buf_free(&faults);
	if (f->faults > before)
		return false;
	for (size_t i = 0; i < specs->n; i++)
		check_spec(f, c, param, specs->item[i]);
	return true;
}

/* Is there a virtual user of that name? True also if that is unknown. */
static bool is_virtual_user(const struct config *c, const char *address)
{
	const char *path = config_string(c, "virtual_users_file");
	size_t n = strlen(address);
	struct buf text;
	bool found = false;

	buf_init(&text, 1 << 26);
	if (file_read(path, &text) == ERR_DENIED)
		found = true;
	for (char *line, *rest = text.len ? text.data : NULL;
	     !found && (line = strsep(&rest, "\n"));)
		found = strncasecmp(line, address, n) == 0 && line[n] == ':';
	buf_free(&text);
	return found;
}

struct postmaster {
	struct findings *f;
	const struct config *c;
	struct table_list virt, aliases;
};

static bool has_postmaster(const struct postmaster *p, const char *domain,
			   bool local)
{
	const char *delimiters = config_string(p->c, "recipient_delimiter");
	char *address = mem_printf("postmaster@%s", domain);
	const char *extension;
	struct table *from;
	struct buf value;
	bool found;

	buf_init(&value, TABLE_VALUE_MAX);
	found = lookup_virtual(&p->virt, address, delimiters, local, &value,
			       NULL, NULL) != ERR_NOT_FOUND;
	if (!found && local)
		found = lookup_alias(&p->aliases, "postmaster", delimiters,
				     &value, &extension,
				     &from) != ERR_NOT_FOUND ||
			getpwnam("postmaster");
	if (!found && !local)
		found = is_virtual_user(p->c, address);
	buf_free(&value);
	free(address);
	return found;
}

/* RFC 5321 section 4.5.1, RFC 2142. */
static void check_postmaster(const struct postmaster *p, const char *param,
			     bool local, const char *advice)
{
	const struct strlist *l = config_list(p->c, param);

	for (size_t i = 0; i < l->n; i++)
		if (!has_postmaster(p, l->item[i], local))
			check_warning(p->f,
				      "there is no postmaster@%s, to whom "
				      "others write about faults (RFC 5321): "
				      "%s",
				      l->item[i], advice);
}

void check_tables(struct findings *f, const struct config *c)
{
	struct postmaster p = { .f = f, .c = c };
	struct table_list logins = { 0 }, masters = { 0 }, hosts = { 0 };
	bool good = open_tables(f, c, "virtual_alias_maps", true, &p.virt);

	good = open_tables(f, c, "alias_maps", true, &p.aliases) && good;
	open_tables(f, c, "smtpd_sender_login_maps", false, &logins);
	open_tables(f, c, "auth_master_user_maps", false, &masters);
	open_tables(f, c, "login_proxy_maps", false, &hosts);
	if (good) {
		check_postmaster(&p, "mydestination", true,
				 "put it into alias_maps");
		check_postmaster(&p, "virtual_mailbox_domains", false,
				 "put it into virtual_alias_maps");
		check_postmaster(&p, "virtual_alias_domains", false,
				 "put it into virtual_alias_maps");
	}
	table_list_free(&p.virt);
	table_list_free(&p.aliases);
	table_list_free(&logins);
	table_list_free(&masters);
	table_list_free(&hosts);
}
