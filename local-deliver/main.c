/* local-deliver: mail for the users, aliases and lists of this machine. */
#include <sysexits.h>
#include <unistd.h>

#include "base/str.h"
#include "local-deliver/identity.h"
#include "local-deliver/ledger.h"
#include "local-deliver/local.h"
#include "log/log.h"
#include "log/relay.h"
#include "qmgr/job.h"
#include "service/service.h"

#define GRACE_S 18 /* more than commands get, less than master's patience */

static struct settings settings;

static void open_tables(struct settings *s, struct buf *faults)
{
	const struct config *c = s->config;

	table_list_open(&s->virtual_aliases,
			config_list(c, "virtual_alias_maps"), true, faults);
	table_list_open(&s->aliases, config_list(c, "alias_maps"), true,
			faults);
	for (size_t i = 0; i < s->aliases.n; i++)
		if (table_is_pattern(s->aliases.table[i]))
			buf_printf(faults,
				   "alias_maps: %s is not asked: a pattern "
				   "cannot vouch for commands\n",
				   table_spec(s->aliases.table[i]));
}

static void find_nobody(struct settings *s)
{
	const char *name = config_string(s->config, "default_privs");

	if (!s->root) {
		s->nobody =
			(struct identity){ geteuid(), getegid(), name, "/" };
		return;
	}
	if (!identity_find(name, &s->nobody))
		log_die(EX_CONFIG, "default_privs: there is no user %s", name);
	if (s->nobody.uid == 0)
		log_die(EX_CONFIG, "default_privs: %s is root", name);
}

/* "80 95", as workers get it. */
static const char *read_levels(const struct config *c)
{
	const struct strlist *l = config_list(c, "mailbox_quota_warnings");
	struct buf b;
	int64_t level;

	buf_init(&b, 4096);
	for (size_t i = 0; i < l->n; i++) {
		if (!str_to_int(l->item[i], 1, 100, &level))
			log_die(EX_CONFIG,
				"mailbox_quota_warnings wants percentages from "
				"1 to 100: %s",
				l->item[i]);
		buf_printf(&b, "%s%s", i ? " " : "", l->item[i]);
	}
	if (b.over)
		log_die(EX_CONFIG, "mailbox_quota_warnings is too long");
	return b.data;
}

static void prepare(struct settings *s, const struct config *c)
{
	struct buf faults;

	buf_init(&faults, 1 << 20);
	s->config = c;
	s->root = geteuid() == 0;
	s->delimiters = config_string(c, "recipient_delimiter");
	s->myorigin = config_string(c, "myorigin");
	s->commands = config_bool(c, "allow_mail_to_commands");
	s->files = config_bool(c, "allow_mail_to_files");
	s->owners = config_bool(c, "owner_request_special");
	s->full_tempfail = config_bool(c, "quota_full_tempfail");
	s->quota_grace = (int)config_int(c, "mailbox_quota_grace");
	s->quota_levels = read_levels(c);
	s->size_limit = config_bytes(c, "message_size_limit");
	if (s->size_limit == 0)
		s->size_limit = INT64_MAX;
	s->command_ms = config_seconds(c, "command_time_limit") * 1000;
	s->domains = address_domains_new(c, NULL);
	open_tables(s, &faults);
	find_nobody(s);
	log_warn_lines(NULL, faults.data);
	buf_free(&faults);
}

static void look_at(const struct table_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		table_look(l->table[i]);
}

/* The parent has the tables as they were when it started. */
static void child_start(void *context)
{
	struct settings *s = context;

	look_at(&s->virtual_aliases);
	look_at(&s->aliases);
	s->feed = feed_open();
}

static bool serve(void *context, const struct prefork_listener *listener,
		  int fd)
{
	if (str_equal(listener->name, "room"))
		serve_room(context, fd);
	else
		serve_qmgr(context, fd);
	return true;
}

int main(int argc, char **argv)
{
	struct prefork p = { .spare = 1,
			     .grace_s = GRACE_S,
			     .context = &settings,
			     .child_start = child_start,
			     .serve = serve };
	struct service s;

	service_start(&s, argc, argv, "local-deliver");
	prepare(&settings, s.config);
	p.max = (1 + JOB_SLOW_SHARE) *
		(int)config_int(s.config, "local_process_limit");
	ledger_prepare(config_string(s.config, "run_directory"));
	sandbox_prepare(SANDBOX_OPEN); /* of the workers */
	relay_let_fork();
	return service_prefork(&s, &p);
}
