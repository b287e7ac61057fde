/* May a login write as those whom the From field names? Only then a message is
 * signed: readers take a signature of our domain for our word. */
#include "intake/private.h"

#include <string.h>

#include "address/address.h"
#include "base/str.h"
#include "client/account.h"
#include "mime/address.h"

#define AUTHORS_MAX 20 /* of a message; each is a question to accountd */

struct authors {
	struct intake *in;
	enum account_status status;   /* of the worst so far */
	char text[ADDRESS_TEXT_SIZE]; /* that one, if there is one */
	size_t n;
};

/* The address of M in canonical form; false if it is none. A bare name is one
 * of ours, as pickup completes it. */
static bool canonical(const struct authors *w, const struct mime_address *m,
		      struct address *a)
{
	const char *domain = m->domain.len ? m->domain.data : w->in->origin;

	memset(a, 0, sizeof(*a));
	return m->local.len > 0 && m->local.len == strlen(m->local.data) &&
	       str_copy(a->local, sizeof(a->local), m->local.data) &&
	       address_domain(domain, strlen(domain), a->domain) == 0;
}

static void judge_author(void *context, const struct mime_address *m)
{
	struct authors *w = context;
	enum account_status status = ACCOUNT_NONE;
	char text[ADDRESS_TEXT_SIZE] = "";
	struct address a;

	if (m->kind != MIME_MAILBOX)
		return;
	w->n++;
	if (w->status != ACCOUNT_FOUND)
		return;
	if (w->n <= AUTHORS_MAX && canonical(w, m, &a))
		status = account_may_send(w->in->e->login,
					  address_text(&a, text));
	if (status == ACCOUNT_FOUND && w->n == 1)
		str_copy(w->in->signer, INTAKE_DOMAIN_SIZE, a.domain);
	w->status = status;
	memcpy(w->text, text, sizeof(text));
}

static size_t count(const struct mime_field *f, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nvalue; i++)
		n += f->value[i] == c;
	return n;
}

/* A field that does not follow the grammar must have no address beside those
 * that we read in it: other programs might show that one. */
static void judge_field(struct authors *w, const struct mime_field *f)
{
	size_t before = w->n;
	enum mime_address_form form =
		mime_address_list(f->value, f->nvalue, 0, judge_author, w);

	if (w->status == ACCOUNT_FOUND &&
	    (w->n == before || form == MIME_ENTANGLED ||
	     (form == MIME_GUESSED && count(f, '@') > w->n - before)))
		w->status = ACCOUNT_NONE;
}

enum intake_action intake_judge_author(const struct intake_question *q,
				       struct answer *a)
{
	struct intake *in = q->intake;
	struct authors w = { .in = in, .status = ACCOUNT_FOUND };
	size_t at = 0;

	in->author_judged = *q->e->client != '\0';
	while (in->author_judged &&
	       (at = intake_header_find(&in->header, "From", at)) <
		       in->header.n)
		judge_field(&w, &in->header.field[at++]);
	if (w.status == ACCOUNT_FOUND)
		return INTAKE_ACCEPT;
	*in->signer = '\0';
	if (w.status == ACCOUNT_TEMP)
		return intake_no(a, "451 4.3.0 <%s>: Temporary lookup failure",
				 w.text);
	if (!in->reject_author)
		return INTAKE_ACCEPT;
	return intake_no(a,
			 "550 5.7.1 <%s>: From address rejected: not owned by "
			 "user %s",
			 w.text, q->e->login);
}
