/*
 * Facts become three lists: mails, places (a UID in a folder), and numbers of
 * folders (fact.h). Each verb is a row of a table, with the function that adds
 * it; false says that it makes no sense after what was told before.
 *
 * What a client asks for is told before the answer: between the two, old and
 * new are both right, which `leaving`, `other` and flags that are not known
 * stand for. The text of a message is made from its token and its number of
 * lines, so it can be compared byte for byte.
 */
#include "t/crash/fact.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIELD "X-Crash: "

struct line {
	char verb[WORD], word[5][WORD];
	int n; /* words behind the verb */
};

struct mail *fact_mail(struct facts *f, const char *token, const char *rcpt)
{
	for (size_t i = 0; i < f->nmails; i++)
		if (strcmp(f->mail[i].token, token) == 0 &&
		    (!rcpt || strcmp(f->mail[i].rcpt, rcpt) == 0))
			return &f->mail[i];
	return NULL;
}

/* Word AT of L is the UID. */
static struct place *find_place(struct facts *f, const struct line *l, int at)
{
	uint32_t uid = (uint32_t)strtoul(l->word[at], NULL, 10);

	for (size_t i = 0; i < f->nplaces; i++)
		if (f->place[i].uid == uid &&
		    strcmp(f->place[i].user, l->word[0]) == 0 &&
		    strcmp(f->place[i].folder, l->word[1]) == 0)
			return &f->place[i];
	return NULL;
}

static bool add_mail(struct facts *f, const struct line *l)
{
	struct mail *m;

	f->mail = mem_resize(f->mail, f->nmails + 1, sizeof(*f->mail));
	m = &f->mail[f->nmails++];
	*m = (struct mail){ .copies = 1 };
	strcpy(m->token, l->word[0]);
	strcpy(m->sender, l->word[2]);
	strcpy(m->rcpt, l->word[3]);
	m->lines = (unsigned)strtoul(l->word[1], NULL, 10);
	return true;
}

static bool add_promised(struct facts *f, const struct line *l)
{
	for (size_t i = 0; i < f->nmails; i++)
		if (strcmp(f->mail[i].token, l->word[0]) == 0)
			f->mail[i].promised = true;
	return fact_mail(f, l->word[0], NULL);
}

static bool add_sunk(struct facts *f, const struct line *l)
{
	struct mail *m = fact_mail(f, l->word[0], NULL);

	if (m)
		m->sunk = true;
	return m;
}

static struct mail *of_user(struct facts *f, const struct line *l)
{
	size_t n = strlen(l->word[1]);

	for (size_t i = 0; i < f->nmails; i++)
		if (strcmp(f->mail[i].token, l->word[0]) == 0 &&
		    strncmp(f->mail[i].rcpt, l->word[1], n) == 0 &&
		    f->mail[i].rcpt[n] == '@')
			return &f->mail[i];
	return NULL;
}

static bool add_erasing(struct facts *f, const struct line *l)
{
	struct mail *m = of_user(f, l);

	if (m)
		m->erased = true;
	return m;
}

static bool add_copying(struct facts *f, const struct line *l)
{
	struct mail *m = of_user(f, l);

	if (m)
		m->copies++;
	return m;
}

static bool add_have(struct facts *f, const struct line *l)
{
	struct place *p = find_place(f, l, 3);

	if (p)
		return strcmp(p->token, l->word[4]) == 0;
	f->place = mem_resize(f->place, f->nplaces + 1, sizeof(*f->place));
	p = &f->place[f->nplaces++];
	*p = (struct place){ .flags_known = false };
	strcpy(p->user, l->word[0]);
	strcpy(p->folder, l->word[1]);
	p->validity = (uint32_t)strtoul(l->word[2], NULL, 10);
	p->uid = (uint32_t)strtoul(l->word[3], NULL, 10);
	strcpy(p->token, l->word[4]);
	return true;
}

/* One copy less, for good. */
static void count_gone(struct facts *f, const struct place *p)
{
	size_t n = strlen(p->user);

	for (size_t i = 0; i < f->nmails; i++)
		if (strcmp(f->mail[i].token, p->token) == 0 &&
		    strncmp(f->mail[i].rcpt, p->user, n) == 0 &&
		    f->mail[i].rcpt[n] == '@' && f->mail[i].copies > 0)
			f->mail[i].copies--;
}

static bool add_leaving(struct facts *f, const struct line *l)
{
	struct place *p = find_place(f, l, 2);

	if (!p)
		return false;
	p->leaving = true;
	if (strcmp(l->verb, "gone") == 0) {
		p->gone = true;
		count_gone(f, p);
	}
	return true;
}

static bool add_flags(struct facts *f, const struct line *l)
{
	struct place *p = find_place(f, l, 2);

	if (!p)
		return false;
	p->flags_known = strcmp(l->verb, "flags") == 0;
	p->flags = (unsigned)strtoul(l->word[3], NULL, 10);
	return true;
}

static bool add_id(struct facts *f, const struct line *l)
{
	struct place *p = find_place(f, l, 2);

	if (!p)
		return false;
	strcpy(p->id, l->word[3]);
	return true;
}

static struct numbers *find_numbers(struct facts *f, const struct line *l)
{
	struct numbers *n = NULL;

	for (size_t i = 0; i < f->nnumbers; i++)
		if (strcmp(f->numbers[i].user, l->word[0]) == 0 &&
		    strcmp(f->numbers[i].folder, l->word[1]) == 0)
			n = &f->numbers[i];
	return n;
}

/* As long as nothing says that it is there. */
static struct numbers *begin_numbers(struct facts *f, const struct line *l)
{
	struct numbers *n;

	f->numbers =
		mem_resize(f->numbers, f->nnumbers + 1, sizeof(*f->numbers));
	n = &f->numbers[f->nnumbers++];
	*n = (struct numbers){ .leaving = true };
	strcpy(n->user, l->word[0]);
	strcpy(n->folder, l->word[1]);
	return n;
}

static bool add_numbers(struct facts *f, const struct line *l)
{
	struct numbers *n = find_numbers(f, l), now;

	if (!n)
		n = begin_numbers(f, l);
	now = (struct numbers){
		.validity = (uint32_t)strtoul(l->word[2], NULL, 10),
		.uidnext = (uint32_t)strtoul(l->word[3], NULL, 10),
		.modseq = strtoull(l->word[4], NULL, 10),
	};
	strcpy(now.user, l->word[0]);
	strcpy(now.folder, l->word[1]);
	memcpy(now.setting, n->setting, sizeof(now.setting));
	/* two sessions may tell in another order than they heard */
	if (n->uidnext > now.uidnext)
		now.uidnext = n->uidnext;
	if (n->modseq > now.modseq)
		now.modseq = n->modseq;
	*n = now;
	return true;
}

/* What will be set, and what was. */
static const char *const setting_verb[SETTINGS][2] = {
	[SET_COMMENT] = { "annotating", "annotated" },
	[SET_RIGHTS] = { "granting", "granted" },
	[SET_SUBSCRIBED] = { "subscribing", "subscribed" },
	[SET_USE] = { "using", "used" },
	[SET_WARNED] = { "warning", "warned" },
	[SET_POLICY] = { "fetching", "fetched" },
};

static bool add_setting(struct facts *f, const struct line *l)
{
	struct numbers *n = find_numbers(f, l);

	if (!n)
		n = begin_numbers(f, l);
	for (int i = 0; i < SETTINGS; i++)
		for (int done = 0; done < 2; done++)
			if (strcmp(l->verb, setting_verb[i][done]) == 0)
				strcpy(done ? n->setting[i].now
					    : n->setting[i].next,
				       l->word[2]);
	return true;
}

static bool is_in(const struct line *l, const char *user, const char *folder)
{
	return strcmp(user, l->word[0]) == 0 && strcmp(folder, l->word[1]) == 0;
}

static void rename_one(const struct line *l, char *folder, char *other)
{
	bool done = strcmp(l->verb, "renamed") == 0;

	strcpy(done ? folder : other, l->word[2]);
	if (done)
		*other = '\0';
}

static bool add_renaming(struct facts *f, const struct line *l)
{
	for (size_t i = 0; i < f->nplaces; i++)
		if (is_in(l, f->place[i].user, f->place[i].folder))
			rename_one(l, f->place[i].folder, f->place[i].other);
	for (size_t i = 0; i < f->nnumbers; i++)
		if (is_in(l, f->numbers[i].user, f->numbers[i].folder))
			rename_one(l, f->numbers[i].folder,
				   f->numbers[i].other);
	return true;
}

static void delete_place(struct facts *f, struct place *p, bool done)
{
	size_t n = strlen(p->user);

	for (size_t i = 0; i < f->nmails; i++)
		if (strcmp(f->mail[i].token, p->token) == 0 &&
		    strncmp(f->mail[i].rcpt, p->user, n) == 0)
			f->mail[i].erased = true;
	if (done && !p->gone)
		count_gone(f, p);
	p->leaving = true;
	p->gone = p->gone || done;
}

static bool add_deleting(struct facts *f, const struct line *l)
{
	bool done = strcmp(l->verb, "deleted") == 0;

	for (size_t i = 0; i < f->nplaces; i++)
		if (is_in(l, f->place[i].user, f->place[i].folder))
			delete_place(f, &f->place[i], done);
	for (size_t i = 0; i < f->nnumbers; i++)
		if (is_in(l, f->numbers[i].user, f->numbers[i].folder)) {
			f->numbers[i].leaving = true;
			f->numbers[i].gone = done;
		}
	return true;
}

static const struct {
	const char *verb;
	int words;
	bool (*add)(struct facts *f, const struct line *l);
} verbs[] = {
	{ "mail", 4, add_mail },	  { "promised", 1, add_promised },
	{ "sunk", 1, add_sunk },	  { "erasing", 2, add_erasing },
	{ "copying", 2, add_copying },	  { "have", 5, add_have },
	{ "leaving", 3, add_leaving },	  { "gone", 3, add_leaving },
	{ "flagging", 3, add_flags },	  { "flags", 4, add_flags },
	{ "numbers", 5, add_numbers },	  { "renaming", 3, add_renaming },
	{ "renamed", 3, add_renaming },	  { "deleting", 2, add_deleting },
	{ "deleted", 2, add_deleting },	  { "annotating", 3, add_setting },
	{ "annotated", 3, add_setting },  { "granting", 3, add_setting },
	{ "granted", 3, add_setting },	  { "subscribing", 3, add_setting },
	{ "subscribed", 3, add_setting }, { "using", 3, add_setting },
	{ "used", 3, add_setting },	  { "warning", 3, add_setting },
	{ "warned", 3, add_setting },	  { "fetching", 3, add_setting },
	{ "fetched", 3, add_setting },	  { "identified", 4, add_id },
};

bool fact_add(struct facts *f, const char *line, size_t n)
{
	struct line l = { .n = 0 };
	char *text = mem_strndup(line, n);

	l.n = sscanf(text, "%63s %63s %63s %63s %63s %63s", l.verb, l.word[0],
		     l.word[1], l.word[2], l.word[3], l.word[4]) -
	      1;
	free(text);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(l.verb, verbs[i].verb) == 0)
			return l.n == verbs[i].words && verbs[i].add(f, &l);
	return false;
}

void facts_free(struct facts *f)
{
	free(f->mail);
	free(f->place);
	free(f->numbers);
}

bool facts_twice(const struct facts *f)
{
	for (size_t i = 0; i < f->nmails; i++)
		if (f->mail[i].found > f->mail[i].copies)
			return true;
	return false;
}

void fact_body(struct buf *b, const char *token, unsigned lines)
{
	for (unsigned i = 0; i < lines; i++)
		buf_printf(b, "%s line %06u of %u: as it was sent\r\n", token,
			   i, lines);
	buf_printf(b, "%s end\r\n", token);
}

bool fact_token(const char *text, size_t n, char token[WORD], bool *whole)
{
	const char *end = memmem(text, n, "\r\n\r\n", 4);
	const char *field;
	struct buf b;
	unsigned lines;
	char head[WORD * 2];

	*whole = false;
	if (!end)
		return false;
	field = memmem(text, (size_t)(end - text), FIELD, strlen(FIELD));
	if (!field)
		return false;
	snprintf(head, sizeof(head), "%.*s", (int)(end - field), field);
	if (sscanf(head, FIELD "%63s %u", token, &lines) != 2)
		return false;
	buf_init(&b, 64 << 20);
	fact_body(&b, token, lines);
	end += 4;
	*whole = b.len == n - (size_t)(end - text) &&
		 memcmp(b.data, end, b.len) == 0;
	buf_free(&b);
	return true;
}
