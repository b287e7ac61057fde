/*
 * A socket is identified by its key, "[ip]:port" or a path. A set that wants a
 * key that the former set has shares the socket; otherwise it is made, so that
 * failures are known before anything changes. At a path, anything but a
 * socket, or a socket with a listener, is left alone. While two sets exist,
 * one socket for all addresses of a port and one for a single address may
 * exist together (share_port). With its last set a socket is shut down, not
 * only closed, since other processes still have it.
 */
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

/* Shared by the sets that want this socket. */
struct listener {
	char *key; /* "[ip]:port" or a path */
	int fd;
	int users;
};

struct sockets {
	struct listener **item;
	size_t n;
	size_t cap;
};

/* What is known while a socket is opened. */
struct opening {
	struct sockets *set;
	const struct sockets *former;
	const struct config *config;
	struct buf *listen;
	struct buf *faults;
};

static struct listener *find(const struct sockets *s, const char *key)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (strcmp(s->item[i]->key, key) == 0)
			return s->item[i];
	return NULL;
}

static void add(struct sockets *s, struct listener *l)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 32;
		s->item = mem_resize(s->item, s->cap, sizeof(*s->item));
	}
	l->users++;
	s->item[s->n++] = l;
}

static struct listener *new_listener(const char *key, int fd)
{
	struct listener *l = mem_alloc(sizeof(*l));

	file_set_cloexec(fd, true);
	l->key = mem_strdup(key);
	l->fd = fd;
	return l;
}

/* -1, and FD is closed; errno stays. */
static int give_up(int fd)
{
	int err = errno;

	if (fd >= 0)
		close(fd);
	errno = err;
	return -1;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The address of IP, PORT; its length, or 0. */
static socklen_t fill_address(union address *a, const char *ip, int port)
{
	*a = (union address){ .v4 = { .sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port) } };
	if (inet_pton(AF_INET, ip, &a->v4.sin_addr) == 1)
		return sizeof(a->v4);
	*a = (union address){ .v6 = { .sin6_family = AF_INET6,
				      .sin6_port = htons((uint16_t)port) } };
	return inet_pton(AF_INET6, ip, &a->v6.sin6_addr) == 1 ? sizeof(a->v6)
							      : 0;
}

static bool has_port(const struct listener *l, int port)
{
	const char *end = strstr(l->key, "]:");

	return l->key[0] == '[' && end && atoi(end + 2) == port;
}

/* While ON, another socket of ours may have the same port, though one of them
 * is for all addresses: between two sets both exist for a moment. */
static void share_port(const struct sockets *former, int fd, int port, int on)
{
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	for (size_t i = 0; i < former->n; i++)
		if (has_port(former->item[i], port))
			setsockopt(former->item[i]->fd, SOL_SOCKET,
				   SO_REUSEPORT, &on, sizeof(on));
}

static bool bind_tcp(int fd, const union address *a, socklen_t len,
		     const struct sockets *former, int port)
{
	bool good = bind(fd, &a->any, len) == 0 && listen(fd, BACKLOG) == 0;
	int err;

	if (good || errno != EADDRINUSE || !former)
		return good;
	share_port(former, fd, port, 1);
	good = bind(fd, &a->any, len) == 0 && listen(fd, BACKLOG) == 0;
	err = errno;
	share_port(former, fd, port, 0);
	errno = err;
	return good;
}

/* A TCP socket bound to IP and PORT, or -1 with errno. */
static int open_tcp(const char *ip, int port, const struct sockets *former)
{
	union address a;
	socklen_t len = fill_address(&a, ip, port);
	int on = 1, fd;

	if (len == 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (a.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return bind_tcp(fd, &a, len, former, port) ? fd : give_up(fd);
}

/* May what is at the path of A be removed? Only a socket without a listener;
 * otherwise errno says why not. */
static bool is_stale(const struct sockaddr_un *a)
{
	struct stat st;
	int fd;
	bool used;

	if (lstat(a->sun_path, &st) < 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	used = connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ||
	       errno != ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	errno = EADDRINUSE;
	return !used;
}

static int open_stream(const char *path, const struct sockets *former)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	(void)former;
	if (!str_copy(a.sun_path, sizeof(a.sun_path), path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (!is_stale(&a) || (unlink(path) < 0 && errno != ENOENT))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return give_up(fd);
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
	case EEXIST:
		return ": it is not a socket";
	case EACCES:
		return "; ports below 1024 are for root alone";
	default:
		return "";
	}
}

/* Uses or opens one socket; its key says what it is. */
static void use(const struct opening *o, const char *name, const char *key,
		int (*make)(const char *key, const struct sockets *former))
{
	struct listener *l = find(o->former, key);
	int fd;

	if (find(o->set, key)) {
		buf_printf(o->faults,
			   "cannot listen on %s for %s: another service of "
			   "the suite is to listen there\n",
			   key, name);
		return;
	}
	fd = l ? l->fd : make(key, o->former);
	if (fd < 0) {
		buf_printf(o->faults, "cannot listen on %s for %s: %s%s\n", key,
			   name, strerror(errno), advice(errno));
		return;
	}
	add(o->set, l ? l : new_listener(key, fd));
	buf_printf(o->listen, "%s:%d ", name, fd);
}

static int make_packet(const char *path, const struct sockets *former)
{
	(void)former;
	return ipc_listen(path, 0666, BACKLOG);
}

/* KEY is "[ip]:port". */
static int make_tcp(const char *key, const struct sockets *former)
{
	char ip[64] = "";
	const char *end = strchr(key, ']');

	if (!end || (size_t)(end - key) > sizeof(ip)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(ip, key + 1, (size_t)(end - key) - 1);
	return open_tcp(ip, atoi(end + 2), former);
}

static bool family_wanted(const struct config *c, bool six)
{
	const char *p = config_string(c, "inet_protocols");

	return str_equal_ci(p, "all") || str_equal_ci(p, six ? "ipv6" : "ipv4");
}

/* Does this host have the address family? If not, "all" leaves it out. */
static bool family_exists(bool six)
{
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return false;
	close(fd);
	if (six) {
		fd = open_tcp("::1", 0, NULL);
		if (fd < 0)
			return false;
		close(fd);
	}
	return true;
}

/* The addresses that inet_interfaces means. */
static void list_addresses(const struct config *c, struct strlist *ips)
{
	const struct strlist *l = config_list(c, "inet_interfaces");

	for (size_t i = 0; i < l->n; i++) {
		bool all = str_equal_ci(l->item[i], "all");

		if (!all && !str_equal_ci(l->item[i], "loopback-only")) {
			strlist_add(ips, l->item[i]);
			continue;
		}
		if (family_wanted(c, false))
			strlist_add(ips, all ? "0.0.0.0" : "127.0.0.1");
		if (family_wanted(c, true) && family_exists(true))
			strlist_add(ips, all ? "::" : "::1");
	}
}

static void use_port(const struct opening *o, const char *name, int64_t port)
{
	struct strlist ips = { 0 };

	if (port > 0)
		list_addresses(o->config, &ips);
	for (size_t i = 0; i < ips.n; i++) {
		char *key =
			mem_printf("[%s]:%lld", ips.item[i], (long long)port);

		use(o, name, key, make_tcp);
		free(key);
	}
	strlist_free(&ips);
}

static void use_packet(const struct opening *o, const char *below,
		       const char *name)
{
	char *path =
		mem_printf("%s%s/%s", config_string(o->config, "run_directory"),
			   below, name);

	use(o, name, path, make_packet);
	free(path);
}

static void open_one(const struct opening *o, const struct service_socket *s)
{
	const char *path;

	switch (s->kind) {
	case SOCKET_NONE:
		return;
	case SOCKET_PRIVATE:
		use_packet(o, "/private", s->name);
		return;
	case SOCKET_PUBLIC:
		use_packet(o, "", s->name);
		return;
	case SOCKET_TCP:
		use_port(o, s->name, config_int(o->config, s->param));
		return;
	case SOCKET_STREAM:
		path = config_string(o->config, s->param);
		if (*path)
			use(o, s->name, path, open_stream);
		return;
	}
}

struct sockets *sockets_new(void)
{
	return mem_alloc(sizeof(struct sockets));
}

void sockets_open(struct sockets *s, const struct sockets *former,
		  const struct config *c, const struct service_row *row,
		  struct buf *listen, struct buf *faults)
{
	const struct opening o = { s, former, c, listen, faults };

	for (int i = 0; i < SOCKETS_MAX; i++)
		open_one(&o, &row->socket[i]);
}

void sockets_try(const struct config *c, struct buf *faults)
{
	struct sockets *set = sockets_new();
	struct buf ignored;
	const struct opening o = { set, NULL, c, &ignored, faults };

	buf_init(&ignored, 65536);
	for (size_t i = 0; i < service_count; i++)
		for (int k = 0; k < SOCKETS_MAX; k++)
			if (service_rows[i].socket[k].kind == SOCKET_TCP)
				open_one(&o, &service_rows[i].socket[k]);
	buf_free(&ignored);
	sockets_free(&set);
}

/* An instance that is finishing its connections still has the descriptor:
 * without the shutdown it would keep the port, and clients would wait there. */
static void end(struct listener *l)
{
	if (l->key[0] == '/')
		err_ignore(unlink(l->key)); /* connections are refused */
	shutdown(l->fd, SHUT_RDWR);
	close(l->fd);
	free(l->key);
	free(l);
}

void sockets_free(struct sockets **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < (*s)->n; i++)
		if (--(*s)->item[i]->users == 0)
			end((*s)->item[i]);
	free((*s)->item);
	free(*s);
	*s = NULL;
}
