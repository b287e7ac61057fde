/* What a text means as a value of each type. */
#include "config/value.h"

#include <string.h>

static bool in_range(const struct config_param *p, int64_t v)
{
	const char *dash = strchr(p->range, '-');
	int64_t min, max;
	bool good;

	good = dash &&
	       str_span_to_int(p->range, (size_t)(dash - p->range), 0,
			       INT64_MAX, &min) &&
	       str_to_int(dash + 1, 0, INT64_MAX, &max) && v >= min && v <= max;
	return good;
}

static bool check_bool(struct config_value *v)
{
	v->number = str_equal_ci(v->text, "yes");
	return v->number || str_equal_ci(v->text, "no");
}

static bool check_int(struct config_value *v)
{
	return str_to_int(v->text, 0, INT64_MAX, &v->number) &&
	       in_range(v->param, v->number);
}

static bool check_seconds(struct config_value *v)
{
	return str_to_seconds(v->text, &v->number) &&
	       in_range(v->param, v->number);
}

static bool check_bytes(struct config_value *v)
{
	return str_to_bytes(v->text, &v->number) &&
	       in_range(v->param, v->number);
}

static bool check_string(struct config_value *v)
{
	(void)v;
	return true;
}

static bool check_list(struct config_value *v)
{
	strlist_split(&v->list, v->text);
	return true;
}

static bool check_choice(struct config_value *v)
{
	struct strlist words = { 0 };
	bool good;

	strlist_split(&words, v->param->range);
	good = strlist_has_ci(&words, v->text);
	strlist_free(&words);
	return good;
}

static const struct {
	bool (*check)(struct config_value *v);
	const char *wants;
} types[] = {
	[CONFIG_STRING] = { check_string, "a text" },
	[CONFIG_BOOL] = { check_bool, "yes or no" },
	[CONFIG_INT] = { check_int, "a number in the range" },
	[CONFIG_SECONDS] = { check_seconds,
			     "a time such as 30s, 5m, 2h, 1d in the range" },
	[CONFIG_BYTES] = { check_bytes,
			   "a size such as 500, 10k, 50M in the range" },
	[CONFIG_LIST] = { check_list, "words" },
	[CONFIG_CHOICE] = { check_choice, "one of" },
};

bool config_check(struct config_value *v, struct buf *faults)
{
	const struct config_param *p = v->param;

	if (types[p->type].check(v))
		return true;
	buf_printf(faults, "%s: %s = %s: wants %s%s%s\n",
		   *v->origin ? v->origin : "default", p->name, v->text,
		   types[p->type].wants, p->range ? " " : "",
		   p->range ? p->range : "");
	return false;
}

int config_find(const char *name)
{
	for (int i = 0; config_params[i].name; i++)
		if (strcmp(config_params[i].name, name) == 0)
			return i;
	return -1;
}

const char *config_nearest(const char *name)
{
	const char *best = NULL;
	unsigned least = (unsigned)strlen(name) / 3 + 2;

	for (int i = 0; config_params[i].name; i++) {
		unsigned d = str_distance(name, config_params[i].name);

		if (d < least) {
			least = d;
			best = config_params[i].name;
		}
	}
	return best;
}
