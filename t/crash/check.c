#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accountd/shares.h"
#include "base/mem.h"
#include "t/crash/check-parts.h"

void check_fail(struct check *c, const char *fmt, ...)
{
	va_list ap;

	if (c->failed)
		return;
	c->failed = true;
	va_start(ap, fmt);
	vsnprintf(c->why, c->size, fmt, ap);
	va_end(ap);
}

void check_bounce(struct check *c, const char *text, size_t n)
{
	static const char field[] = "X-Crash: ";
	const char *p = memmem(text, n, field, strlen(field));
	char head[2 * WORD], token[WORD];

	if (!p)
		return;
	snprintf(head, sizeof(head), "%.*s", (int)(n - (size_t)(p - text)), p);
	if (sscanf(head, "X-Crash: %63s", token) != 1)
		return;
	for (size_t i = 0; i < c->f->nmails; i++)
		if (strcmp(c->f->mail[i].token, token) == 0)
			c->f->mail[i].bounced = true;
}

bool check_is_shared(const struct check *c, const char *user,
		     const char *identifier)
{
	char *dir = mem_printf("%s/accountd", c->top);
	char *owner = mem_printf("%s@example.test", user);
	bool shared = access(dir, F_OK) < 0;

	if (!shared) {
		shares_begin(dir);
		shared = shares_have(owner, identifier);
	}
	free(owner);
	free(dir);
	return shared;
}

void check_damage(struct check *c, const char *dir, int depth)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *inner;

		if (strstr(e->d_name, ".damaged-"))
			check_fail(c, "false alarm: %s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' || !e->d_name[1] ||
		    e->d_name[1] == '.' || depth == 0)
			continue;
		inner = mem_printf("%s/%s", dir, e->d_name);
		check_damage(c, inner, depth - 1);
		free(inner);
	}
	if (d)
		closedir(d);
}

static bool is_told(const char *has, const char *told)
{
	return strcmp(has, strcmp(told, NONE) == 0 ? "" : told) == 0;
}

bool check_is_told(const struct setting *told, const char *has)
{
	return is_told(has, told->now) || is_told(has, told->next);
}

static void check_mail(struct check *c, const struct mail *m)
{
	if (!m->copies && m->found)
		check_fail(c, "came back: %s was expunged by %s", m->token,
			   m->rcpt);
	if (!m->promised || m->erased || m->found || m->pending || m->sunk ||
	    m->bounced)
		return;
	check_fail(c, "lost: %s for %s was promised", m->token, m->rcpt);
}

bool check_state(struct facts *f, const char *top, char *why, size_t size)
{
	struct check c = { .f = f, .top = top, .why = why, .size = size };
	char *queue = mem_printf("%s/spool", top);
	bool has_queue = access(queue, F_OK) == 0; /* short stories have none */

	free(queue);
	if (has_queue)
		check_queue(&c);
	check_mailboxes(&c);
	check_policies(&c);
	for (size_t i = 0; i < f->nmails; i++)
		check_mail(&c, &f->mail[i]);
	return !c.failed;
}
