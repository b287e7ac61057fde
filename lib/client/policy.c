#include "client/policy.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "ipc/client.h"

static struct {
	struct ipc_client client;
	struct ipc_out question;
	struct ipc_in answer;
} self = { .client = IPC_CLIENT("tls-policy") };

static const char *const modes[] = { "none", "testing", "enforce" };

static bool read_answer(struct arena *a, const struct ipc_in *m,
			struct policy *p)
{
	const char **mx = arena_alloc(a, (m->nattrs + 1) * sizeof(*mx));
	const char *mode = ipc_text(m, "mode");

	for (size_t i = 0; i < m->nattrs; i++)
		if (strcmp(m->attr[i].name, "mx") == 0)
			mx[p->n++] = arena_strdup(a, m->attr[i].value);
	p->mx = mx;
	for (int i = POLICY_NONE; i <= POLICY_ENFORCE; i++)
		if (strcmp(modes[i], mode) == 0) {
			p->mode = (enum policy_mode)i;
			return ipc_is(m, "answer");
		}
	return false;
}

int policy_find(struct arena *a, const char *domain, struct policy *p,
		int64_t ms)
{
	int err;

	*p = (struct policy){ .mode = POLICY_NONE };
	ipc_begin(&self.question, "policy");
	ipc_put(&self.question, "domain", domain);
	err = ipc_client_call(&self.client, &self.question, &self.answer, ms);
	if (!err && !read_answer(a, &self.answer, p))
		err = err_set(ERR_TEMP, "malformed answer of tls-policy");
	ipc_in_reset(&self.answer);
	return err ? err_set(ERR_TEMP, "%s", err_why(err)) : ERR_OK;
}

bool policy_matches(const struct policy *p, const char *name)
{
	const char *parent = strchr(name, '.');

	for (size_t i = 0; i < p->n; i++) {
		const char *mx = p->mx[i];

		/* "*." stands for exactly one label */
		if (str_starts(mx, "*.")
			    ? parent && str_equal_ci(mx + 1, parent)
			    : str_equal_ci(mx, name))
			return true;
	}
	return false;
}
