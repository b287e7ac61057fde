/* Local records, one per line in presentation format (RFC 1035 section 5.1):
 * "name [ttl] [class] type data". Comments begin with ';' or '#'. */
#include "resolver/context.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"

#define FILE_MAX (16 << 20)

/* Built-in zones of libunbound that have records ("localhost"), to which ours
 * would be added. */
static const char *const builtin[] = {
	"127.in-addr.arpa",
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	"ip6.arpa",
	"localhost",
};

#define BUILTIN (sizeof(builtin) / sizeof(builtin[0]))

/* Replaces the built-in zone that contains NAME by an empty one. */
static void replace_builtin(struct ub_ctx *ctx, char *name, bool *replaced)
{
	size_t n = strlen(name);

	if (n > 0 && name[n - 1] == '.')
		name[n - 1] = '\0';
	for (size_t i = 0; i < BUILTIN; i++) {
		if (replaced[i] || !str_ends_ci(name, builtin[i]))
			continue;
		replaced[i] = true;
		if (ub_ctx_zone_remove(ctx, builtin[i]) != 0 ||
		    ub_ctx_zone_add(ctx, builtin[i], "static") != 0)
			log_warn("cannot replace the zone %s", builtin[i]);
	}
}

static void add_line(struct ub_ctx *ctx, const char *path, int number,
		     char *line, bool *replaced)
{
	char *text = str_trim(line);
	char *name;
	int err;

	if (!*text || *text == ';' || *text == '#')
		return;
	name = mem_strndup(text, strcspn(text, " \t"));
	replace_builtin(ctx, name, replaced);
	free(name);
	err = ub_ctx_data_add(ctx, text);
	if (err)
		log_die(EX_CONFIG, "%s:%d: not a record: %s", path, number,
			text);
}

void zone_file_load(struct ub_ctx *ctx, const char *path)
{
	bool replaced[BUILTIN] = { false };
	struct buf text;
	char *rest, *line;
	int err, number = 0;

	buf_init(&text, FILE_MAX);
	err = file_read(path, &text);
	if (err == ERR_TOO_LONG)
		log_die(EX_CONFIG, "resolver_zone_file %s: too large", path);
	if (err)
		log_die(EX_CONFIG, "resolver_zone_file %s: %m", path);
	rest = text.data;
	while ((line = strsep(&rest, "\n")))
		add_line(ctx, path, ++number, line, replaced);
	buf_free(&text);
}
