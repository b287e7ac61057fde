#include "qmgr/result.h"

#include <string.h>

#include "log/log.h"
#include "qmgr/job.h"

static const struct {
	const char *name;   /* in packets, journals and lists */
	const char *logged; /* as log tools for Postfix expect it */
	const char *action; /* in a notice: RFC 3464 section 2.3.3 */
	const char *here;   /* the same, with RESULT_LOCAL */
} words[] = {
	/* what was relayed is not known to be delivered */
	[RESULT_SENT] = { "sent", "sent", "relayed", "delivered" },
	[RESULT_DEFERRED] = { "deferred", "deferred", "delayed", "delayed" },
	[RESULT_FAILED] = { "failed", "bounced", "failed", "failed" },
	[RESULT_EXPANDED] = { "expanded", "sent", "expanded", "expanded" },
};

static const struct {
	unsigned flag;
	char letter;
} letters[] = {
	{ RESULT_REMOTE, 'r' },	    { RESULT_DONE_TOO, 'd' },
	{ RESULT_DSN_PASSED, 'p' }, { RESULT_OWNER, 'o' },
	{ RESULT_LOCAL, 'l' },	    { RESULT_SOON, 's' },
	{ RESULT_OPEN, 'u' },
};

#define LETTERS (sizeof(letters) / sizeof(letters[0]))

const char *result_name(enum result_status status)
{
	return words[status].name;
}

bool result_status_of(const char *word, enum result_status *status)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].name) == 0) {
			*status = (enum result_status)i;
			return true;
		}
	return false;
}

enum result_status result_itself(const struct result *r)
{
	if (r->status != RESULT_EXPANDED || *r->dsn == '2')
		return r->status;
	return *r->dsn == '5' ? RESULT_FAILED : RESULT_DEFERRED;
}

const char *result_action(enum result_status status, unsigned flags)
{
	return flags & RESULT_LOCAL ? words[status].here : words[status].action;
}

const char *result_letters(char out[RESULT_FLAGS_SIZE], unsigned flags)
{
	size_t n = 0;

	for (size_t i = 0; i < LETTERS; i++)
		if (flags & letters[i].flag)
			out[n++] = letters[i].letter;
	if (n == 0)
		out[n++] = '-';
	out[n] = '\0';
	return out;
}

unsigned result_flags_of(const char *text)
{
	unsigned flags = 0;

	for (size_t i = 0; i < LETTERS; i++)
		if (strchr(text, letters[i].letter))
			flags |= letters[i].flag;
	return flags;
}

void result_log(const struct job *j, const struct job_recipient *to,
		const struct result *r, const char *delays, const char *text)
{
	bool moved = *to->original && strcmp(to->original, to->address) != 0;

	log_info("%s: to=<%s>,%s%s%s relay=%s, %s, dsn=%s, status=%s (%s)",
		 j->id, to->address, moved ? " orig_to=<" : "",
		 moved ? to->original : "", moved ? ">," : "",
		 *r->relay ? r->relay : "none", delays, r->dsn,
		 words[result_itself(r)].logged, text);
}
