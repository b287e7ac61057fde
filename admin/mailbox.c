/*
 * posthorn mailbox: a user's folders, examined and mended. All is done as the
 * user: a Maildir is what its user made of it, and may hold links to anywhere.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/account.h"
#include "base/encode.h"
#include "client/share.h"
#include "ipc/ipc.h"
#include "mailbox/acl.h"
#include "mailbox/inspect.h"
#include "server/sandbox.h"

static const char help[] =
	"usage: posthorn mailbox check USER [FOLDER]    what differs\n"
	"       posthorn mailbox repair USER [FOLDER]   mend it\n"
	"       posthorn mailbox reindex USER [FOLDER]  remove snapshot and "
	"cache,\n"
	"                                               which are made anew\n"
	"       posthorn mailbox acl USER [FOLDER]      who may do what\n"
	"       posthorn mailbox dump USER [FOLDER]     the journal's records\n"
	"       posthorn mailbox create USER FOLDER     make it\n"
	"       posthorn mailbox setacl USER FOLDER IDENTIFIER [+|-]RIGHTS\n"
	"                                               change who may do "
	"what\n"
	"\nOf all folders of USER (dump: of INBOX), or of FOLDER alone.\n";

struct visit {
	struct account user;
	int accountd; /* a connection to it, or -1 */
	struct store *store;
	const char *folder;
	size_t findings;
	char identifier[ACL_IDENTIFIER_SIZE]; /* setacl: whose rights, … */
	char how;			      /* '=', '+', '-' */
	unsigned rights;
};

/* Text from a Maildir, which may hold anything. */
static void put_visible(const char *text)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	encode_visible(&b, text, strlen(text));
	fputs(b.data, stdout);
	buf_free(&b);
}

static void print_finding(void *context, const struct inspect_finding *f)
{
	struct visit *v = context;

	v->findings++;
	put_visible(v->folder);
	fputs(": ", stdout);
	put_visible(f->file);
	if (f->at >= 0)
		printf(":%" PRId64, f->at);
	fputs(": ", stdout);
	put_visible(f->what);
	printf("; repair: %s\n", f->repair);
}

static void print_record(void *context, int64_t at, const char *text)
{
	(void)context;
	printf("%" PRId64 " %s\n", at, text);
}

static int fail(const struct visit *v, int code)
{
	int status = code == ERR_NOT_FOUND || code == ERR_SYNTAX ? EX_DATAERR
		     : code == ERR_BUSY || code == ERR_TEMP	  ? EX_TEMPFAIL
								  : EX_IOERR;

	if (code == ERR_NOT_FOUND || code == ERR_SYNTAX)
		return admin_fail(status, "there is no folder %s", v->folder);
	return admin_fail(status, "%s: %s", v->folder, err_why(code));
}

static int check(struct visit *v)
{
	int code = inspect_check(v->store, v->folder, print_finding, v);

	return code ? fail(v, code) : v->findings ? EX_DATAERR : EX_OK;
}

/* What the opening does is in its log, which goes to standard error. */
static int repair(struct visit *v)
{
	int status = check(v), code;

	if (status != EX_DATAERR || v->findings == 0)
		return status;
	code = inspect_mend(v->store, v->folder);
	if (code)
		return fail(v, code);
	v->findings = 0;
	put_visible(v->folder);
	puts(": opened; what is left:");
	return check(v);
}

static int reindex(struct visit *v)
{
	int code = inspect_forget(v->store, v->folder);

	if (!code)
		code = inspect_mend(v->store, v->folder);
	return code ? fail(v, code) : EX_OK;
}

static int dump(struct visit *v)
{
	int code = inspect_dump(v->store, v->folder, print_record, v);

	if (code == ERR_CORRUPT)
		return admin_fail(EX_DATAERR, "%s: %s", v->folder,
				  err_why(code));
	return code ? fail(v, code) : EX_OK;
}

static int print_acl(struct visit *v)
{
	struct metadata acl = { 0 };
	int code = acl_read(v->store, v->folder, &acl);

	for (size_t i = 0; !code && i < acl.n; i++) {
		put_visible(v->folder);
		fputs(": ", stdout);
		put_visible(acl.entry[i].name);
		printf(" %s\n", acl.entry[i].value);
	}
	metadata_free(&acl);
	return code ? fail(v, code) : EX_OK;
}

/* Tells accountd whom the lists of all folders name. */
static int tell_accountd(struct visit *v)
{
	struct strlist names = { 0 };
	struct metadata all = { 0 };
	int code = acl_identifiers(v->store, &all);

	for (size_t i = 0; i < all.n; i++)
		strlist_add(&names, all.entry[i].name);
	if (!code)
		code = v->accountd < 0
			       ? err_set(ERR_TEMP, "accountd does not run")
			       : share_set(v->accountd, v->user.user, &names);
	strlist_free(&names);
	metadata_free(&all);
	return code ? admin_fail(EX_TEMPFAIL, "%s", err_why(code)) : EX_OK;
}

static int create(struct visit *v)
{
	int code = store_create(v->store, v->folder, NULL);

	if (code == ERR_EXISTS)
		return admin_fail(EX_DATAERR, "there is a folder %s already",
				  v->folder);
	if (code == ERR_SYNTAX)
		return admin_fail(EX_DATAERR, "%s: not a name of a folder",
				  v->folder);
	return code ? fail(v, code) : EX_OK;
}

static int set_acl(struct visit *v)
{
	int code = acl_change(v->store, v->folder, v->identifier, v->how,
			      v->rights);

	if (code == ERR_LIMIT)
		return admin_fail(EX_DATAERR, "%s: too many entries",
				  v->folder);
	return code ? fail(v, code) : print_acl(v);
}

#define ANY_FOLDER 0 /* one, or all */

static const struct action {
	const char *name;
	int (*run)(struct visit *v);
	int words;		       /* after USER: so many, or ANY_FOLDER */
	bool one;		       /* without a folder: INBOX only */
	int (*after)(struct visit *v); /* when the lists may be others; or
					* NULL */
} actions[] = {
	{ "check", check, ANY_FOLDER, false, NULL },
	{ "repair", repair, ANY_FOLDER, false, NULL },
	{ "reindex", reindex, ANY_FOLDER, false, NULL },
	{ "acl", print_acl, ANY_FOLDER, false, tell_accountd },
	{ "dump", dump, ANY_FOLDER, true, NULL },
	{ "create", create, 1, true, tell_accountd },
	{ "setacl", set_acl, 3, true, tell_accountd },
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

/* Becomes the user that NAME is, for good, and opens the Maildir. */
static int become(const struct admin *a, const char *name, bool make,
		  struct visit *v)
{
	const bool writable = true;
	const char *maildir = v->user.maildir;
	int status = admin_find_account(a, name, &v->user), code;

	/* the user may not ask */
	v->accountd = ipc_connect("accountd");
	if (!status)
		status = admin_become(&v->user);
	if (status)
		return status;
	code = store_open(maildir, make, &v->store);
	if (code)
		return admin_fail(code == ERR_NOT_FOUND ? EX_DATAERR
							: EX_IOERR,
				  "%s", err_why(code));
	sandbox_only_dirs(&maildir, &writable, 1);
	return EX_OK;
}

/* The worst of the statuses counts. */
static int run_all(struct visit *v, int (*run)(struct visit *v))
{
	struct store_list l;
	int code = store_list(v->store, &l), worst = EX_OK;

	if (code)
		return admin_fail(EX_IOERR, "%s", err_why(code));
	for (size_t i = 0; i < l.n; i++) {
		int status;

		if (!l.folder[i].exists)
			continue;
		v->folder = l.folder[i].name;
		v->findings = 0;
		status = run(v);
		if (status > worst)
			worst = status;
	}
	store_list_free(&l);
	return worst;
}

/* The words of setacl: TEXT as accountd calls that user, and RIGHTS. */
static int read_rights(const struct admin *a, const char *text,
		       const char *rights, struct visit *v)
{
	const bool minus = *text == '-';
	struct account found = { 0 };
	int status = EX_OK;

	v->how = *rights == '+' || *rights == '-' ? *rights++ : '=';
	if (!acl_parse(rights, &v->rights))
		return admin_fail(EX_USAGE,
				  "%s: rights are of " ACL_LETTERS "cd",
				  rights);
	if (!acl_is_identifier(text))
		return admin_fail(EX_USAGE, "%s: not an identifier", text);
	if (str_equal_ci(text + minus, ACL_ANYONE))
		str_copy(found.user, sizeof(found.user), ACL_ANYONE);
	else
		status = admin_find_account(a, text + minus, &found);
	snprintf(v->identifier, sizeof(v->identifier), "%s%s", minus ? "-" : "",
		 found.user);
	return status;
}

static bool fits(const struct admin *a, const struct action *action)
{
	int words = a->argc - 2; /* after USER */

	return action->words == ANY_FOLDER ? words <= 1
					   : words == action->words;
}

static int run_action(const struct admin *a, const struct action *action,
		      struct visit *v)
{
	bool one = a->argc > 2 || action->one;
	int status = one ? action->run(v) : run_all(v, action->run);

	if (status == EX_OK && action->after &&
	    (a->argc == 2 || action->words != ANY_FOLDER))
		status = action->after(v);
	return status;
}

int admin_mailbox(const struct admin *a)
{
	struct visit v = { 0 };
	size_t i = 0;
	int status = EX_OK;

	if (a->help || a->argc < 2)
		return admin_usage(a, help);
	while (i < ACTIONS && !str_equal(actions[i].name, a->argv[0]))
		i++;
	if (i == ACTIONS)
		return admin_fail(EX_USAGE, "there is no mailbox %s",
				  a->argv[0]);
	if (!fits(a, &actions[i]))
		return admin_usage(a, help);
	v.folder = a->argc > 2 ? a->argv[2] : "INBOX";
	if (a->argc == 5)
		status = read_rights(a, a->argv[3], a->argv[4], &v);
	if (!status)
		status = become(a, a->argv[1], actions[i].run == create, &v);
	if (status)
		return status;
	if (str_equal(v.identifier + (*v.identifier == '-'), v.user.user))
		status = admin_fail(EX_DATAERR, "the owner has all rights, "
						"always");
	else
		status = run_action(a, &actions[i], &v);
	store_close(&v.store);
	return status;
}
