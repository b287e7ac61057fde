#include "mime/crlf.h"

#include <string.h>

size_t mime_crlf_size(const char *data, size_t n)
{
	const char *p = data, *end = data + n, *lf;
	size_t size = n;

	while ((lf = memchr(p, '\n', (size_t)(end - p)))) {
		if (lf == data || lf[-1] != '\r')
			size++;
		p = lf + 1;
	}
	return size;
}

void mime_put_crlf(struct buf *out, char last, const char *data, size_t n)
{
	const char *end = data + n, *lf;

	for (; data < end; data = lf + 1) {
		lf = memchr(data, '\n', (size_t)(end - data));
		if (!lf)
			break;
		if (lf > data)
			last = lf[-1];
		buf_put(out, data, (size_t)(lf - data));
		buf_put(out, last == '\r' ? "\n" : "\r\n",
			last == '\r' ? 1 : 2);
		last = '\n';
	}
	buf_put(out, data, (size_t)(end - data));
}
