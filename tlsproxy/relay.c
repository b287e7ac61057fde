/*
 * Two directions, each with its own end. From the net, records are read,
 * decrypted into the shared block and sent to the program; what it does not
 * take is kept in to_plain, and the net is not read until that is sent. From
 * the program it is the same, with to_net. An end of file is passed on only
 * when all data before it is sent. A relay ends when both directions have
 * ended, or at once when a side is broken; a timer ends one whose peer never
 * answers close_notify. Nothing blocks, and no relay holds more than two
 * blocks.
 */
#include "tlsproxy/relay.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tlsproxy/bio.h"

#define BLOCK 65536	  /* carried at once in one direction */
#define UNSENT_MAX 400000 /* a block as records, and answers to key updates */
#define CHECK_S 30 /* between checks whether a half-closed program lives */
#define FLUSH_S 60 /* for the peer to take what is left */
#define LINGER_S 3 /* for the peer to close after us */

struct relay {
	SSL *ssl;
	int net;
	int plain;
	struct event net_input;
	struct event net_room;
	struct event plain_input;
	struct event plain_room;
	struct event timer;
	struct buf to_net;   /* records that the peer has not taken */
	struct buf to_plain; /* text that the program has not taken */
	bool net_ended;	     /* close_notify came */
	bool net_broken;     /* the peer broke off */
	bool net_passed;     /* … and the program was told */
	bool plain_ended;    /* the program will send no more */
	bool plain_passed;   /* … and the peer was told */
	bool plain_gone;     /* it will not read either */
	void (*ended)(void);
};

static struct {
	char block[BLOCK];
} self;

static void close_relay(struct relay *r)
{
	event_del(&r->net_input);
	event_del(&r->net_room);
	event_del(&r->plain_input);
	event_del(&r->plain_room);
	event_del(&r->timer);
	SSL_free(r->ssl);
	close(r->net);
	close(r->plain);
	buf_free(&r->to_net);
	buf_free(&r->to_plain);
	r->ended();
	free(r);
}

/* Sends N bytes on FD and keeps in REST what does not go. False if the
 * socket is broken, or REST is full. */
static bool send_or_keep(int fd, const char *data, size_t n, struct buf *rest)
{
	ssize_t done = 0;

	if (rest->len == 0 && n > 0)
		done = send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (done < 0)
		done = 0;
	if ((size_t)done < n)
		buf_put(rest, data + done, n - (size_t)done);
	return !rest->over;
}

/* Sends what was kept, and frees it: most relays never need it again. */
static bool send_kept(int fd, struct buf *kept)
{
	ssize_t n =
		send(fd, kept->data, kept->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	size_t max = kept->max;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_consume(kept, (size_t)n);
	if (kept->len == 0) {
		buf_free(kept);
		buf_init(kept, max);
	}
	return true;
}

/* Sends OpenSSL's output. */
static bool send_output(struct relay *r)
{
	struct buf *out = bio_output();
	bool good = send_or_keep(r->net, out->data, out->len, &r->to_net);

	buf_reset(out);
	return good;
}

/* Reads text from the peer until the block is full or nothing more is there.
 * Sets net_ended and net_broken. */
static size_t read_net(struct relay *r)
{
	size_t have = 0, n;

	while (have < BLOCK) {
		ERR_clear_error();
		if (SSL_read_ex(r->ssl, self.block + have, BLOCK - have, &n)) {
			have += n;
			if (SSL_has_pending(r->ssl))
				continue;
			break;
		}
		switch (SSL_get_error(r->ssl, 0)) {
		case SSL_ERROR_WANT_READ:
			return have;
		case SSL_ERROR_ZERO_RETURN:
			r->net_ended = true;
			return have;
		default:
			r->net_broken = true;
			return have;
		}
	}
	return have;
}

/* Sets the time after which something has to be done without an event. */
static void set_timer(struct relay *r)
{
	struct timeval t = { CHECK_S, 0 };

	if (r->plain_gone)
		t.tv_sec = r->to_net.len > 0 ? FLUSH_S : LINGER_S;
	evtimer_add(&r->timer, &t);
}

/* Did the program close its side completely, or may it still read? */
static void check_gone(struct relay *r)
{
	struct pollfd p = { .fd = r->plain };

	r->plain_gone =
		r->plain_gone || (poll(&p, 1, 0) > 0 && p.revents & POLLHUP);
	if (r->plain_gone)
		buf_reset(&r->to_plain);
	set_timer(r);
}

/* Passes on the ends of file, once the data before them is sent. */
static void pass_ends(struct relay *r)
{
	if (r->net_ended && !r->net_passed && r->to_plain.len == 0) {
		r->net_passed = true;
		shutdown(r->plain, SHUT_WR);
	}
	if (r->plain_ended && !r->plain_passed && r->to_net.len == 0) {
		r->plain_passed = true;
		/* a client that has its last reply is often gone by now */
		if (shutdown(r->net, SHUT_WR) < 0 && r->plain_gone)
			r->net_broken = true;
		set_timer(r);
	}
}

static void wait_if(struct event *e, bool wanted)
{
	if (wanted)
		event_add(e, NULL);
	else
		event_del(e);
}

/* After each step: closes what is over, or sets what to wait for. */
static void settle(struct relay *r)
{
	pass_ends(r);
	if ((r->net_broken && r->to_plain.len == 0) ||
	    (r->net_passed && r->plain_passed)) {
		close_relay(r);
		return;
	}
	wait_if(&r->net_input,
		!r->net_ended && !r->net_broken && r->to_plain.len == 0);
	wait_if(&r->plain_input, !r->plain_ended && r->to_net.len == 0);
	wait_if(&r->net_room, r->to_net.len > 0);
	wait_if(&r->plain_room, r->to_plain.len > 0);
}

/* OpenSSL may hold records that came with others: no event reports them. */
static void look_again(struct relay *r)
{
	if (r->to_plain.len == 0 && !r->net_ended && !r->net_broken &&
	    SSL_has_pending(r->ssl))
		event_active(&r->net_input, EV_READ, 0);
}

/* There is only the peer's end to wait for: nobody reads what comes before it.
 * That is often a close_notify, and the end is right behind it. */
static void await_end(struct relay *r)
{
	ssize_t n = 1;

	for (int i = 2; i > 0 && n > 0; i--)
		n = recv(r->net, self.block, BLOCK, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		r->net_broken = true;
	settle(r);
}

static void on_net_input(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;
	size_t n;

	(void)fd;
	(void)what;
	if (r->plain_gone && r->plain_passed) {
		await_end(r);
		return;
	}
	n = read_net(r);
	if (!send_output(r))
		r->net_broken = true;
	if (!r->plain_gone &&
	    !send_or_keep(r->plain, self.block, n, &r->to_plain)) {
		r->plain_gone = true;
		buf_reset(&r->to_plain);
		set_timer(r);
	}
	if (n == BLOCK)
		look_again(r);
	settle(r);
}

static void on_plain_room(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	(void)fd;
	(void)what;
	if (!send_kept(r->plain, &r->to_plain)) {
		r->plain_gone = true;
		buf_reset(&r->to_plain);
		set_timer(r);
	}
	look_again(r);
	settle(r);
}

static void take_plain_end(struct relay *r, bool gone)
{
	r->plain_ended = true;
	r->plain_gone = gone;
	SSL_shutdown(r->ssl);
	if (!send_output(r))
		r->net_broken = true;
	check_gone(r);
}

/* The last words of a program often come with its end: the peer then gets both
 * in one packet. */
static void on_plain_input(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;
	ssize_t n = 1;
	size_t written;

	ERR_clear_error();
	for (int i = what & EV_CLOSED ? 2 : 1; i > 0 && n > 0; i--) {
		n = recv(fd, self.block, BLOCK, MSG_DONTWAIT);
		if (n > 0 &&
		    !SSL_write_ex(r->ssl, self.block, (size_t)n, &written))
			r->net_broken = true;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		take_plain_end(r, n < 0);
	else if (!send_output(r))
		r->net_broken = true;
	settle(r);
}

static void on_net_room(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	(void)fd;
	(void)what;
	if (!send_kept(r->net, &r->to_net))
		r->net_broken = true;
	settle(r);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;

	(void)fd;
	(void)what;
	if (r->plain_gone) {
		close_relay(r);
		return;
	}
	check_gone(r);
	settle(r);
}

void relay_begin(struct event_base *base, SSL *ssl, int net, int plain,
		 void (*ended)(void))
{
	struct relay *r = mem_alloc(sizeof(*r));

	*r = (struct relay){
		.ssl = ssl, .net = net, .plain = plain, .ended = ended
	};
	buf_init(&r->to_net, UNSENT_MAX);
	buf_init(&r->to_plain, UNSENT_MAX);
	event_assign(&r->net_input, base, net, EV_READ | EV_PERSIST,
		     on_net_input, r);
	event_assign(&r->net_room, base, net, EV_WRITE | EV_PERSIST,
		     on_net_room, r);
	event_assign(&r->plain_input, base, plain,
		     EV_READ | EV_CLOSED | EV_PERSIST, on_plain_input, r);
	event_assign(&r->plain_room, base, plain, EV_WRITE | EV_PERSIST,
		     on_plain_room, r);
	evtimer_assign(&r->timer, base, on_timer, r);
	settle(r);
	look_again(r);
}
