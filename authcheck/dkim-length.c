#include "authcheck/dkim-length.h"

struct measure {
	bool relaxed;
	bool blank;    /* white space was seen and not counted yet */
	int64_t lines; /* line ends seen and not counted yet */
	int64_t length;
};

static void measure_byte(struct measure *s, char c)
{
	if (c == '\r')
		return;
	if (c == '\n') {
		s->blank = false;
		s->lines++;
	} else if (s->relaxed && (c == ' ' || c == '\t')) {
		s->blank = true;
	} else {
		s->length += 2 * s->lines + s->blank + 1;
		s->lines = 0;
		s->blank = false;
	}
}

static bool take(void *context, char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		measure_byte(context, data[i]);
	return true;
}

int64_t dkim_body_length(const struct message *m, bool relaxed)
{
	struct measure s = { .relaxed = relaxed };

	if (message_body(m, take, &s))
		return -1;
	/* empty lines at the end are one line end, or, relaxed, none if there
	 * is nothing else */
	return s.length > 0 || !relaxed ? s.length + 2 : 0;
}
