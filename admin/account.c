#include "admin/account.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "ipc/ipc.h"
#include "server/sandbox.h"

/* From where accountd is asked. */
static void find_private(const struct admin *a)
{
	char *dir = mem_printf("%s/private",
			       config_string(a->config, "run_directory"));

	ipc_set_dir(dir);
	free(dir);
}

int admin_find_host(const struct admin *a, const char *name, char *text,
		    size_t size)
{
	find_private(a);
	switch (account_served_by(name, text, size)) {
	case ACCOUNT_FOUND:
		return EX_OK;
	case ACCOUNT_NONE:
		return admin_fail(EX_NOUSER, "there is no user %s", name);
	default:
		return admin_fail(EX_TEMPFAIL,
				  "%s: cannot find out; does the suite run? "
				  "If so, its log says why",
				  name);
	}
}

int admin_find_account(const struct admin *a, const char *name, struct account *u)
{
	find_private(a);
	switch (account_lookup(name, u)) {
	case ACCOUNT_FOUND:
		return EX_OK;
	case ACCOUNT_NONE:
		return admin_fail(EX_NOUSER, "there is no user %s", name);
	default:
		return admin_fail(EX_UNAVAILABLE,
				  "accountd does not say who %s is: does the "
				  "suite run?",
				  name);
	}
}

int admin_become(const struct account *u)
{
	if (u->uid == 0 && geteuid() == 0)
		return admin_fail(EX_NOPERM, "root has no mailbox");
	if (geteuid() != 0 && geteuid() != u->uid)
		return admin_fail(EX_NOPERM, "only root and the user may");
	sandbox_become(u->uid, u->gid);
	return EX_OK;
}
