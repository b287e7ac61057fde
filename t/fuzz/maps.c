/*
 * Tables of administrators: the first letter of an input says of which type
 * it is; its first line is looked up in what the others are.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "table/table.h"

#define FOLDER "/dev/shm/posthorn-fuzz-maps"

FUZZ_SEEDS("C192.0.2.7\n192.0.2.0/24 one\n2001:db8::/32 two\n!10.0.0.0/8 x\n"
	   "if 0.0.0.0/0\n 1.2.3.4 y\nendif\n",
	   "P joe@x.test\n/^(j.e)@(.*)$/ ${1}-$2 $$\n!/x/ y\nif /a/\n/b/i c\n"
	   "endif\n",
	   "Takey\nkey value\n  goes on\n# c\nother: x\n\"a b\" c\n",
	   "Aroot\nroot: a, b\n \"|c d\": x\n:include:/x\n",
	   "Ia\n{ a = b, { c = d e }, f=g }", "Sx\nanything at all",
	   "C::1\n::/0\n", "Px\n/(((/ y\n/(?{x})/ z\n/a{9999}/ x\n")

static const struct {
	char letter;
	const char *type;
	bool in_file;
} types[] = {
	{ 'C', "cidr", true },	   { 'P', "pcre", true },
	{ 'T', "texthash", true }, { 'A', "aliases", true },
	{ 'I', "inline", false },  { 'S', "static", false },
};

static void look_up(const char *spec, const char *key)
{
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 1 << 20);
	buf_init(&value, TABLE_VALUE_MAX);
	t = table_open(spec, false, &faults);
	FUZZ_CHECK(t || faults.len > 0);
	if (t) {
		int code = table_get(t, key, &value);

		FUZZ_CHECK(code == ERR_OK || code == ERR_NOT_FOUND ||
			   code == ERR_UNSURE || code == ERR_TEMP);
		/* what was not understood makes unknown names uncertain */
		if (code == ERR_UNSURE || code == ERR_NOT_FOUND)
			FUZZ_CHECK((code == ERR_UNSURE) == !!*table_doubt(t));
		FUZZ_CHECK(faults.len > 0 || code != ERR_TEMP ||
			   spec[0] == 'p');
		table_is_pattern(t);
	}
	table_free(&t);
	buf_free(&value);
	buf_free(&faults);
}

void fuzz_one(const char *data, size_t n)
{
	char path[64], *text = mem_strndup(data, n);
	char *rest = strchr(text, '\n'), *spec;
	size_t i = 0;

	while (i < 6 && types[i].letter != *text)
		i++;
	if (i < 6 && rest) {
		*rest++ = '\0';
		snprintf(path, sizeof(path), FOLDER "-%ld", (long)getpid());
		if (types[i].in_file &&
		    file_replace(path, 0600, rest, strlen(rest)))
			FUZZ_CHECK(!"a file can be made");
		spec = mem_printf("%s:%s", types[i].type,
				  types[i].in_file ? path : rest);
		look_up(spec, text + 1);
		free(spec);
		unlink(path);
	}
	free(text);
}
