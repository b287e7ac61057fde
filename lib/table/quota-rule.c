#include "table/quota-rule.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"

#define VALUE_MAX (INT64_MAX / 4)

static const char field[] = "userdb_quota_rule=";

static const struct {
	const char *name;
	size_t member;
	int64_t unit; /* without a letter; 1: bytes */
	bool letters;
} limits[] = {
	{ "storage=", offsetof(struct quota, bytes), 1024, true },
	{ "bytes=", offsetof(struct quota, bytes), 1, true },
	{ "messages=", offsetof(struct quota, messages), 1, false },
};

/* The factor that the N bytes after a number stand for; 0: none. */
static int64_t unit_of(const char *text, size_t n, int64_t plain)
{
	static const char letters[] = "bkmgt";
	const char *at;

	if (n == 0)
		return plain;
	at = n == 1 ? strchr(letters, *text | ' ') : NULL;
	return at && *at ? INT64_C(1) << (10 * (at - letters)) : 0;
}

/* "1G": a number and a letter, N bytes. */
static bool read_value(const char *text, size_t n, int64_t plain, bool letters,
		       int64_t *out)
{
	size_t digits = strspn(text, "0123456789");
	int64_t unit;

	digits = digits > n ? n : digits;
	unit = unit_of(text + digits, n - digits, plain);
	if (unit == 0 || (!letters && digits < n) ||
	    !str_span_to_int(text, digits, 0, VALUE_MAX / unit, out))
		return false;
	*out *= unit;
	return true;
}

static bool read_limit(const char *text, size_t n, struct quota *q)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		size_t skip = strlen(limits[i].name);

		if (n > skip && strncmp(text, limits[i].name, skip) == 0)
			return read_value(
				text + skip, n - skip, limits[i].unit,
				limits[i].letters,
				(int64_t *)(void *)((char *)q +
						    limits[i].member));
	}
	return false;
}

/* "*:storage=1G:messages=1000", up to a space. */
static bool read_rule(const char *text, struct quota *q)
{
	size_t n;

	if (!str_starts(text, "*:"))
		return false;
	for (text++; *text == ':'; text += n) {
		n = strcspn(++text, ": \t");
		if (!read_limit(text, n, q))
			return false;
	}
	return true;
}

bool quota_rule_find(const char *extra, struct quota *q)
{
	struct quota found = { QUOTA_DEFAULT, QUOTA_DEFAULT };
	bool good = true;

	*q = found;
	while (good && *(extra += strspn(extra, " \t"))) {
		if (str_starts(extra, field))
			good = read_rule(extra + sizeof(field) - 1, &found);
		extra += strcspn(extra, " \t");
	}
	if (good)
		*q = found;
	return good;
}
