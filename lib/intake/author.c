/* May a login write as those whom the From and Sender fields name? Readers show
 * both. Only then a message is signed: they take a signature of our domain for
 * our word. The same for who has sent it again, whom some show beside From
 * (KMail, Apple Mail): the first Resent- fields are the login's, those below are
 * history, as Received is (RFC 5322 section 3.6.6). */
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
	const char *field; /* the name of the one looked at */
	bool signs;	   /* its first address decides who signs */
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
	if (status == ACCOUNT_FOUND && w->n == 1 && w->signs)
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

static const struct {
	const char *name;
	bool first; /* only the first of them */
} judged[] = {
	{ "From", false },
	{ "Sender", false },
	{ "Resent-From", true },
	{ "Resent-Sender", true },
};

static void judge_fields(struct authors *w, const char *name, bool first)
{
	const struct intake_header *h = &w->in->header;
	size_t at = 0;

	while (w->status == ACCOUNT_FOUND &&
	       (at = intake_header_find(h, name, at)) < h->n) {
		w->field = name;
		judge_field(w, &h->field[at++]);
		if (first)
			break;
	}
}

/* The first address in From decides who signs. */
static void judge_all(struct authors *w)
{
	for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
		w->signs = i == 0;
		judge_fields(w, judged[i].name, judged[i].first);
	}
}

void intake_find_signer(struct intake *in)
{
	struct authors w = { .in = in, .status = ACCOUNT_FOUND };

	judge_all(&w);
	if (w.status != ACCOUNT_FOUND)
		*in->signer = '\0';
}

enum intake_action intake_judge_author(const struct intake_question *q,
				       struct answer *a)
{
	struct intake *in = q->intake;
	struct authors w = { .in = in, .status = ACCOUNT_FOUND };

	in->author_judged = *q->e->client != '\0';
	if (in->author_judged)
		judge_all(&w);
	if (w.status == ACCOUNT_FOUND)
		return INTAKE_ACCEPT;
	*in->signer = '\0';
	if (w.status == ACCOUNT_TEMP)
		return intake_no(a, "451 4.3.0 <%s>: Temporary lookup failure",
				 w.text);
	if (!in->reject_author)
		return INTAKE_ACCEPT;
	return intake_no(a,
			 "550 5.7.1 <%s>: %s address rejected: not owned by "
			 "user %s",
			 w.text, w.field, q->e->login);
}
