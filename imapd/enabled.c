#include "imapd/enabled.h"

#include "imapd/metadata-watch.h"
#include "imapd/session.h"

/* A visitor does not hear of folders that are not open to it. */
static bool begin_metadata(struct session *s)
{
	return !s->visitor && metadata_watch_begin(s);
}

/* Unless it is announced it is unknown. A visitor's own session has judged. */
static bool begin_uidonly(struct session *s)
{
	return (s->uidonly || s->visitor) && enable(s, ENABLED_UIDONLY);
}

static const struct {
	const char *name;
	unsigned what;
	bool (*begin)(struct session *s); /* instead: false, it was before */
} extensions[] = {
	{ "CONDSTORE", ENABLED_CONDSTORE, NULL },
	{ "METADATA", 0, begin_metadata },
	{ "QRESYNC", ENABLED_QRESYNC | ENABLED_CONDSTORE, NULL },
	{ "UIDONLY", 0, begin_uidonly },
	{ "UTF8=ACCEPT", ENABLED_UTF8, NULL },
	{ "IMAP4rev2", ENABLED_REV2, NULL },
};

bool enabled(const struct session *s, unsigned any)
{
	return s->enabled & any;
}

bool enable(struct session *s, unsigned what)
{
	unsigned fresh = what & ~s->enabled;

	if (fresh & ENABLED_CONDSTORE)
		s->modseq_due = true;
	s->enabled |= what;
	s->c.limits.utf8 = enabled(s, ENABLED_NAMES_UTF8);
	return fresh;
}

void enable_by_name(struct session *s, const struct arg *name, struct buf *out)
{
	size_t i, n = sizeof(extensions) / sizeof(*extensions);

	for (i = 0; i < n && !arg_is(name, extensions[i].name); i++)
		;
	if (i < n && (extensions[i].begin ? extensions[i].begin(s)
					  : enable(s, extensions[i].what)))
		buf_printf(out, " %s", extensions[i].name);
}
