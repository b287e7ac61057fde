/*
 * The command line, with every letter that Sendmail 8 knows, with or without
 * an argument exactly as in Sendmail: if an option's argument were taken for a
 * recipient, mail would be lost. Options end at the first other word, or at
 * "--".
 */
#include <stdlib.h>
#include <string.h>

#include "pickup/sendmail.h"
#include "smtp/dsn-param.h"

enum argument {
	NONE,
	NEEDED, /* glued to the letter, or the next word */
	GLUED	/* glued to the letter, or none */
};

struct parsing {
	struct sendmail_options *o;
	struct buf *why;
	bool verbose;
};

typedef bool handler(struct parsing *p, const char *value);

static bool ignore(struct parsing *p, const char *value)
{
	(void)p;
	(void)value;
	return true;
}

static bool fault(struct parsing *p, const char *what, const char *value)
{
	buf_printf(p->why, "%s: %s", what, value);
	return false;
}

static bool set_body(struct parsing *p, const char *value)
{
	if (str_equal_ci(value, "7BIT"))
		p->o->body = "7BIT";
	else if (str_equal_ci(value, "8BITMIME"))
		p->o->body = "8BITMIME";
	else
		return fault(p, "-B needs 7BIT or 8BITMIME", value);
	return true;
}

static const struct {
	char letter;
	enum sendmail_mode mode;
} modes[] = {
	{ 'm', MODE_SEND },    { 's', MODE_SMTP },    { 'p', MODE_LIST },
	{ 'i', MODE_ALIASES }, { 'I', MODE_ALIASES }, { 'd', MODE_DAEMON },
	{ 'l', MODE_DAEMON },  { 'h', MODE_NOTHING }, { 'H', MODE_NOTHING },
};

/* Modes of Sendmail that are not supported, and what to use instead. */
static bool refuse_mode(struct parsing *p, char mode)
{
	if (mode == 'v')
		buf_puts(p->why, "-bv: addresses cannot be verified without "
				 "sending; -v sends the message and asks for "
				 "a report of its delivery");
	else if (mode == 't')
		buf_puts(p->why, "-bt: there is no address test; `posthorn map "
				 "-q ADDRESS TABLE` asks a table, `posthorn "
				 "check` looks for faults");
	return mode == 'v' || mode == 't';
}

static bool set_mode(struct parsing *p, const char *value)
{
	if (refuse_mode(p, *value))
		return false;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (*value == modes[i].letter) {
			p->o->mode = modes[i].mode;
			return true;
		}
	return fault(p, "-b has no such mode", value);
}

static bool set_config(struct parsing *p, const char *value)
{
	p->o->config = value;
	return *value || fault(p, "-C wants a file", "''");
}

static bool set_sender(struct parsing *p, const char *value)
{
	p->o->sender = value;
	return true;
}

static bool set_name(struct parsing *p, const char *value)
{
	p->o->name = value;
	return true;
}

static bool set_aliases(struct parsing *p, const char *value)
{
	(void)value;
	p->o->mode = MODE_ALIASES;
	return true;
}

static bool keep_dots(struct parsing *p, const char *value)
{
	(void)value;
	p->o->dots = false;
	return true;
}

static const struct {
	const char *word;
	unsigned bit;
} conditions[] = {
	{ "success", NOTIFY_SUCCESS },
	{ "failure", NOTIFY_FAILURE },
	{ "delay", NOTIFY_DELAY },
	{ "never", NOTIFY_NEVER },
};

static unsigned condition(const char *word)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (str_equal_ci(word, conditions[i].word))
			return conditions[i].bit;
	return 0;
}

static bool set_notify(struct parsing *p, const char *value)
{
	struct strlist words = { 0 };
	bool good;

	strlist_split(&words, value);
	good = words.n > 0;
	p->o->notify = 0;
	for (size_t i = 0; i < words.n; i++) {
		unsigned bit = condition(words.item[i]);

		good = good && bit;
		p->o->notify |= bit;
	}
	strlist_free(&words);
	/* "never" excludes all others (RFC 3461 section 4.1) */
	if ((p->o->notify & NOTIFY_NEVER) && p->o->notify != NOTIFY_NEVER)
		good = false;
	return good ||
	       fault(p, "-N needs never, or success, failure, delay", value);
}

static bool set_ret(struct parsing *p, const char *value)
{
	if (str_equal_ci(value, "full"))
		p->o->ret = "FULL";
	else if (str_equal_ci(value, "hdrs"))
		p->o->ret = "HDRS";
	else
		return fault(p, "-R needs full or hdrs", value);
	return true;
}

static bool set_envid(struct parsing *p, const char *value)
{
	p->o->envid = value;
	return !*value || smtp_envid_is_plain(value) ||
	       fault(p, "-V wants at most 100 visible characters", value);
}

/* -XV or -XVxy; any other -X names a log of the dialogue: ignored. */
static bool set_verp(struct parsing *p, const char *value)
{
	if (*value != 'V')
		return true;
	value++;
	if (*value && (strlen(value) != 2 || strspn(value, "-+=") != 2))
		return fault(
			p, "-XV wants two delimiters out of -, + and =", value);
	p->o->verp = *value ? value : "+=";
	return true;
}

static bool set_verbose(struct parsing *p, const char *value)
{
	(void)value;
	p->verbose = true;
	return true;
}

static bool extract(struct parsing *p, const char *value)
{
	(void)value;
	p->o->extract = true;
	return true;
}

/* -q: all at once; -qTIME: how often a daemon would; -qI one message; -qR and
 * -qS a site: all, which includes it. */
static bool set_queue_run(struct parsing *p, const char *value)
{
	if (*value == '\0' || *value == 'R' || *value == 'S') {
		p->o->mode = MODE_FLUSH;
	} else if (*value == 'I') {
		p->o->mode = MODE_FLUSH_ONE;
		p->o->flush_id = value + 1;
		return value[1] || fault(p, "-qI wants a queue id", "''");
	} else if (p->o->mode == MODE_SEND) {
		p->o->mode = MODE_NOTHING;
	}
	return true;
}

/* -o: one letter, then its value. */
static bool set_old_option(struct parsing *p, const char *value)
{
	if (*value == 'i')
		p->o->dots = str_equal_ci(value, "ifalse");
	else if (*value == 'A' && value[1])
		p->o->aliases = value + 1;
	return true;
}

static const struct row {
	char letter;
	enum argument argument;
	handler *handle;
} rows[] = {
	{ 'A', NEEDED, ignore },     { 'B', NEEDED, set_body },
	{ 'C', NEEDED, set_config }, { 'D', NEEDED, ignore },
	{ 'E', NONE, ignore },	     { 'F', NEEDED, set_name },
	{ 'G', NONE, ignore },	     { 'H', NEEDED, ignore },
	{ 'I', NONE, set_aliases },  { 'J', GLUED, ignore },
	{ 'L', NEEDED, ignore },     { 'M', NEEDED, ignore },
	{ 'N', NEEDED, set_notify }, { 'O', NEEDED, ignore },
	{ 'Q', GLUED, ignore },	     { 'R', NEEDED, set_ret },
	{ 'T', NONE, ignore },	     { 'U', NONE, ignore },
	{ 'V', NEEDED, set_envid },  { 'X', NEEDED, set_verp },
	{ 'b', NEEDED, set_mode },   { 'c', NONE, ignore },
	{ 'd', GLUED, ignore },	     { 'e', NEEDED, ignore },
	{ 'f', NEEDED, set_sender }, { 'h', NEEDED, ignore },
	{ 'i', NONE, keep_dots },    { 'm', NONE, ignore },
	{ 'n', NONE, ignore },	     { 'o', NEEDED, set_old_option },
	{ 'p', NEEDED, ignore },     { 'q', GLUED, set_queue_run },
	{ 'r', NEEDED, set_sender }, { 's', NONE, ignore },
	{ 't', NONE, extract },	     { 'v', NONE, set_verbose },
	{ 'x', NONE, ignore },
};

static const struct row *find_row(char letter)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

/* The letters of one word after its dash. *TOOK tells whether the next word
 * was an argument. */
static bool parse_word(struct parsing *p, const char *letters, const char *next,
		       bool *took)
{
	*took = false;
	for (; *letters; letters++) {
		const struct row *row = find_row(*letters);
		const char *value = letters + 1;
		char name[3] = { '-', *letters, '\0' };

		if (!row)
			return fault(p, "unknown option", name);
		if (row->argument == NONE) {
			if (!row->handle(p, ""))
				return false;
			continue;
		}
		if (row->argument == NEEDED && *value == '\0') {
			if (!next)
				return fault(p, "an argument is missing", name);
			value = next;
			*took = true;
		}
		return row->handle(p, value);
	}
	return true;
}

bool sendmail_parse(struct sendmail_options *o, const char *name, int argc,
		    char *const *argv, struct buf *why)
{
	struct parsing p = { .o = o, .why = why };
	int i = 1;

	*o = (struct sendmail_options){
		.dots = true, .body = "", .envid = "", .ret = ""
	};
	if (strcmp(name, "mailq") == 0)
		o->mode = MODE_LIST;
	else if (strcmp(name, "newaliases") == 0)
		o->mode = MODE_ALIASES;
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		bool took;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (argv[i][1] == '-')
			return fault(&p, "unknown option", argv[i]);
		if (!parse_word(&p, argv[i] + 1,
				i + 1 < argc ? argv[i + 1] : NULL, &took))
			return false;
		i += took;
	}
	/* as in Postfix, a report of the delivery, unless -N says which */
	if (p.verbose && !o->notify)
		o->notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
	o->argument = argv + i;
	o->narguments = argc - i;
	return true;
}
