/*
 * Lines of tables and of the users file that are not understood, as the
 * services find them: for check, which reports every fault, and for status,
 * which names the files because of which mail waits.
 */
#include "admin/doubts.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "server/user.h"
#include "table/table.h"
#include "table/user-line.h"

#define FAULTS_MAX (1 << 20)
#define USERS_MAX (1 << 28)

/* What the file has where its lines say nothing; faults of these parameters
 * are others' to report. */
static void defaults_of(const struct config *c, struct user_defaults *d)
{
	const char *user = config_string(c, "virtual_uid_maps");
	gid_t ignored;

	*d = (struct user_defaults){ .uid = USER_UID_MIN };
	d->base = config_string(c, "virtual_mailbox_base");
	if (str_starts(user, "static:") &&
	    (!user_find(user + 7, &d->uid, &ignored) || d->uid < USER_UID_MIN))
		d->uid = USER_UID_MIN;
}

int doubts_of_users(const struct config *c, struct buf *faults,
		    struct buf *doubt,
		    void (*take)(void *context, struct user *u, unsigned line),
		    void *context)
{
	const struct text_reading r = {
		.path = config_string(c, "virtual_users_file"),
		.faults = faults,
		.doubt = doubt,
	};
	struct user_defaults defaults;
	struct buf text;
	int err;

	buf_init(&text, USERS_MAX);
	defaults_of(c, &defaults);
	err = file_read(r.path, &text);
	if (!err)
		users_parse(&r, text.data, text.len, &defaults, take, context);
	mem_wipe(text.data, text.len);
	buf_free(&text);
	return err;
}

static void forget(void *context, struct user *u, unsigned line)
{
	(void)context;
	(void)line;
	user_free(u);
}

static void users_doubt(const struct config *c, struct strlist *doubts)
{
	struct buf faults, doubt;

	if (config_list(c, "virtual_mailbox_domains")->n == 0)
		return;
	buf_init(&faults, FAULTS_MAX);
	buf_init(&doubt, FAULTS_MAX);
	/* one that cannot be read by this user is nothing to report here */
	err_ignore(doubts_of_users(c, &faults, &doubt, forget, NULL));
	if (doubt.len)
		strlist_add(doubts, doubt.data);
	buf_free(&faults);
	buf_free(&doubt);
}

static void table_doubts(const struct config *c, const char *param,
			 bool targets, struct strlist *doubts)
{
	struct table_list l;
	struct buf faults;

	buf_init(&faults, FAULTS_MAX);
	table_list_open(&l, config_list(c, param), targets, &faults);
	for (size_t i = 0; i < l.n; i++)
		if (*table_doubt(l.table[i]))
			strlist_add(doubts, table_doubt(l.table[i]));
	table_list_free(&l);
	buf_free(&faults);
}

void doubts_find(const struct config *c, struct strlist *doubts)
{
	users_doubt(c, doubts);
	table_doubts(c, "virtual_alias_maps", true, doubts);
	table_doubts(c, "alias_maps", true, doubts);
	table_doubts(c, "smtpd_sender_login_maps", false, doubts);
}
