/* What is kept of other domains' policies, after a power cut. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "remote-send/tls-policy-cache.h"
#include "t/crash/check-parts.h"

static void see_domain(struct check *c, struct cache *policies,
		       const struct numbers *n)
{
	const struct cached_policy *e = cache_get(policies, n->folder, clock_wall());
	const struct setting *told = &n->setting[SET_POLICY];

	if (!check_is_told(told, e ? e->id : ""))
		check_fail(c, "policy: of %s was \"%s\", is \"%s\"", n->folder,
			   told->now, e ? e->id : "");
}

void check_policies(struct check *c)
{
	char *dir = mem_printf("%s/tls-policy", c->top);
	char *path = mem_printf("%s/tls-policies", dir);
	struct cache *policies;

	if (access(dir, F_OK) == 0) {
		policies = cache_open(path);
		for (size_t i = 0; i < c->f->nnumbers; i++)
			if (strcmp(c->f->numbers[i].user, "tls-policy") == 0)
				see_domain(c, policies, &c->f->numbers[i]);
		cache_close(&policies);
		check_damage(c, dir, 0);
	}
	free(path);
	free(dir);
}
