/* posthorn check: the users that programs and commands run as. Master reports
 * if one of the suite's is missing or root (check_start). */
#include <unistd.h>

#include "admin/check.h"
#include "server/user.h"

/* Users that must differ: an intruder in one program gets no further. */
static const char *const apart[] = { "account_user", "check_user",
				     "decoder_user", "default_privs",
				     "mail_user",    "net_user",
				     "queue_user",   "tls_user" };

#define APART (sizeof(apart) / sizeof(apart[0]))

/* Do PARAM and OTHER name the same user? */
static void check_pair(struct findings *f, const struct config *c,
		       const char *param, const char *other)
{
	const char *name = config_string(c, param);
	uid_t uid, other_uid;
	gid_t gid;

	if (user_find(name, &uid, &gid) &&
	    user_find(config_string(c, other), &other_uid, &gid) &&
	    uid == other_uid && uid != 0)
		check_warning(f,
			      "%s = %s: is the user of %s, too: what gets into "
			      "the programs of one gets into those of the "
			      "other",
			      param, name, other);
}

static void check_default_privs(struct findings *f, const struct config *c)
{
	const char *privs = config_string(c, "default_privs");
	uid_t uid;
	gid_t gid;

	if (!user_find(privs, &uid, &gid))
		check_fault(f, "default_privs = %s: there is no such user",
			    privs);
	else if (uid == 0)
		check_fault(f, "default_privs = %s: is root", privs);
}

/* Without root everything runs as one user, whatever these say. */
void check_users(struct findings *f, const struct config *c)
{
	check_default_privs(f, c);
	if (geteuid() != 0)
		return;
	for (size_t i = 0; i < APART; i++)
		for (size_t j = i + 1; j < APART; j++)
			check_pair(f, c, apart[i], apart[j]);
}
