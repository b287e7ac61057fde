#include "authcheck/dmarc-record.h"

#include <stdint.h>
#include <string.h>

#include <opendmarc/dmarc.h>

#include "authcheck/dmarc-words.h"
#include "authcheck/tags.h"
#include "base/str.h"

#define VERSION "DMARC1"

/* "v", "=", "DMARC1" with white space between, then ";" or the end. In the ABNF
 * the tag is a string, which has no case, the version is bytes (RFC 7489
 * section 6.4, RFC 5234 section 2.3). */
bool dmarc_record_is(const char *text)
{
	text += strspn(text, " \t");
	if (*text != 'v' && *text != 'V')
		return false;
	text++;
	text += strspn(text, " \t");
	if (*text++ != '=')
		return false;
	text += strspn(text, " \t");
	if (!str_starts(text, VERSION))
		return false;
	text += strlen(VERSION);
	text += strspn(text, " \t");
	return *text == ';' || *text == '\0';
}

static bool parse_policy(const char *value, enum dmarc_policy *p)
{
	for (int i = DMARC_P_NONE; value && i <= DMARC_P_REJECT; i++)
		if (str_equal_ci(value, dmarc_policy_word(i))) {
			*p = (enum dmarc_policy)i;
			return true;
		}
	return false;
}

/* Is there a plausible address for reports: a scheme and something? */
static bool has_report_address(const struct tags *t)
{
	const char *rua = tags_get(t, "rua");
	const char *colon = rua ? strchr(rua, ':') : NULL;

	return colon && colon > rua && colon[1] && colon[1] != ',';
}

static bool is_strict(const struct tags *t, const char *name)
{
	return str_equal_ci(tags_get(t, name), "s");
}

static const char *const known[] = { "p",    "sp",  "pct", "adkim",
				     "aspf", "rua", NULL };

bool dmarc_record_parse(struct arena *a, const char *text,
			struct dmarc_record *r)
{
	const char *sp, *pct;
	struct tags t;
	int64_t n;

	*r = (struct dmarc_record){ .pct = 100 };
	tags_parse_lenient(a, text, strlen(text), known, &t);
	sp = tags_get(&t, "sp");
	pct = tags_get(&t, "pct");
	r->strict_dkim = is_strict(&t, "adkim");
	r->strict_spf = is_strict(&t, "aspf");
	if (pct && str_to_int(pct, 0, 100, &n))
		r->pct = (int)n;
	if (!parse_policy(tags_get(&t, "p"), &r->p) ||
	    (sp && !parse_policy(sp, &r->sp))) {
		r->p = r->sp = DMARC_P_NONE;
		return has_report_address(&t);
	}
	if (!sp)
		r->sp = r->p;
	return true;
}

/* The library's letters for policies and alignment. */
static enum dmarc_policy library_policy(int letter)
{
	switch (letter) {
	case DMARC_RECORD_P_REJECT:
		return DMARC_P_REJECT;
	case DMARC_RECORD_P_QUARANTINE:
		return DMARC_P_QUARANTINE;
	default:
		return DMARC_P_NONE;
	}
}

static bool compare(DMARC_POLICY_T *library, const struct dmarc_record *r)
{
	int p = 0, sp = 0, adkim = 0, aspf = 0, pct = 0;

	opendmarc_policy_fetch_p(library, &p);
	opendmarc_policy_fetch_sp(library, &sp);
	opendmarc_policy_fetch_adkim(library, &adkim);
	opendmarc_policy_fetch_aspf(library, &aspf);
	opendmarc_policy_fetch_pct(library, &pct);
	if (sp == DMARC_RECORD_P_UNSPECIFIED)
		sp = p;
	return library_policy(p) == r->p && library_policy(sp) == r->sp &&
	       (adkim == DMARC_RECORD_A_STRICT) == r->strict_dkim &&
	       (aspf == DMARC_RECORD_A_STRICT) == r->strict_spf &&
	       pct == r->pct;
}

bool dmarc_record_agrees(const char *text, const char *domain,
			 const struct dmarc_record *r)
{
	unsigned char address[] = "192.0.2.1"; /* required, but not used */
	DMARC_POLICY_T *library = opendmarc_policy_connect_init(
		address, DMARC_POLICY_IP_TYPE_IPV4);
	bool same = false;

	if (!library)
		return false;
	if (opendmarc_policy_store_dmarc(library, (u_char *)(uintptr_t)text,
					 (u_char *)(uintptr_t)domain,
					 NULL) == DMARC_PARSE_OKAY)
		same = compare(library, r);
	opendmarc_policy_connect_shutdown(library);
	return same;
}
