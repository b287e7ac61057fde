#include "table/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "table/text.h"

enum rule_type { RULE_VALUE, RULE_IF, RULE_ENDIF };

struct rule {
	enum rule_type type;
	bool negated;
	void *pattern; /* NULL for RULE_ENDIF */
	char *result;
	unsigned line;
	size_t after; /* RULE_IF: index behind its endif */
};

struct rules {
	const struct rules_kind *kind;
	struct rule *rule;
	size_t n, cap;
};

struct reading {
	struct rules *rules;
	const struct text_reading *text;
	unsigned line;
};

static void fault(struct reading *r, const char *why)
{
	text_unclear(r->text, r->line, why);
}

static struct rule *add(const struct reading *from, enum rule_type type)
{
	struct rules *r = from->rules;

	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 16;
		r->rule = mem_resize(r->rule, r->cap, sizeof(*r->rule));
	}
	r->rule[r->n] = (struct rule){ .type = type, .line = from->line };
	return &r->rule[r->n++];
}

/* A pattern with its optional "!". */
static void *parse_pattern(struct reading *r, char *text, bool *negated,
			   char **rest)
{
	const char *why = "not a pattern";
	void *pattern;

	*negated = *text == '!';
	pattern = r->rules->kind->parse(text + *negated, rest, &why);
	if (!pattern)
		fault(r, why);
	return pattern;
}

static void read_value(struct reading *r, char *text)
{
	const struct rules_kind *kind = r->rules->kind;
	const char *wrong = NULL;
	bool negated;
	char *rest;
	void *pattern = parse_pattern(r, text, &negated, &rest);
	struct rule *rule;

	if (!pattern)
		return;
	rest = str_trim(rest);
	if (*rest == '\0')
		wrong = "there is no value";
	else if (kind->check)
		wrong = kind->check(pattern, negated, rest);
	if (wrong) {
		fault(r, wrong);
		kind->free(pattern);
		return;
	}
	rule = add(r, RULE_VALUE);
	rule->negated = negated;
	rule->pattern = pattern;
	rule->result = mem_strdup(rest);
}

/* A faulty `if` still opens a block, which never matches. */
static void read_if(struct reading *r, char *text)
{
	struct rule *rule;
	bool negated;
	char *rest;
	void *pattern = parse_pattern(r, text, &negated, &rest);

	rule = add(r, RULE_IF);
	rule->negated = negated;
	rule->pattern = pattern;
	if (pattern && *str_trim(rest))
		fault(r, "text after the pattern of if");
}

static bool is_word(char **at, const char *word)
{
	size_t n = strcspn(*at, " \t");

	if (!str_span_is(*at, n, word))
		return false;
	*at += n + strspn(*at + n, " \t");
	return true;
}

static void read_line(struct reading *r, char *line)
{
	char *text = str_trim(line);

	if (is_word(&text, "if"))
		read_if(r, text);
	else if (is_word(&text, "endif"))
		add(r, RULE_ENDIF);
	else
		read_value(r, text);
}

/* Tells each `if` where it ends. */
static void link_blocks(struct reading *r)
{
	struct rules *all = r->rules;
	size_t *open = mem_array(all->n + 1, sizeof(*open)), depth = 0;

	for (size_t i = 0; i < all->n; i++) {
		if (all->rule[i].type == RULE_IF) {
			all->rule[i].after = all->n;
			open[depth++] = i;
		} else if (all->rule[i].type == RULE_ENDIF) {
			if (depth > 0)
				all->rule[open[--depth]].after = i + 1;
			else
				text_unclear(r->text, all->rule[i].line,
					     "endif without if");
		}
	}
	while (depth > 0)
		text_unclear(r->text, all->rule[open[--depth]].line,
			     "if without endif");
	free(open);
}

struct rules *rules_load(const struct rules_kind *kind,
			 const struct text_reading *from)
{
	struct reading r = { .text = from };
	struct text_lines lines;
	struct buf text;
	char *line;

	if (!text_read(from, &text))
		return NULL;
	r.rules = mem_alloc(sizeof(*r.rules));
	r.rules->kind = kind;
	text_begin(&lines, text.data, text.len);
	while ((line = text_next(&lines)) != NULL) {
		r.line = lines.line;
		if (lines.fault)
			fault(&r, lines.fault);
		else
			read_line(&r, line);
	}
	link_blocks(&r);
	text_end(&lines);
	buf_free(&text);
	return r.rules;
}

void rules_free(void *rules)
{
	struct rules *r = rules;

	for (size_t i = 0; i < r->n; i++) {
		if (r->rule[i].pattern)
			r->kind->free(r->rule[i].pattern);
		free(r->rule[i].result);
	}
	free(r->rule);
	free(r);
}

/* ERR_OK if RULE matches KEY; its result is then in VALUE. */
static int holds(const struct rules *r, const struct rule *rule,
		 const char *key, struct buf *value)
{
	struct buf *out =
		rule->type == RULE_VALUE && !rule->negated ? value : NULL;
	int err;

	if (!rule->pattern)
		return ERR_NOT_FOUND;
	err = r->kind->match(rule->pattern, key, rule->result, out);
	if (!rule->negated || (err && err != ERR_NOT_FOUND))
		return err;
	if (err == ERR_OK)
		return ERR_NOT_FOUND;
	if (rule->type == RULE_VALUE)
		buf_puts(value, rule->result);
	return ERR_OK;
}

int rules_get(void *rules, const char *key, struct buf *value)
{
	const struct rules *r = rules;
	size_t i = 0;

	while (i < r->n) {
		const struct rule *rule = &r->rule[i++];
		int err;

		if (rule->type == RULE_ENDIF)
			continue;
		err = holds(r, rule, key, value);
		if (err && err != ERR_NOT_FOUND)
			return err;
		if (!err && rule->type == RULE_VALUE)
			return ERR_OK;
		if (err && rule->type == RULE_IF)
			i = rule->after;
	}
	return ERR_NOT_FOUND;
}
