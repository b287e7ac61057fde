#include "intake/answer.h"

#include <stdarg.h>
#include <stdio.h>

static void set(struct answer *r, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void set(struct answer *r, const char *fmt, va_list ap)
{
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	for (unsigned char *p = (unsigned char *)r->text; *p; p++)
		if (*p < 0x20 || *p >= 0x7f)
			*p = '?';
}

void answer_set(struct answer *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(r, fmt, ap);
	va_end(ap);
}

bool answer_refuse(struct answer *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(r, fmt, ap);
	va_end(ap);
	return false;
}

char answer_class(const struct answer *r)
{
	return r->text[0];
}
