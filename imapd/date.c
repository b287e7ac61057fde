#include "imapd/date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* Days since 1970-01-01 in the Gregorian calendar; the year is made to begin
 * in March, so that the leap day is its last. */
static date_day days(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int m = (month + 9) % 12;
	int era = y / 400, of_era = y % 400;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* 1 to 12, or 0. */
static int month_number(const char *name)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	int i;

	for (i = 0; i < 12; i++)
		if (str_tolower((unsigned char)name[0]) == names[i * 3] &&
		    str_tolower((unsigned char)name[1]) == names[i * 3 + 1] &&
		    str_tolower((unsigned char)name[2]) == names[i * 3 + 2])
			return i + 1;
	return 0;
}

/* True if the numbers are those of a day; *OUT gets it. */
static bool make_day(int day, const char *month, int year, date_day *out)
{
	static const int length[] = { 31, 29, 31, 30, 31, 30,
				      31, 31, 30, 31, 30, 31 };
	int m = month_number(month);

	if (m == 0 || day < 1 || day > length[m - 1] || year < 1 || year > 9999)
		return false;
	*out = days(year, m, day);
	return true;
}

bool date_parse(const char *text, date_day *day)
{
	char month[4];
	int d, year, end = 0;

	if (sscanf(text, "%2d-%3[A-Za-z]-%4d%n", &d, month, &year, &end) != 3 ||
	    text[end] != '\0' || strlen(month) != 3)
		return false;
	return make_day(d, month, year, day);
}

bool date_parse_time(const char *text, int64_t *when)
{
	char month[4], sign;
	int d, year, h, m, s, zone, end = 0;
	date_day day;

	if (sscanf(text, "%2d-%3[A-Za-z]-%4d %2d:%2d:%2d %c%4d%n", &d, month,
		   &year, &h, &m, &s, &sign, &zone, &end) != 8 ||
	    text[end] != '\0' || strlen(month) != 3 ||
	    (sign != '+' && sign != '-') || h > 23 || m > 59 || s > 60 ||
	    h < 0 || m < 0 || s < 0 || zone < 0 || zone % 100 > 59 ||
	    !make_day(d, month, year, &day))
		return false;
	zone = zone / 100 * 3600 + zone % 100 * 60;
	*when = (int64_t)day * 86400 + h * 3600 + m * 60 + s -
		(sign == '+' ? zone : -zone);
	return true;
}

/* "Tue, 24 Nov 2026 …", with or without the day's name; years of two digits as
 * in RFC 5322 section 4.3. */
static const char *scan_day(const char *text, date_day *day)
{
	const char *comma = strchr(text, ',');
	char month[4];
	int d, year, end;

	if (comma)
		text = comma + 1;
	if (sscanf(text, " %2d %3[A-Za-z]%*[A-Za-z] %4d%n", &d, month, &year,
		   &end) != 3 &&
	    sscanf(text, " %2d%*[ -]%3[A-Za-z]%*[ -]%4d%n", &d, month, &year,
		   &end) != 3)
		return NULL;
	if (strlen(month) != 3)
		return NULL;
	if (year < 50)
		year += 2000;
	else if (year < 1000)
		year += 1900;
	return make_day(d, month, year, day) ? text + end : NULL;
}

bool date_parse_header(const char *text, date_day *day)
{
	return scan_day(text, day) != NULL;
}

/* "+0100", or a name of RFC 5322 section 4.3, as seconds east of UTC. */
static int parse_zone(const char *text)
{
	static const struct {
		const char *name;
		int hours;
	} names[] = {
		{ "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 },
		{ "MST", -7 }, { "MDT", -6 }, { "PST", -8 }, { "PDT", -7 },
	};
	int zone, end = 0;
	char sign[2];

	text += strspn(text, " ");
	if (sscanf(text, "%1[+-]%4d%n", sign, &zone, &end) == 2 && end == 5 &&
	    zone >= 0 && zone % 100 < 60) {
		zone = zone / 100 * 3600 + zone % 100 * 60;
		return *sign == '-' ? -zone : zone;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_span_is(text, strspn(text, LETTERS), names[i].name))
			return names[i].hours * 3600;
	return 0;
}

/* N digits at P, all of them there, as a number. */
static int number(const char *p, int n)
{
	int value = 0;

	for (; n > 0; n--, p++)
		value = value * 10 + *p - '0';
	return value;
}

/* Is C what FORM stands for: '0' any digit, 'a' any letter, '+' a sign? */
static bool is_of_form(int c, char form)
{
	switch (form) {
	case '0':
		return str_isdigit(c);
	case 'a':
		return str_isalpha(c);
	case '+':
		return c == '+' || c == '-';
	default:
		return c == form;
	}
}

/* Does TEXT begin like FORM? */
static bool has_form(const char *text, const char *form)
{
	while (*form && is_of_form((unsigned char)*text, *form))
		text++, form++;
	return !*form;
}

/* What nearly all programs write, "Tue, 24 Nov 2026 02:00:00 +0100": at a
 * tenth of the cost of the scanners above. False: it may be another form. */
static bool parse_usual(const char *text, int64_t *when)
{
	const char *p = has_form(text, "aaa, ") ? text + 5 : text;
	int ndigits = has_form(p, "00") ? 2 : 1;
	int d = number(p, ndigits), zone;
	date_day day;

	p += ndigits;
	if (!has_form(p - 1, "0 aaa 0000 00:00:00 +0000") || p[5] == '0' ||
	    number(p + 10, 2) > 23 || p[13] > '5' || p[16] > '5' ||
	    p[22] > '5' || !make_day(d, p + 1, number(p + 5, 4), &day))
		return false;
	zone = number(p + 20, 2) * 3600 + number(p + 22, 2) * 60;
	*when = (int64_t)day * 86400 + number(p + 10, 2) * 3600 +
		number(p + 13, 2) * 60 + number(p + 16, 2) -
		(p[19] == '+' ? zone : -zone);
	return true;
}

bool date_parse_sent(const char *text, int64_t *when)
{
	int h = 0, m = 0, s = 0, end = 0;
	date_day day;

	if (parse_usual(text, when))
		return true;
	text = scan_day(text, &day);
	if (!text)
		return false;
	if (sscanf(text, " %2d:%2d%n", &h, &m, &end) == 2) {
		text += end;
		end = 0;
		if (sscanf(text, ":%2d%n", &s, &end) == 1)
			text += end;
	}
	if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60)
		h = m = s = 0;
	*when = (int64_t)day * 86400 + h * 3600 + m * 60 + s - parse_zone(text);
	return true;
}

date_day date_of(int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return 0;
	return days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}
