/*
 * Verification: header and body go through the library once for all
 * signatures; the keys are judged in dkim-key.c, the signatures' own text in
 * dkim-signature.c, and what the library then says counts only for those that
 * both let pass.
 */
#include <string.h>
#include <sys/types.h>

#include <opendkim/dkim.h>

#include "authcheck/dkim-key.h"
#include "authcheck/dkim-length.h"
#include "authcheck/dkim-library.h"
#include "authcheck/dkim.h"
#include "authcheck/tags.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "mime/field.h"

/* What the library's errors are called (RFC 8601 section 2.7.1). The rest is
 * permerror. */
static const struct {
	int error;
	enum dkim_verdict result;
	const char *why;
} errors[] = {
	{ DKIM_SIGERROR_BADSIG, DKIM_FAIL, "signature does not fit" },
	{ DKIM_SIGERROR_EXPIRED, DKIM_FAIL, "signature expired" },
	{ DKIM_SIGERROR_FUTURE, DKIM_FAIL, "signed in the future" },
	{ DKIM_SIGERROR_KEYFAIL, DKIM_TEMPERROR, "no answer for the key" },
	{ DKIM_SIGERROR_KEYTOOSMALL, DKIM_POLICY, "key too small" },
	{ DKIM_SIGERROR_NOKEY, DKIM_PERMERROR, "no key" },
	{ DKIM_SIGERROR_KEYREVOKED, DKIM_PERMERROR, "key revoked" },
	{ DKIM_SIGERROR_SUBDOMAIN, DKIM_PERMERROR, "key not for sub-domains" },
	{ DKIM_SIGERROR_TOOLARGE_L, DKIM_PERMERROR, "l= exceeds the body" },
};

/* The library's callbacks find this through the DKIM handle. */
struct verification {
	struct lookup *lookup;
	const struct message *message;
	struct dkim_result *result;
	DKIM *dkim;
};

/* Gives the header to the library, without signatures that were already
 * rejected: it would give up the whole message for one of them. */
static size_t put_header(struct verification *v)
{
	const struct message *m = v->message;
	const char *pos = m->data, *end = m->data + m->header;
	struct dkim_result *r = v->result;
	size_t open = 0, n = 0;
	struct mime_field f;

	while (mime_field_next(&pos, end, &f)) {
		if (mime_field_is(&f, "DKIM-Signature")) {
			size_t i = n++;

			if (i >= r->n || r->signature[i].result != DKIM_NONE)
				continue;
			open++;
		}
		dkim_library_field(v->dkim, &f);
	}
	return open;
}

static bool same_text(const u_char *theirs, const char *ours)
{
	return str_equal_ci((const char *)theirs, ours);
}

/* Our entry for the library's SIG, found by domain, selector and b=, since the
 * library may have left out some. */
static struct dkim_signature *find_signature(const struct verification *v,
					     DKIM_SIGINFO *sig)
{
	char name[] = "b";
	const u_char *b = dkim_sig_gettagvalue(sig, false, (u_char *)name);
	struct tags t = { { { "b", (const char *)b } }, 1 };
	const char *compact;

	if (!b)
		return NULL;
	compact = tags_get_compact(v->lookup->arena, &t, "b");
	for (size_t i = 0; i < v->result->n; i++) {
		struct dkim_signature *s = &v->result->signature[i];

		if (s->result == DKIM_NONE && str_equal(s->b, compact) &&
		    same_text(dkim_sig_getdomain(sig), s->domain) &&
		    same_text(dkim_sig_getselector(sig), s->selector))
			return s;
	}
	return NULL;
}

DKIM_CBSTAT dkim_verify_key(DKIM *dkim, DKIM_SIGINFO *sig, u_char *buf,
			    size_t size)
{
	struct verification *v = dkim_get_user_context(dkim);
	struct dkim_signature *s = v ? find_signature(v, sig) : NULL;
	const char *record, *why;

	if (!s)
		return DKIM_CBSTAT_NOTFOUND;
	switch (dkim_key_find(v->lookup, s->selector, s->domain, s->algorithm,
			      &record, &why)) {
	case DKIM_KEY_GOOD:
		if (str_copy((char *)buf, size, record))
			return DKIM_CBSTAT_CONTINUE;
		why = "key record too long";
		break;
	case DKIM_KEY_SMALL:
		dkim_judge(s, DKIM_POLICY, why);
		return DKIM_CBSTAT_NOTFOUND;
	case DKIM_KEY_TEMP:
		dkim_judge(s, DKIM_TEMPERROR, why);
		return DKIM_CBSTAT_TRYAGAIN;
	case DKIM_KEY_NONE:
		break;
	}
	dkim_judge(s, DKIM_PERMERROR, why);
	return DKIM_CBSTAT_NOTFOUND;
}

/* A signature that leaves part of the body open proves nothing about it. */
static bool covers_body(const struct verification *v, DKIM_SIGINFO *sig)
{
	dkim_canon_t header, body;
	ssize_t size, reached, limit;

	if (dkim_sig_getcanonlen(v->dkim, sig, &size, &reached, &limit) !=
		    DKIM_STAT_OK ||
	    dkim_sig_getcanons(sig, &header, &body) != DKIM_STAT_OK)
		return false;
	return limit < 0 ||
	       limit >=
		       dkim_body_length(v->message, body == DKIM_CANON_RELAXED);
}

static void take_error(struct dkim_signature *s, int error)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].error == error) {
			dkim_judge(s, errors[i].result, errors[i].why);
			return;
		}
	dkim_judge(s, DKIM_PERMERROR, "signature or key with a fault");
}

static void process(struct verification *v, DKIM_SIGINFO *sig)
{
	struct dkim_signature *s = find_signature(v, sig);
	DKIM_STAT status;

	if (!s)
		return;
	status = dkim_sig_process(v->dkim, sig);
	if (s->result != DKIM_NONE)
		return;
	if (status == DKIM_STAT_OK && DKIM_SIG_CHECK(sig) &&
	    dkim_sig_geterror(sig) == DKIM_SIGERROR_OK) {
		if (covers_body(v, sig))
			dkim_judge(s, DKIM_PASS, "");
		else
			dkim_judge(s, DKIM_POLICY,
				   "part of the body not signed");
	} else if ((dkim_sig_getflags(sig) & DKIM_SIGFLAG_PROCESSED) &&
		   dkim_sig_getbh(sig) == DKIM_SIGBH_MISMATCH) {
		dkim_judge(s, DKIM_FAIL, "body was changed");
	} else {
		take_error(s, dkim_sig_geterror(sig));
	}
}

static void process_all(struct verification *v)
{
	DKIM_SIGINFO **sigs;
	int n;

	if (dkim_getsiglist(v->dkim, &sigs, &n) != DKIM_STAT_OK)
		return;
	for (int i = 0; i < n; i++)
		process(v, sigs[i]);
}

static void summarize(struct dkim_result *r)
{
	r->summary = r->n > 0 ? r->signature[0].result : DKIM_NONE;
	for (size_t i = 0; i < r->n; i++)
		if (r->signature[i].result == DKIM_PASS)
			r->summary = DKIM_PASS;
}

static int run(struct verification *v)
{
	int err;

	if (dkim_eoh(v->dkim) != DKIM_STAT_OK)
		return ERR_OK;
	err = message_body(v->message, dkim_library_body, v->dkim);
	if (err)
		return err;
	/* its verdict on the message as a whole is not used */
	dkim_eom(v->dkim, NULL);
	process_all(v);
	return ERR_OK;
}

void dkim_plan(struct lookup *l, const struct dkim_result *r, int64_t ms)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct dkim_signature *s = &r->signature[i];

		if (s->result == DKIM_NONE)
			lookup_plan(
				l,
				dkim_key_name(l->arena, s->selector, s->domain),
				"TXT", ms);
	}
}

int dkim_verify_message(struct lookup *l, const struct message *m,
			struct dkim_result *r)
{
	struct verification v = { l, m, r, dkim_library_verifier() };
	int err = ERR_OK;

	if (!v.dkim)
		return err_set(ERR_UNSUPPORTED, "libopendkim gives no handle");
	dkim_set_user_context(v.dkim, &v);
	if (put_header(&v) > 0)
		err = run(&v);
	dkim_free(v.dkim);
	for (size_t i = 0; i < r->n; i++)
		if (r->signature[i].result == DKIM_NONE)
			dkim_judge(&r->signature[i], DKIM_PERMERROR,
				   "signature or message with a fault");
	summarize(r);
	return err;
}
