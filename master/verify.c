/*
 * What is judged before anything of a new configuration is done, a function for
 * each matter; all are called, so that an administrator sees all faults at
 * once. Each line says where the value stands, what is wrong with it, and what
 * would be right. These are matters that need more than one parameter, or the
 * host: the table of parameters (lib/config/params.c) judges each by itself.
 */
#include "master/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address/address.h"
#include "address/domains.h"
#include "address/hop.h"
#include "base/mem.h"
#include "master/folders.h"
#include "master/services.h"
#include "master/sockets.h"
#include "master/users.h"
#include "server/user.h"
#include "service/own-users.h"

/* May a file be made at PATH? A start makes its folders after this. */
static bool can_make(const struct config *c, const char *path)
{
	char *copy = mem_strdup(path), *folder = dirname(copy);
	bool good = access(folder, W_OK | X_OK) == 0 ||
		    (errno == ENOENT && folders_has(c, folder));

	free(copy);
	return good;
}

static void verify_log(const struct config *c, struct buf *faults)
{
	const char *target = config_string(c, "log_target");
	int fd;

	if (strcmp(target, "syslog") == 0 || strcmp(target, "stderr") == 0)
		return;
	fd = open(target, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno != ENOENT || !can_make(c, target))
		buf_printf(faults, "log_target = %s: cannot be written: %s\n",
			   target, strerror(errno));
}

static void verify_lmtp(const struct config *c, struct buf *faults)
{
	const char *path = config_string(c, "lmtp_socket");

	if (*path && !can_make(c, path))
		buf_printf(faults,
			   "%s: lmtp_socket = %s: its folder cannot be used: "
			   "%s\n",
			   config_origin(c, "lmtp_socket"), path,
			   strerror(errno));
}

static bool is_service(const char *name)
{
	for (size_t i = 0; i < service_count; i++)
		if (str_equal_ci(service_rows[i].name, name))
			return true;
	return false;
}

static void verify_disabled(const struct config *c, struct buf *faults)
{
	const struct strlist *l = config_list(c, "disabled_services");

	for (size_t i = 0; i < l->n; i++) {
		if (is_service(l->item[i]))
			continue;
		buf_printf(faults,
			   "%s: disabled_services: there is no service %s; "
			   "there are",
			   config_origin(c, "disabled_services"), l->item[i]);
		for (size_t j = 0; j < service_count; j++)
			buf_printf(faults, " %s", service_rows[j].name);
		buf_putc(faults, '\n');
	}
}

static const char *place(const struct config *c, const char *name)
{
	const char *origin = config_origin(c, name);

	return *origin ? origin : "default";
}

/* What we call ourselves, and complete addresses with. */
static void verify_names(const struct config *c, struct buf *faults)
{
	static const char *const names[] = { "myhostname", "mydomain",
					     "myorigin" };
	char domain[ADDRESS_DOMAIN_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = config_string(c, names[i]);

		if (address_domain(name, strlen(name), domain))
			buf_printf(faults,
				   "%s: %s = %s: is not a domain name\n",
				   place(c, names[i]), names[i], name);
	}
}

/* Where mail goes: with these wrong it would go back to its senders. */
static void verify_routes(const struct config *c, struct buf *faults)
{
	const char *relay = config_string(c, "relayhost");
	struct hop hop;

	address_domains_verify(c, faults);
	if (*relay && !hop_parse(relay, 1, &hop))
		buf_printf(faults, "%s: relayhost = %s: wants " HOP_FORM "\n",
			   config_origin(c, "relayhost"), relay);
}

/* The port on which S of the service ROW listens, or 0. */
static int64_t port_of(const struct config *c, const struct service_row *row,
		       const struct service_socket *s)
{
	if (s->kind != SOCKET_TCP ||
	    strlist_has_ci(config_list(c, "disabled_services"), row->name))
		return 0;
	return config_int(c, s->param);
}

/* The first parameter by which a service listens on PORT. */
static const char *param_of_port(const struct config *c, int64_t port)
{
	for (size_t i = 0; i < service_count; i++)
		for (size_t j = 0; j < SOCKETS_MAX; j++) {
			const struct service_row *row = &service_rows[i];

			if (port_of(c, row, &row->socket[j]) == port)
				return row->socket[j].param;
		}
	return "";
}

/* Clients of one protocol would reach the other. */
static void verify_ports_differ(const struct config *c, struct buf *faults)
{
	for (size_t i = 0; i < service_count; i++)
		for (size_t j = 0; j < SOCKETS_MAX; j++) {
			const struct service_row *row = &service_rows[i];
			const char *param = row->socket[j].param;
			int64_t port = port_of(c, row, &row->socket[j]);
			const char *first = port ? param_of_port(c, port) :
						   param;

			if (first != param)
				buf_printf(faults,
					   "%s: %s = %" PRId64 ": is the port "
					   "of %s, too: give each its own\n",
					   place(c, param), param, port, first);
		}
}

static void verify_program(const struct config *c, const char *program,
			   struct buf *faults)
{
	char *path = mem_printf("%s/%s", config_string(c, "daemon_directory"),
				program);

	if (access(path, X_OK) < 0)
		buf_printf(faults,
			   "%s: cannot execute: %s (daemon_directory)\n", path,
			   strerror(errno));
	free(path);
}

/* A program may be in the table more than once, in adjacent rows. */
static bool is_new_program(size_t row)
{
	return row == 0 || strcmp(service_rows[row].program,
				  service_rows[row - 1].program) != 0;
}

/* The owner of virtual users' mail, if it is the one that we make: an
 * installation from before it may lack it. */
static void verify_mail_user(const struct config *c, struct buf *faults)
{
	const char *map = config_string(c, "virtual_uid_maps");
	uid_t uid;
	gid_t gid;

	if (config_list(c, "virtual_mailbox_domains")->n > 0 &&
	    str_starts(map, "static:") &&
	    strcmp(map + 7, config_string(c, "mail_user")) == 0)
		users_find(c, USER_MAIL, &uid, &gid, faults);
}

void verify_config(const struct config *c, struct buf *faults)
{
	uid_t uid;
	gid_t gid;

	verify_log(c, faults);
	verify_lmtp(c, faults);
	verify_disabled(c, faults);
	verify_names(c, faults);
	verify_routes(c, faults);
	verify_ports_differ(c, faults);
	verify_mail_user(c, faults);
	for (size_t i = 0; i < service_count; i++) {
		if (service_is_needed(&service_rows[i], c))
			users_find(c, service_rows[i].user, &uid, &gid,
				   faults);
		if (is_new_program(i))
			verify_program(c, service_rows[i].program, faults);
	}
}

/* Whom virtual users' mail belongs to, and so which user their sessions are. */
static void verify_mail_owner(const struct config *c, struct buf *faults)
{
	const char *map = config_string(c, "virtual_uid_maps");
	const char *user = config_string(c, "mail_user"), *param = NULL;
	struct own_users own;
	uid_t uid;
	gid_t gid;

	if (config_list(c, "virtual_mailbox_domains")->n == 0)
		return;
	own_users_find(&own, c);
	if (str_starts(map, "static:") && user_find(map + 7, &uid, &gid))
		param = own_users_param(&own, uid);
	if (param)
		buf_printf(faults,
			   "%s: virtual_uid_maps = %s: is %s, " OWN_USERS_DANGER
			   "; name another here and in virtual_gid_maps, as "
			   "static:%s (mail_user), and give it the mail that "
			   "is there: chown -R %s: %s\n",
			   place(c, "virtual_uid_maps"), map, param, user, user,
			   config_string(c, "virtual_mailbox_base"));
}

void verify_meaning(const struct config *c, struct buf *faults)
{
	struct address_domains *d = address_domains_new(c, faults);

	address_domains_free(&d);
	verify_mail_owner(c, faults);
}

void verify_change(const struct config *former, const struct config *c,
		   struct buf *faults)
{
	struct strlist fixed = { 0 };

	folders_params(&fixed);
	for (size_t i = 0; i < fixed.n; i++) {
		const char *was = config_string(former, fixed.item[i]);
		const char *is = config_string(c, fixed.item[i]);

		if (strcmp(was, is) != 0)
			buf_printf(faults,
				   "%s: %s = %s: was %s, and cannot change "
				   "while the suite runs: stop it, and start "
				   "it again\n",
				   config_origin(c, fixed.item[i]),
				   fixed.item[i], is, was);
	}
	strlist_free(&fixed);
	folders_check(c, faults);
}

void verify_ports(const struct config *c, struct buf *faults)
{
	sockets_try(c, faults);
}
