#include "master/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"

#define BACKLOG 511

struct open_socket {
	struct open_socket *next;
	char *key; /* "[ip]:port" or a path */
	int fd;
	bool wanted;
};

static struct {
	struct open_socket *first;
} self;

static struct open_socket *find(const char *key)
{
	struct open_socket *s = self.first;

	while (s && strcmp(s->key, key) != 0)
		s = s->next;
	return s;
}

static void remember(const char *key, int fd)
{
	struct open_socket *s = mem_alloc(sizeof(*s));

	file_set_cloexec(fd, true);
	s->key = mem_strdup(key);
	s->fd = fd;
	s->next = self.first;
	self.first = s;
}

/* A TCP socket bound to IP and PORT, or -1 with errno. */
static int open_tcp(const char *ip, int port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port) };
	bool six = strchr(ip, ':') != NULL;
	int on = 1, fd, err;

	if (inet_pton(six ? AF_INET6 : AF_INET, ip,
		      six ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) !=
	    1) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, six ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4,
		 six ? sizeof(a6) : sizeof(a4)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static int open_stream(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (!str_copy(a.sun_path, sizeof(a.sun_path), path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0) {
		int err = errno;

		if (fd >= 0)
			close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

/* What to do about a socket that cannot be opened. */
static const char *advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "; `ss -lntp` shows the program that has it";
	case EADDRNOTAVAIL:
		return "; inet_interfaces names an address that this host "
		       "does not have";
	case EINVAL:
		return "; inet_interfaces wants IP addresses, all or "
		       "loopback-only";
	case EACCES:
		return "; ports below 1024 are for root alone";
	default:
		return "";
	}
}

/* Uses or opens one socket; its key says what it is. */
static void use(const char *name, const char *key, int (*make)(const char *),
		struct buf *listen_to, struct buf *faults)
{
	struct open_socket *s = find(key);

	if (s && s->wanted) {
		buf_printf(faults,
			   "cannot listen on %s for %s: another service of "
			   "the suite is to listen there\n",
			   key, name);
		return;
	}
	if (!s) {
		int fd = make(key);

		if (fd < 0) {
			buf_printf(faults, "cannot listen on %s for %s: %s%s\n",
				   key, name, strerror(errno), advice(errno));
			return;
		}
		remember(key, fd);
		s = self.first;
	}
	s->wanted = true;
	buf_printf(listen_to, "%s:%d ", name, s->fd);
}

static int make_packet(const char *path)
{
	return ipc_listen(path, 0666, BACKLOG);
}

/* KEY is "[ip]:port". */
static int make_tcp(const char *key)
{
	char ip[64] = "";
	const char *end = strchr(key, ']');

	if (!end || (size_t)(end - key) > sizeof(ip)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(ip, key + 1, (size_t)(end - key) - 1);
	return open_tcp(ip, atoi(end + 2));
}

static bool family_wanted(const struct config *c, bool six)
{
	const char *p = config_string(c, "inet_protocols");

	return str_equal_ci(p, "all") || str_equal_ci(p, six ? "ipv6" : "ipv4");
}

/* Is there such a family on this host? Without, "all" leaves it out. */
static bool family_exists(bool six)
{
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return false;
	close(fd);
	if (six) {
		fd = open_tcp("::1", 0);
		if (fd < 0)
			return false;
		close(fd);
	}
	return true;
}

static void use_tcp(const struct config *c, const char *name, int64_t port,
		    struct buf *listen_to, struct buf *faults)
{
	const struct strlist *l = config_list(c, "inet_interfaces");
	struct strlist ips = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		bool all = str_equal_ci(l->item[i], "all");

		if (!all && !str_equal_ci(l->item[i], "loopback-only")) {
			strlist_add(&ips, l->item[i]);
			continue;
		}
		if (family_wanted(c, false))
			strlist_add(&ips, all ? "0.0.0.0" : "127.0.0.1");
		if (family_wanted(c, true) && family_exists(true))
			strlist_add(&ips, all ? "::" : "::1");
	}
	for (size_t i = 0; i < ips.n; i++) {
		char *key =
			mem_printf("[%s]:%lld", ips.item[i], (long long)port);

		use(name, key, make_tcp, listen_to, faults);
		free(key);
	}
	strlist_free(&ips);
}

static void use_private(const struct config *c, const char *below,
			const char *name, struct buf *listen_to,
			struct buf *faults)
{
	char *path = mem_printf("%s%s/%s", config_string(c, "run_directory"),
				below, name);

	use(name, path, make_packet, listen_to, faults);
	free(path);
}

static void open_one(const struct config *c, const struct service_socket *s,
		     struct buf *listen_to, struct buf *faults)
{
	switch (s->kind) {
	case SOCKET_NONE:
		return;
	case SOCKET_PRIVATE:
		use_private(c, "/private", s->name, listen_to, faults);
		return;
	case SOCKET_PUBLIC:
		use_private(c, "", s->name, listen_to, faults);
		return;
	case SOCKET_TCP:
		if (config_int(c, s->param) > 0)
			use_tcp(c, s->name, config_int(c, s->param), listen_to,
				faults);
		return;
	case SOCKET_STREAM:
		if (*config_string(c, s->param))
			use(s->name, config_string(c, s->param), open_stream,
			    listen_to, faults);
		return;
	}
}

void sockets_open(const struct config *c, const struct service_row *row,
		  struct buf *listen_to, struct buf *faults)
{
	for (int i = 0; i < SOCKETS_MAX; i++)
		open_one(c, &row->socket[i], listen_to, faults);
}

void sockets_try(const struct config *c, const struct service_row *row,
		 struct buf *faults)
{
	struct buf ignored;

	buf_init(&ignored, 65536);
	for (int i = 0; i < SOCKETS_MAX; i++)
		if (row->socket[i].kind == SOCKET_TCP)
			open_one(c, &row->socket[i], &ignored, faults);
	buf_free(&ignored);
}

void sockets_begin(void)
{
	for (struct open_socket *s = self.first; s; s = s->next)
		s->wanted = false;
}

static void close_where_unwanted(void)
{
	struct open_socket **at = &self.first;

	while (*at) {
		struct open_socket *s = *at;

		if (s->wanted) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		if (s->key[0] == '/')
			unlink(s->key);
		close(s->fd);
		free(s->key);
		free(s);
	}
}

void sockets_sweep(void)
{
	close_where_unwanted();
}

void sockets_close(void)
{
	sockets_begin();
	close_where_unwanted();
}
