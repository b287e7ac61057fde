#include "master/set.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "master/users.h"

static char *peers_text(const struct config *c, unsigned peers,
			struct buf *faults)
{
	struct buf text;
	uid_t uid;
	gid_t gid;

	buf_init(&text, 1000);
	for (unsigned user = USER_NET; user <= USER_TLS; user <<= 1)
		if (peers & user &&
		    users_find(c, (enum user)user, &uid, &gid, faults))
			buf_printf(&text, "%ld ", (long)uid);
	return buf_steal(&text);
}

static bool is_enabled(const struct service_row *row, const struct config *c)
{
	return service_is_needed(row, c) &&
	       !strlist_has_ci(config_list(c, "disabled_services"), row->name);
}

/* Fills in what the process of ROW gets. */
static void fill(struct set *s, const struct service_row *row,
		 struct set_row *out, const struct set *former,
		 struct buf *faults)
{
	const struct config *c = s->config;
	const char *run = config_string(c, "run_directory");
	struct buf listen;
	uid_t uid = 0;
	gid_t gid = 0;

	buf_init(&listen, 4096);
	if (is_enabled(row, c))
		sockets_open(s->sockets, former ? former->sockets : NULL, c,
			     row, &listen, faults);
	out->wanted = listen.len > 0;
	if (service_is_needed(row, c))
		users_find(c, row->user, &uid, &gid, faults);
	out->spawn.name = row->program;
	out->spawn.config_fd = s->config_fd;
	out->spawn.listen = buf_steal(&listen);
	out->spawn.user = mem_printf("%ld:%ld", (long)uid, (long)gid);
	out->spawn.peers = peers_text(c, row->peers, faults);
	out->spawn.program = mem_printf(
		"%s/%s", config_string(c, "daemon_directory"), row->program);
	out->spawn.root = row->flags & FLAG_CHROOT
				  ? mem_printf("%s/private", run)
				  : mem_strdup("");
}

struct set *set_new(struct config *c, const char *config_path,
		    const struct set *former, struct buf *faults)
{
	struct set *s = mem_alloc(sizeof(*s));
	size_t before = faults->len;
	int err;

	s->config = c;
	s->sockets = sockets_new();
	s->row = mem_array(service_count, sizeof(*s->row));
	err = config_seal(c, &s->config_fd);
	if (err)
		buf_printf(faults, "%s\n", err_why(err));
	for (size_t i = 0; i < service_count; i++) {
		s->row[i].spawn.config_path = config_path;
		fill(s, &service_rows[i], &s->row[i], former, faults);
	}
	if (faults->len > before)
		set_free(&s);
	return s;
}

static void free_row(struct set_row *r)
{
	free(r->spawn.program);
	free(r->spawn.listen);
	free(r->spawn.user);
	free(r->spawn.peers);
	free(r->spawn.root);
}

void set_free(struct set **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < service_count; i++)
		free_row(&(*s)->row[i]);
	free((*s)->row);
	sockets_free(&(*s)->sockets);
	if ((*s)->config_fd >= 0)
		close((*s)->config_fd);
	config_free(&(*s)->config);
	free(*s);
	*s = NULL;
}
