#include "intake/policy.h"

#include <stdarg.h>
#include <stdio.h>

enum intake_action intake_ask(const struct intake_row *rows,
			      const struct intake_question *q, struct answer *a,
			      const char **name)
{
	enum intake_action gravest = INTAKE_ACCEPT, action;

	for (; rows && rows->name && gravest < INTAKE_DEFER; rows++) {
		struct answer one = { .text = "" };

		if (rows->stage != q->stage || !(rows->kinds & q->kind))
			continue;
		action = rows->judge(q, &one);
		if (action <= gravest)
			continue;
		gravest = action;
		*a = one;
		if (name)
			*name = rows->name;
	}
	return gravest;
}

enum intake_action intake_no(struct answer *a, const char *fmt, ...)
{
	char text[ANSWER_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer_set(a, "%s", text);
	return answer_class(a) == '4' ? INTAKE_DEFER : INTAKE_REFUSE;
}
