#include "service/own-users.h"

#include <unistd.h>

#include "server/user.h"

void own_users_find(struct own_users *o, const struct config *c)
{
	static const char *const params[OWN_USERS_MAX] = {
		"net_user", "queue_user", "check_user", "account_user",
		"tls_user", "decoder_user"
	};
	gid_t ignored;

	o->n = 0;
	for (size_t i = 0; i < OWN_USERS_MAX && geteuid() == 0; i++) {
		const char *name = config_string(c, params[i]);

		if (!user_find(name, &o->uid[o->n], &ignored))
			continue;
		o->param[o->n++] = params[i];
	}
}

const char *own_users_param(const struct own_users *o, uid_t uid)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->uid[i] == uid)
			return o->param[i];
	return NULL;
}
