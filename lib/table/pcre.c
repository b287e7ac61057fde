/*
 * pcre: Perl-compatible regular expressions, "/pattern/flags value" with $1,
 * ${1} or $(1) in the value. Without flags, letters match in either case and
 * a dot matches a line end too, as in Postfix.
 *
 * Keys come from strangers, so the effort of one match is bounded: with a
 * pattern that explodes, the message gets a temporary error.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "table/rules.h"
#include "table/type.h"

#define MATCH_LIMIT 10000
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT_KIB 1024

struct expression {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	uint32_t groups;
};

static const struct flag {
	char letter;
	uint32_t option;
} flags[] = {
	{ 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE },
	{ 's', PCRE2_DOTALL },	 { 'x', PCRE2_EXTENDED },
	{ 'A', PCRE2_ANCHORED }, { 'E', PCRE2_DOLLAR_ENDONLY },
	{ 'U', PCRE2_UNGREEDY },
};

/* Each letter toggles its option. */
static bool parse_flags(char **at, uint32_t *options)
{
	const size_t n = sizeof(flags) / sizeof(flags[0]);

	*options = PCRE2_CASELESS | PCRE2_DOTALL;
	for (; **at && !str_isspace(**at); (*at)++) {
		size_t i = 0;

		while (i < n && flags[i].letter != **at)
			i++;
		if (i == n)
			return false;
		*options ^= flags[i].option;
	}
	return true;
}

static void expression_free(void *pattern)
{
	struct expression *x = pattern;

	pcre2_match_context_free(x->limits);
	pcre2_match_data_free(x->data);
	pcre2_code_free(x->code);
	free(x);
}

static struct expression *compile(const char *text, size_t n, uint32_t options)
{
	struct expression *x;
	PCRE2_SIZE at;
	int why;
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)text, n, options, &why, &at, NULL);

	if (!code)
		return NULL;
	x = mem_alloc(sizeof(*x));
	x->code = code;
	x->data = pcre2_match_data_create_from_pattern(code, NULL);
	x->limits = pcre2_match_context_create(NULL);
	if (!x->data || !x->limits) {
		expression_free(x);
		return NULL;
	}
	pcre2_set_match_limit(x->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(x->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(x->limits, HEAP_LIMIT_KIB);
	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &x->groups);
	return x;
}

/* The delimiter that ends the expression at TEXT, or NULL. */
static char *find_end(char *text, char delimiter)
{
	for (; *text && *text != delimiter; text++)
		if (*text == '\\' && text[1])
			text++;
	return *text ? text : NULL;
}

static void *parse(char *text, char **rest, const char **why)
{
	char delimiter = *text, *end;
	struct expression *x;
	uint32_t options;

	*why = "expected: /expression/flags value";
	if (delimiter == '\0' || str_isalnum(delimiter))
		return NULL;
	end = find_end(text + 1, delimiter);
	if (!end)
		return NULL;
	*rest = end + 1;
	if (!parse_flags(rest, &options)) {
		*why = "unknown flag after the expression";
		return NULL;
	}
	x = compile(text + 1, (size_t)(end - text - 1), options);
	*why = "the regular expression is wrong";
	return x;
}

/* Reads "$1", "${1}" or "$(1)" at P; *END is after it. -1: none of them. */
static int reference(const char *p, const char **end)
{
	char open = p[1];
	size_t digits;
	int64_t number;

	p += open == '{' || open == '(' ? 2 : 1;
	digits = strspn(p, "0123456789");
	if (digits == 0 || digits > 3 ||
	    !str_span_to_int(p, digits, 0, 999, &number))
		return -1;
	p += digits;
	if ((open == '{' && *p++ != '}') || (open == '(' && *p++ != ')'))
		return -1;
	*end = p;
	return (int)number;
}

static const char *check(const void *pattern, bool negated, const char *result)
{
	const struct expression *x = pattern;

	for (const char *p = result; (p = strchr(p, '$')) != NULL;) {
		const char *end = p + 2;
		int group = p[1] == '$' ? 0 : reference(p, &end);

		if (group < 0)
			return "expected a number or $ after $";
		if (p[1] != '$' && negated)
			return "a negated expression has no parts to refer to";
		if (group > (int)x->groups)
			return "the expression has fewer parts than that";
		p = end;
	}
	return NULL;
}

static void put_group(struct buf *value, const struct expression *x,
		      const char *key, int group)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(x->data);
	PCRE2_SIZE from = at[2 * group], to = at[2 * group + 1];

	if (from != PCRE2_UNSET && to > from)
		buf_put(value, key + from, to - from);
}

static void substitute(struct buf *value, const struct expression *x,
		       const char *key, const char *result)
{
	for (;;) {
		size_t n = strcspn(result, "$");
		const char *end;

		buf_put(value, result, n);
		result += n;
		if (*result == '\0')
			return;
		if (result[1] == '$') {
			buf_putc(value, '$');
			end = result + 2;
		} else {
			put_group(value, x, key, reference(result, &end));
		}
		result = end;
	}
}

static int match(const void *pattern, const char *key, const char *result,
		 struct buf *value)
{
	const struct expression *x = pattern;
	int found = pcre2_match(x->code, (PCRE2_SPTR)key, strlen(key), 0, 0,
				x->data, x->limits);

	if (found == PCRE2_ERROR_NOMATCH)
		return ERR_NOT_FOUND;
	if (found < 0)
		return ERR_LIMIT;
	if (value)
		substitute(value, x, key, result);
	return ERR_OK;
}

static const struct rules_kind kind = {
	.parse = parse,
	.match = match,
	.free = expression_free,
	.check = check,
};

static void *load(const struct text_reading *r)
{
	return rules_load(&kind, r);
}

const struct table_type table_pcre = {
	.name = "pcre",
	.help = "regular expressions `/expression/flags value', the first "
		"that fits",
	.suffix = "",
	.flags = TABLE_FILE | TABLE_PATTERN | TABLE_EXACT,
	.load = load,
	.get = rules_get,
	.free = rules_free,
};
