#include "login-proxy/talk.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/str.h"

#define PLAIN_MAX 4096

enum talk_result talk_line(struct talk *t, const char *line)
{
	return t->take(t, line);
}

enum talk_result talk_go_on(struct talk *t)
{
	return t->go_on(t);
}

void talk_end(struct talk *t)
{
	if (t->out.data)
		mem_wipe(t->out.data, t->out.cap);
	buf_free(&t->out);
	buf_free(&t->text);
}

enum talk_result talk_finish(struct talk *t, enum talk_result result,
			     const char *text)
{
	buf_reset(&t->text);
	buf_puts(&t->text, text);
	return result;
}

enum talk_result talk_await(struct talk *t,
			    enum talk_result (*take)(struct talk *t,
						     const char *line))
{
	t->take = take;
	return TALK_MORE;
}

void talk_put_plain(struct talk *t)
{
	const struct talk_facts *f = t->facts;
	struct buf plain;

	buf_init(&plain, PLAIN_MAX);
	buf_puts(&plain, *f->master ? f->user : "");
	buf_putc(&plain, '\0');
	buf_puts(&plain, *f->master ? f->master : f->user);
	buf_putc(&plain, '\0');
	buf_puts(&plain, f->password);
	encode_base64(&t->out, plain.data, plain.len);
	mem_wipe(plain.data, plain.len);
	buf_free(&plain);
}

bool talk_has_code(const char *text, const char *const *words, unsigned n)
{
	size_t length;

	if (*text != '[')
		return false;
	length = strcspn(++text, "] ");
	for (unsigned i = 0; i < n; i++)
		if (str_span_is(text, length, words[i]))
			return true;
	return false;
}

static bool is_printable(const char *text)
{
	while (str_isprint((unsigned char)*text))
		text++;
	return *text == '\0';
}

bool talk_is_plain_text(const struct talk_facts *f)
{
	return is_printable(f->user) && is_printable(f->password);
}
