#include "local-deliver/targets.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"

static const char letters[] = {
	[ALIAS_ADDRESS] = 'a', [ALIAS_SELF] = 's',    [ALIAS_FILE] = 'f',
	[ALIAS_COMMAND] = 'c', [ALIAS_INCLUDE] = 'i',
};

void targets_tell_fault(struct buf *out, const char *fmt, ...)
{
	va_list ap;

	buf_reset(out);
	buf_putc(out, TARGETS_FAULT);
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_putc(out, '\0');
}

static void tell_text(const char *text, const char *path, struct buf *out)
{
	struct arena *a = arena_new();
	struct alias_target *target;
	const char *why;
	unsigned line;
	size_t n;

	if (aliases_targets_of_file(a, text, &target, &n, &why, &line)) {
		targets_tell_fault(out, "%s:%u: %s", path, line, why);
	} else {
		for (size_t i = 0; i < n; i++) {
			buf_putc(out, letters[target[i].kind]);
			buf_put(out, target[i].text,
				strlen(target[i].text) + 1);
		}
		if (out->over)
			targets_tell_fault(out, "%s: too large", path);
	}
	arena_free(&a);
}

void targets_tell(int fd, const char *path, size_t max, struct buf *out)
{
	struct buf text;
	int err;

	buf_init(&text, max);
	err = file_read_fd(fd, &text);
	if (err)
		targets_tell_fault(out, "%s: %s", path,
				   err == ERR_TOO_LONG ? "too large"
						       : err_why(err));
	else if (memchr(text.data, '\0', text.len))
		targets_tell_fault(out, "%s: holds a NUL", path);
	else
		tell_text(text.data, path, out);
	buf_free(&text);
}

/* The number of NULs in TOLD. */
static size_t count(const char *told, size_t n)
{
	size_t items = 0;

	for (size_t i = 0; i < n; i++)
		items += told[i] == '\0';
	return items;
}

const char *targets_hear(struct arena *a, const char *told, size_t n,
			 struct alias_target **target, size_t *ntargets)
{
	const char *end = told + n;
	size_t k = 0;

	*ntargets = 0;
	*target = arena_alloc(a, (count(told, n) + 1) * sizeof(**target));
	while (told < end) {
		size_t len = strnlen(told, (size_t)(end - told));
		const char *kind = memchr(letters, *told, sizeof(letters));

		if (told + len == end)
			return "the answer was cut off";
		if (*told == TARGETS_FAULT)
			return arena_strdup(a, told + 1);
		if (!kind)
			return "the answer is not understood";
		(*target)[k++] = (struct alias_target){
			(enum alias_kind)(kind - letters),
			arena_strndup(a, told + 1, len - 1)
		};
		told += len + 1;
	}
	*ntargets = k;
	return NULL;
}
