/* What a server offers in its reply to EHLO (RFC 5321 section 4.1.1.1). */
#include <string.h>

#include "base/str.h"
#include "remote-send/session.h"

static const struct {
	const char *keyword;
	unsigned feature;
} keywords[] = {
	{ "PIPELINING", FEATURE_PIPELINING }, /* RFC 2920 */
	{ "SIZE", FEATURE_SIZE },	      /* RFC 1870 */
	{ "8BITMIME", FEATURE_8BITMIME },     /* RFC 6152 */
	{ "DSN", FEATURE_DSN },		      /* RFC 3461 */
	/* SMTPUTF8 requires 8BITMIME: RFC 6531 section 3.1 */
	{ "SMTPUTF8", FEATURE_SMTPUTF8 | FEATURE_8BITMIME },
	{ "STARTTLS", FEATURE_STARTTLS },	     /* RFC 3207 */
	{ "ENHANCEDSTATUSCODES", FEATURE_ENHANCED }, /* RFC 2034 */
};

/* A line without code and end: "SIZE 1000". */
static void note_line(struct session *s, const char *p, size_t n)
{
	size_t word = 0;

	while (word < n && p[word] != ' ')
		word++;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (!str_span_is(p, word, keywords[i].keyword))
			continue;
		s->features |= keywords[i].feature;
		/* a limit that is not a number counts as none */
		if (keywords[i].feature == FEATURE_SIZE && word < n &&
		    !str_span_to_int(p + word + 1, n - word - 1, 0, INT64_MAX,
				     &s->size_limit))
			s->size_limit = 0;
	}
}

static bool is_ours(const struct session *s, const char *p, size_t n)
{
	size_t word = 0;

	while (word < n && p[word] != ' ')
		word++;
	return str_span_is(p, word, s->set->myhostname);
}

bool session_features(struct session *s, const char *lines, size_t n)
{
	const char *end = lines + n;
	bool first = true;

	s->features = FEATURE_ESMTP;
	s->size_limit = 0;
	while (lines < end) {
		const char *lf = memchr(lines, '\n', (size_t)(end - lines));
		const char *stop = lf ? lf : end;
		const char *text = lines + 4;

		if (stop > lines && stop[-1] == '\r')
			stop--;
		if (text < stop && first &&
		    is_ours(s, text, (size_t)(stop - text)))
			return false;
		if (text < stop && !first)
			note_line(s, text, (size_t)(stop - text));
		first = false;
		lines = lf ? lf + 1 : end;
	}
	return true;
}
