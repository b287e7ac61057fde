#include "server/caller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The user behind FD, a socket of this machine. */
static uint64_t user_of(int fd, char text[CALLER_TEXT_SIZE])
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return 0;
	snprintf(text, CALLER_TEXT_SIZE, "uid %ld", (long)peer.uid);
	return peer.uid;
}

uint64_t caller_at(const struct sockaddr_storage *ss,
		   char text[CALLER_TEXT_SIZE])
{
	const struct sockaddr_in6 *six = (const void *)ss;
	const struct sockaddr_in *four = (const void *)ss;
	uint64_t network;

	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &four->sin_addr, text, CALLER_TEXT_SIZE);
		return four->sin_addr.s_addr;
	}
	if (ss->ss_family != AF_INET6)
		return 0;
	inet_ntop(AF_INET6, &six->sin6_addr, text, CALLER_TEXT_SIZE);
	memcpy(&network, six->sin6_addr.s6_addr, sizeof(network));
	/* ::ffff:192.0.2.1, and anything else in ::/64 */
	if (network == 0)
		memcpy(&network, six->sin6_addr.s6_addr + 8, sizeof(network));
	return network;
}

uint64_t caller_of(int fd, char text[CALLER_TEXT_SIZE])
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss);

	if (getpeername(fd, (struct sockaddr *)&ss, &n) < 0)
		return 0;
	return ss.ss_family == AF_UNIX ? user_of(fd, text)
				       : caller_at(&ss, text);
}

uint64_t caller_named(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return hash;
}

void caller_turn_away(int fd, const char *text, size_t n)
{
	char junk[4096];

	if (text)
		send(fd, text, n ? n : strlen(text),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_RD);
	for (int i = 0; i < 10; i++)
		if (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) <= 0)
			break;
	close(fd);
}
