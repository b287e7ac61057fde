#include "accountd/master.h"

#include <string.h>
#include <sysexits.h>

#include "base/err.h"
#include "base/str.h"
#include "log/log.h"
#include "table/table.h"
#include "table/user-line.h"

static struct {
	struct table_list masters;
	const char *separator;
	struct buf value;
} self;

void master_begin(const struct config *c)
{
	struct buf faults;
	bool good;

	buf_init(&faults, 1 << 20);
	good = table_list_open(&self.masters,
			       config_list(c, "auth_master_user_maps"), false,
			       &faults);
	log_error_lines("auth_master_user_maps", faults.data);
	buf_free(&faults);
	if (!good)
		log_die(EX_CONFIG, "auth_master_user_maps cannot be used");
	self.separator = config_string(c, "auth_master_user_separator");
	buf_init(&self.value, TABLE_VALUE_MAX);
}

/* The last separator in NAME, with something on both sides; or NULL. */
static const char *find_separator(const char *name)
{
	const char *at;

	if (!*self.separator || self.masters.n == 0)
		return NULL;
	at = strrchr(name, *self.separator);
	return at && at > name && at[1] ? at : NULL;
}

void master_split(const char *name, const char *as, struct login_name *out)
{
	const char *at = *as ? NULL : find_separator(name);

	*out = (struct login_name){ .user = "" };
	str_copy(out->user, sizeof(out->user), *as ? as : name);
	if (*as)
		str_copy(out->master, sizeof(out->master), name);
	if (!at)
		return;
	out->user[at - name] = '\0';
	str_copy(out->master, sizeof(out->master), at + 1);
}

enum account_status master_find(const char *name, const char **hash)
{
	const char *why = NULL;
	int err = self.masters.n == 0
			  ? ERR_NOT_FOUND
			  : table_list_get(&self.masters, name, &self.value,
					   NULL);

	*hash = "";
	if (err == ERR_NOT_FOUND)
		return ACCOUNT_NONE;
	if (err)
		return ACCOUNT_TEMP;
	*hash = user_hash(self.value.data, &why);
	if (why)
		log_error("auth_master_user_maps: %s: %s", name, why);
	return ACCOUNT_FOUND;
}
