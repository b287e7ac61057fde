#include "remote-send/tls-policy-text.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool sts_is_record(const char *text)
{
	if (!str_starts(text, "v=STSv1"))
		return false;
	text += 7;
	while (*text == ' ' || *text == '\t')
		text++;
	return *text == ';';
}

bool sts_record_id(const char *text, char *id)
{
	char *copy = mem_strdup(text), *rest = copy, *field;
	bool good = false;

	while ((field = strsep(&rest, ";"))) {
		size_t n;

		field = str_trim(field);
		if (!str_starts(field, "id="))
			continue;
		field += 3;
		for (n = 0; str_isalnum((unsigned char)field[n]); n++)
			;
		good = n > 0 && !field[n] && str_copy(id, STS_ID_SIZE, field);
		break;
	}
	free(copy);
	return good;
}

/* A host name, perhaps with "*." before it. */
static bool is_pattern(const char *s)
{
	const char *name = str_starts(s, "*.") ? s + 2 : s;

	if (!*name || strlen(s) > 255)
		return false;
	for (const char *p = name; *p; p++)
		if (!str_isalnum((unsigned char)*p) && !strchr("-_.", *p))
			return false;
	return true;
}

/* What was seen: the first occurrence of a field counts (section 3.2). */
struct reading {
	struct sts_policy *policy;
	bool version;
	bool mode;
	bool age;
	bool good;
};

static void take_version(struct reading *r, char *value)
{
	if (!r->version && strcmp(value, "STSv1") != 0)
		r->good = false;
	r->version = true;
}

static void take_mode(struct reading *r, char *value)
{
	static const char *const modes[] = { "none", "testing", "enforce" };
	bool known = false;

	if (r->mode)
		return;
	r->mode = true;
	for (int i = POLICY_NONE; i <= POLICY_ENFORCE; i++)
		if (strcmp(value, modes[i]) == 0) {
			r->policy->mode = (enum policy_mode)i;
			known = true;
		}
	r->good = r->good && known;
}

static void take_age(struct reading *r, char *value)
{
	if (r->age)
		return;
	r->age = true;
	if (!str_to_int(value, 0, 9999999999, &r->policy->max_age))
		r->good = false;
	if (r->policy->max_age > STS_AGE_MAX)
		r->policy->max_age = STS_AGE_MAX;
}

static void take_mx(struct reading *r, char *value)
{
	if (!is_pattern(value) || r->policy->mx.n >= STS_MX_MAX)
		r->good = false;
	else
		strlist_add(&r->policy->mx, str_lower(value));
}

static const struct {
	const char *name;
	void (*take)(struct reading *r, char *value);
} fields[] = {
	{ "version", take_version },
	{ "mode", take_mode },
	{ "max_age", take_age },
	{ "mx", take_mx },
};

/* "name: value"; unknown names are for later versions. */
static void read_line(struct reading *r, char *line)
{
	char *colon = strchr(line, ':');

	if (!colon) {
		r->good = r->good && !*str_trim(line);
		return;
	}
	*colon = '\0';
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(str_trim(line), fields[i].name) == 0)
			fields[i].take(r, str_trim(colon + 1));
}

bool sts_policy_parse(const char *text, size_t n, struct sts_policy *p)
{
	struct reading r = { .policy = p, .good = true };
	char *copy, *rest, *line;

	*p = (struct sts_policy){ .mode = POLICY_NONE };
	if (n > STS_POLICY_MAX || memchr(text, '\0', n))
		return false;
	copy = rest = mem_strndup(text, n);
	while (r.good && (line = strsep(&rest, "\n")))
		read_line(&r, line);
	free(copy);
	return r.good && r.version && r.mode && r.age &&
	       (p->mode == POLICY_NONE || p->mx.n > 0);
}
