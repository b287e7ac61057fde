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
	"\nOf all folders of USER (dump: of INBOX), or of FOLDER alone.\n";

struct visit {
	struct account user;
	int accountd; /* a connection to it, or -1 */
	struct store *store;
	const char *folder;
	size_t findings;
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

static const struct {
	const char *name;
	int (*run)(struct visit *v);
	bool one; /* without a folder: INBOX only */
	int (*after)(struct visit *v); /* all folders; or NULL */
} actions[] = {
	{ "check", check, false, NULL },
	{ "repair", repair, false, NULL },
	{ "reindex", reindex, false, NULL },
	{ "acl", print_acl, false, tell_accountd },
	{ "dump", dump, true, NULL },
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

/* Becomes the user that NAME is, for good, and opens the Maildir. */
static int become(const struct admin *a, const char *name, struct visit *v)
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
	code = store_open(maildir, false, &v->store);
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

int admin_mailbox(const struct admin *a)
{
	struct visit v = { 0 };
	size_t i = 0;
	int status;

	if (a->help || a->argc < 2 || a->argc > 3)
		return admin_usage(a, help);
	while (i < ACTIONS && !str_equal(actions[i].name, a->argv[0]))
		i++;
	if (i == ACTIONS)
		return admin_fail(EX_USAGE, "there is no mailbox %s",
				  a->argv[0]);
	status = become(a, a->argv[1], &v);
	if (status)
		return status;
	v.folder = a->argc > 2 ? a->argv[2] : "INBOX";
	status = a->argc > 2 || actions[i].one ? actions[i].run(&v)
					       : run_all(&v, actions[i].run);
	if (status == EX_OK && a->argc == 2 && actions[i].after)
		status = actions[i].after(&v);
	store_close(&v.store);
	return status;
}
