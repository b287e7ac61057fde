/*
 * The grammar, term by term: each word between blanks is a modifier if it
 * begins with a name and "=", else a directive. Rows say which mechanism may
 * have a domain and prefix lengths. Prefix lengths are cut off from the end,
 * as they may follow a domain-spec whose macros contain slashes; the rest must
 * be a domain-spec, or an address for ip4 and ip6. Nothing is guessed: one
 * fault makes the whole record a permerror.
 */
#include "authcheck/spf-record.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define VERSION "v=spf1"
#define TERMS_MAX 2000
#define DOMAIN_SPEC_MAX 512 /* bytes: no useful one is longer */

enum domain_rule { DOMAIN_NEVER, DOMAIN_MAY, DOMAIN_MUST };
enum cidr_rule { CIDR_NONE, CIDR_4 = 1, CIDR_6 = 2, CIDR_DUAL = 3 };

static const struct mechanism_row {
	const char *name;
	enum spf_mechanism mechanism;
	enum domain_rule domain;
	enum cidr_rule cidr;
} mechanisms[] = {
	{ "all", SPF_ALL, DOMAIN_NEVER, CIDR_NONE },
	{ "include", SPF_INCLUDE, DOMAIN_MUST, CIDR_NONE },
	{ "a", SPF_A, DOMAIN_MAY, CIDR_DUAL },
	{ "mx", SPF_MX, DOMAIN_MAY, CIDR_DUAL },
	{ "ptr", SPF_PTR, DOMAIN_MAY, CIDR_NONE },
	{ "ip4", SPF_IP4, DOMAIN_MUST, CIDR_4 },
	{ "ip6", SPF_IP6, DOMAIN_MUST, CIDR_6 },
	{ "exists", SPF_EXISTS, DOMAIN_MUST, CIDR_NONE },
};

bool spf_record_is(const char *text)
{
	size_t n = strlen(VERSION);

	return str_starts_ci(text, VERSION) &&
	       (text[n] == '\0' || text[n] == ' ');
}

/* Macros (RFC 7208 section 7.1) */

/* The length of the macro-expand at P ("%…"), or 0. */
static size_t macro_length(const char *p)
{
	const char *start = p++;
	const char *digits;

	if (*p && strchr("%_-", *p))
		return 2;
	if (*p++ != '{' || !*p)
		return 0;
	if (!strchr("slodipvh", str_tolower((unsigned char)*p++)))
		return 0;
	digits = p;
	while (str_isdigit((unsigned char)*p))
		p++;
	if (p > digits && strspn(digits, "0") == (size_t)(p - digits))
		return 0;
	if (str_tolower((unsigned char)*p) == 'r')
		p++;
	p += strspn(p, ".-+,/_=");
	return *p == '}' ? (size_t)(p + 1 - start) : 0;
}

/* Is S a macro-string? *TAIL is what follows its last macro. */
static bool is_macro_string(const char *s, const char **tail)
{
	*tail = s;
	while (*s) {
		size_t n = *s == '%' ? macro_length(s) : 1;

		if (n == 0 || *s <= ' ' || *s > '~')
			return false;
		s += n;
		if (n > 1)
			*tail = s;
	}
	return true;
}

/* toplabel: letters, digits, hyphens inside, not digits alone */
static bool is_toplabel(const char *s, size_t n)
{
	bool letter = false;

	for (size_t i = 0; i < n; i++) {
		bool hyphen = s[i] == '-' && i > 0 && i + 1 < n;

		if (!hyphen && !str_isalnum((unsigned char)s[i]))
			return false;
		letter |= !str_isdigit((unsigned char)s[i]);
	}
	return n > 0 && letter;
}

static bool is_domain_spec(const char *s)
{
	const char *tail, *dot;
	size_t n = strlen(s);

	if (n == 0 || n > DOMAIN_SPEC_MAX || !is_macro_string(s, &tail))
		return false;
	if (!*tail)
		return true;
	n = strlen(tail);
	if (tail[n - 1] == '.')
		n--;
	dot = memrchr(tail, '.', n);
	return dot && is_toplabel(dot + 1, (size_t)(tail + n - dot - 1));
}

/* Prefix lengths */

/* Cuts "/N" with at most DIGITS digits off the end of S, N bytes, and gives
 * the number, or -1 if none is there, which changes nothing. */
static int cut_number(char *s, size_t *n, size_t digits)
{
	size_t at = *n;
	int64_t value;

	while (at > 0 && str_isdigit((unsigned char)s[at - 1]))
		at--;
	if (at == *n || *n - at > digits || at == 0 || s[at - 1] != '/' ||
	    (s[at] == '0' && *n - at > 1))
		return -1;
	str_span_to_int(s + at, *n - at, 0, 999, &value);
	*n = at - 1;
	s[*n] = '\0';
	return (int)value;
}

/* Cuts the prefix lengths off S: "/24", "//64", "/24//64". */
static bool cut_cidr(char *s, enum cidr_rule rule, struct spf_term *t)
{
	size_t n = strlen(s), whole = n;

	if (rule == CIDR_6)
		t->cidr6 = cut_number(s, &n, 3);
	if (rule == CIDR_4)
		t->cidr4 = cut_number(s, &n, 2);
	if (rule == CIDR_DUAL) {
		t->cidr6 = cut_number(s, &n, 3);
		if (t->cidr6 >= 0 && (n == 0 || s[n - 1] != '/')) {
			s[n] = '/';
			n = whole;
			t->cidr6 = -1;
		} else if (t->cidr6 >= 0) {
			s[--n] = '\0';
		}
		t->cidr4 = cut_number(s, &n, 2);
	}
	return t->cidr4 <= 32 && t->cidr6 <= 128;
}

/* Terms */

static bool good_target(const struct mechanism_row *row, const char *s)
{
	struct in_addr v4;
	struct in6_addr v6;

	switch (row->mechanism) {
	case SPF_IP4:
		return inet_pton(AF_INET, s, &v4) == 1;
	case SPF_IP6:
		return inet_pton(AF_INET6, s, &v6) == 1;
	default:
		return is_domain_spec(s);
	}
}

static bool parse_directive(char *word, struct spf_term *t)
{
	const struct mechanism_row *row = mechanisms;
	const struct mechanism_row *end =
		row + sizeof(mechanisms) / sizeof(mechanisms[0]);
	size_t n;

	*t = (struct spf_term){ .qualifier = '+', .cidr4 = -1, .cidr6 = -1 };
	if (strchr("+-~?", *word))
		t->qualifier = *word++;
	n = strcspn(word, ":/");
	while (row < end && !str_span_is(word, n, row->name))
		row++;
	if (row == end)
		return false;
	t->mechanism = row->mechanism;
	word += n;
	if (!cut_cidr(word, row->cidr, t))
		return false;
	if (!*word)
		return row->domain != DOMAIN_MUST;
	t->domain = word + 1;
	if (*word != ':' || row->domain == DOMAIN_NEVER ||
	    !good_target(row, word + 1))
		return false;
	n = strlen(word);
	if (word[n - 1] == '.')
		word[n - 1] = '\0';
	return true;
}

/* The length of the name of the modifier WORD, or 0 if it is not one. */
static size_t modifier_name(const char *word)
{
	size_t n = 0;

	if (!str_isalpha((unsigned char)*word))
		return 0;
	while (str_isalnum((unsigned char)word[n]) ||
	       (word[n] && strchr("-_.", word[n])))
		n++;
	return word[n] == '=' ? n : 0;
}

static bool parse_modifier(char *word, size_t n, struct spf_record *r,
			   bool *explained)
{
	char *value = word + n + 1;
	const char *tail;

	if (str_span_is(word, n, "redirect")) {
		if (r->redirect || !is_domain_spec(value))
			return false;
		r->redirect = value;
		return true;
	}
	if (str_span_is(word, n, "exp")) {
		if (*explained)
			return false;
		*explained = true;
		return is_domain_spec(value);
	}
	return is_macro_string(value, &tail);
}

bool spf_record_parse(struct arena *a, const char *text, struct spf_record *r)
{
	char *copy = arena_strdup(a, text + strlen(VERSION));
	char *rest = copy, *word;
	size_t words = 1;
	bool explained = false;

	for (const char *p = copy; *p; p++)
		words += *p == ' ';
	*r = (struct spf_record){ NULL, 0, NULL };
	if (words > TERMS_MAX)
		return false;
	r->term = arena_alloc(a, words * sizeof(*r->term));
	while ((word = strsep(&rest, " "))) {
		size_t name = modifier_name(word);

		if (!*word)
			continue;
		if (name && !parse_modifier(word, name, r, &explained))
			return false;
		if (!name && !parse_directive(word, &r->term[r->n++]))
			return false;
	}
	return true;
}
