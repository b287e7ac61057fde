/* Building and reading packets; sending and receiving is in socket.c. */
#include "ipc/ipc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/str.h"
#include "base/mem.h"
#include "ipc/packet.h"

static void close_owned(struct ipc_out *m)
{
	for (int i = 0; m->owned && i < m->nfds; i++)
		if (m->owned & 1U << i)
			close(m->fd[i]);
	m->owned = 0;
	m->nfds = 0;
}

void ipc_begin(struct ipc_out *m, const char *verb)
{
	if (!m->ready) {
		buf_init(&m->data, IPC_PACKET_MAX);
		m->ready = true;
	}
	buf_reset(&m->data);
	close_owned(m);
	buf_put(&m->data, verb, strlen(verb) + 1);
}

void ipc_put_span(struct ipc_out *m, const char *name, const char *value,
		  size_t n)
{
	/* a NUL would forge an attribute: the packet is never sent */
	if (memchr(value, '\0', n))
		m->data.over = true;
	buf_puts(&m->data, name);
	buf_putc(&m->data, '=');
	buf_put(&m->data, value, n);
	buf_put(&m->data, "", 1);
}

void ipc_put(struct ipc_out *m, const char *name, const char *value)
{
	ipc_put_span(m, name, value, strlen(value));
}

void ipc_put_int(struct ipc_out *m, const char *name, int64_t value)
{
	buf_printf(&m->data, "%s=%lld", name, (long long)value);
	buf_put(&m->data, "", 1);
}

void ipc_put_base64(struct ipc_out *m, const char *name, const void *data,
		    size_t n)
{
	buf_puts(&m->data, name);
	buf_putc(&m->data, '=');
	encode_base64(&m->data, data, n);
	buf_put(&m->data, "", 1);
}

void ipc_put_fd(struct ipc_out *m, int fd)
{
	if (m->nfds == IPC_FDS_MAX)
		m->data.over = true;
	else
		m->fd[m->nfds++] = fd;
}

void ipc_put_own_fd(struct ipc_out *m, int fd)
{
	if (m->nfds == IPC_FDS_MAX)
		close(fd);
	else
		m->owned |= 1U << m->nfds;
	ipc_put_fd(m, fd);
}

void ipc_out_free(struct ipc_out *m)
{
	close_owned(m);
	if (m->ready)
		buf_free(&m->data);
	m->ready = false;
}

/* Splits "name=value" at S; false if it is not that. */
static bool parse_attr(char *s, struct ipc_attr *a)
{
	char *equals = strchr(s, '=');

	if (!equals || equals == s)
		return false;
	*equals = '\0';
	a->name = s;
	a->value = equals + 1;
	return true;
}

bool ipc_parse(struct ipc_in *m)
{
	char *p = m->data, *end = m->data + m->len;
	size_t n = 0, have = 0;

	if (m->len == 0 || end[-1] != '\0')
		return false;
	for (const char *c = p; c < end; c++)
		have += *c == '\0';
	if (have - 1 > IPC_ATTRS_MAX)
		return false;
	if (have > m->cap_attrs) {
		free(m->attr);
		m->attr = mem_array(have, sizeof(*m->attr));
		m->cap_attrs = have;
	}
	m->verb = p;
	for (p += strlen(p) + 1; p < end; n++) {
		size_t len = strlen(p);

		if (!parse_attr(p, &m->attr[n]))
			return false;
		p += len + 1;
	}
	m->nattrs = n;
	return *m->verb != '\0';
}

void ipc_in_reset(struct ipc_in *m)
{
	while (m->nfds_taken < m->nfds)
		close(m->fd[m->nfds_taken++]);
	m->nfds = m->nfds_taken = 0;
	m->nattrs = 0;
	m->len = 0;
	m->verb = "";
}

void ipc_in_free(struct ipc_in *m)
{
	ipc_in_reset(m);
	free(m->attr);
	free(m->data);
	*m = (struct ipc_in){ .verb = "" };
}

const char *ipc_get(const struct ipc_in *m, const char *name)
{
	for (size_t i = 0; i < m->nattrs; i++)
		if (strcmp(m->attr[i].name, name) == 0)
			return m->attr[i].value;
	return NULL;
}

const char *ipc_text(const struct ipc_in *m, const char *name)
{
	const char *value = ipc_get(m, name);

	return value ? value : "";
}

bool ipc_int(const struct ipc_in *m, const char *name, int64_t min, int64_t max,
	     int64_t *value)
{
	const char *text = ipc_get(m, name);

	return text && str_to_int(text, min, max, value);
}

bool ipc_base64(const struct ipc_in *m, const char *name, struct buf *b)
{
	const char *text = ipc_get(m, name);

	return text && decode_base64(b, text, strlen(text));
}

bool ipc_is(const struct ipc_in *m, const char *verb)
{
	return strcmp(m->verb, verb) == 0;
}

int ipc_take_fd(struct ipc_in *m)
{
	return m->nfds_taken < m->nfds ? m->fd[m->nfds_taken++] : -1;
}
