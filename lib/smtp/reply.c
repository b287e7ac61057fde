#include "smtp/reply.h"

#include <stdarg.h>
#include <stdio.h>

static void set(struct smtp_reply *r, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void set(struct smtp_reply *r, const char *fmt, va_list ap)
{
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	for (unsigned char *p = (unsigned char *)r->text; *p; p++)
		if (*p < 0x20 || *p >= 0x7f)
			*p = '?';
}

void smtp_reply_set(struct smtp_reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(r, fmt, ap);
	va_end(ap);
}

bool smtp_refuse(struct smtp_reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(r, fmt, ap);
	va_end(ap);
	return false;
}

char smtp_reply_class(const struct smtp_reply *r)
{
	return r->text[0];
}
