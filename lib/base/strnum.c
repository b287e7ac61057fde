/* Numbers with and without units, of base/str.h. */
#include "base/str.h"

#include <string.h>

bool str_span_to_int(const char *s, size_t n, int64_t min, int64_t max,
		     int64_t *value)
{
	bool negative = n > 0 && s[0] == '-';
	int64_t v = 0;

	if (negative) {
		s++;
		n--;
	}
	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!str_isdigit(s[i]) || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, s[i] - '0', &v))
			return false;
	}
	if (negative)
		v = -v;
	if (v < min || v > max)
		return false;
	*value = v;
	return true;
}

bool str_to_int(const char *s, int64_t min, int64_t max, int64_t *value)
{
	return str_span_to_int(s, strlen(s), min, max, value);
}

struct unit {
	char letter;
	int64_t factor;
};

/* A number that may end with one of the letters in UNITS. */
static bool with_unit(const char *s, const struct unit *units, int64_t *value)
{
	size_t n = strlen(s);
	int64_t factor = 1, v;

	for (; n > 1 && units->letter; units++)
		if (str_tolower(s[n - 1]) == units->letter) {
			factor = units->factor;
			n--;
			break;
		}
	if (!str_span_to_int(s, n, 0, INT64_MAX, &v) ||
	    __builtin_mul_overflow(v, factor, &v))
		return false;
	*value = v;
	return true;
}

bool str_to_seconds(const char *s, int64_t *seconds)
{
	static const struct unit units[] = {
		{ 's', 1 },	{ 'm', 60 },	 { 'h', 3600 },
		{ 'd', 86400 }, { 'w', 604800 }, { 0, 0 },
	};

	return with_unit(s, units, seconds);
}

bool str_to_bytes(const char *s, int64_t *bytes)
{
	static const struct unit units[] = {
		{ 'k', 1 << 10 },	   { 'm', 1 << 20 }, { 'g', 1 << 30 },
		{ 't', (int64_t)1 << 40 }, { 0, 0 },
	};

	return with_unit(s, units, bytes);
}
