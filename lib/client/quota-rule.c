#include "client/quota-rule.h"

#include <string.h>

#include "base/str.h"

#define VALUE_MAX (INT64_MAX / 4)
#define PERCENT_MAX 10000

static const struct {
	const char *name;
	size_t member;
	int64_t unit; /* without a letter; 1: bytes */
	bool letters;
} limits[] = {
	{ "storage=", offsetof(struct quota_rule, bytes), 1024, true },
	{ "bytes=", offsetof(struct quota_rule, bytes), 1, true },
	{ "messages=", offsetof(struct quota_rule, messages), 1, false },
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

/* As Dovecot's configuration has it, the sign of percent may be doubled. */
static size_t without_percent(const char *text, size_t n)
{
	if (n > 1 && text[n - 1] == '%')
		n--;
	if (n > 1 && text[n - 1] == '%')
		n--;
	return n;
}

/* "1G", "+1G", "+10%" */
static bool read_amount(const char *text, size_t n, size_t row,
			struct quota_amount *a)
{
	size_t plain;

	a->more = n > 1 && *text == '+';
	text += a->more;
	n -= a->more;
	plain = a->more ? without_percent(text, n) : n;
	a->percent = plain < n;
	if (a->percent)
		return str_span_to_int(text, plain, 0, PERCENT_MAX, &a->value);
	return read_value(text, n, limits[row].unit, limits[row].letters,
			  &a->value);
}

static bool read_limit(const char *text, size_t n, struct quota_rule *r)
{
	if (n == 6 && strncmp(text, "ignore", n) == 0) {
		r->ignore = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		size_t skip = strlen(limits[i].name);

		if (n > skip && strncmp(text, limits[i].name, skip) == 0)
			return read_amount(
				text + skip, n - skip, i,
				(struct quota_amount *)(void *)((char *)r +
								limits[i]
									.member));
	}
	return false;
}

bool quota_rule_read(const char *text, struct quota_rule *r)
{
	size_t n;

	*r = (struct quota_rule){ .tree = text,
				  .n = strcspn(text, ": \t"),
				  .bytes.value = QUOTA_DEFAULT,
				  .messages.value = QUOTA_DEFAULT };
	text += r->n;
	if (r->n == 0 || *text != ':')
		return false;
	for (; *text == ':'; text += n) {
		n = strcspn(++text, ": \t");
		if (!read_limit(text, n, r))
			return false;
	}
	return !quota_rule_is_all(r) ||
	       (!r->ignore && !r->bytes.more && !r->messages.more);
}

bool quota_rule_is_all(const struct quota_rule *r)
{
	return r->n == 1 && *r->tree == '*';
}

bool quota_rule_covers(const struct quota_rule *r, const char *folder)
{
	return strncmp(folder, r->tree, r->n) == 0 &&
	       (folder[r->n] == '\0' || folder[r->n] == '/');
}

static bool limits_by(const struct quota_amount *a)
{
	return a->value > 0 && !a->more;
}

bool quota_rule_limits(const struct quota_rule *r)
{
	return !r->ignore && (limits_by(&r->bytes) || limits_by(&r->messages));
}
