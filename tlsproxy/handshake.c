#include "tlsproxy/handshake.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tlsproxy/bio.h"
#include "tlsproxy/context.h"

#define UNSENT_MAX 1000000

struct handshake {
	SSL *ssl;
	int fd;
	struct event input;
	struct event room;
	struct event timer;
	struct buf unsent; /* what the socket did not take */
	bool finished;
	handshake_done *done;
	void *context;
};

static const char gone[] = "the peer ended the connection during the handshake";

static void stop_events(struct handshake *h)
{
	event_del(&h->input);
	event_del(&h->room);
	event_del(&h->timer);
}

/* Our events stop last: if the callee waits for the same socket by then, the
 * kernel need not be told. */
static void finish(struct handshake *h, const char *why)
{
	bool taken = h->done(h->context, h->ssl, h->fd, why);

	stop_events(h);
	if (!taken) {
		SSL_free(h->ssl);
		close(h->fd);
	}
	buf_free(&h->unsent);
	free(h);
}

/* Sends unsent data; false if the connection is broken. */
static bool send_unsent(struct handshake *h)
{
	ssize_t n;

	if (h->unsent.len == 0)
		return true;
	n = send(h->fd, h->unsent.data, h->unsent.len,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_consume(&h->unsent, (size_t)n);
	return true;
}

static const char *reason(SSL *ssl, int code)
{
	if (SSL_get_verify_result(ssl) != X509_V_OK &&
	    SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
		return X509_verify_cert_error_string(
			SSL_get_verify_result(ssl));
	if (code == SSL_ERROR_SYSCALL ||
	    ERR_GET_REASON(ERR_peek_error()) ==
		    SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return gone;
	return context_error();
}

/* One step with the input. NULL to go on, or why it failed. */
static const char *advance(struct handshake *h)
{
	struct buf *out = bio_output();
	int n, code;

	ERR_clear_error();
	buf_reset(out);
	n = SSL_do_handshake(h->ssl);
	code = SSL_get_error(h->ssl, n);
	buf_put(&h->unsent, out->data, out->len);
	buf_reset(out);
	h->finished = n == 1;
	if (h->finished || code == SSL_ERROR_WANT_READ)
		return NULL;
	/* the alert that says why */
	send_unsent(h);
	return reason(h->ssl, code);
}

static void react(struct handshake *h, const char *why)
{
	if (!why && !send_unsent(h))
		why = gone;
	if (why || (h->finished && h->unsent.len == 0))
		finish(h, why);
	else if (h->unsent.len > 0)
		event_add(&h->room, NULL);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct handshake *h = arg;

	(void)fd;
	(void)what;
	/* input after the handshake belongs to the relay */
	if (!h->finished)
		react(h, advance(h));
}

static void on_room(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	react(arg, NULL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	react(arg, "the handshake took too long");
}

struct handshake *handshake_begin(struct event_base *base, SSL *ssl, int fd,
				  int64_t ms, handshake_done *done,
				  void *context)
{
	struct handshake *h = mem_alloc(sizeof(*h));
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	*h = (struct handshake){
		.ssl = ssl, .fd = fd, .done = done, .context = context
	};
	buf_init(&h->unsent, UNSENT_MAX);
	bio_attach(ssl, fd);
	event_assign(&h->input, base, fd, EV_READ | EV_PERSIST, on_input, h);
	event_assign(&h->room, base, fd, EV_WRITE, on_room, h);
	evtimer_assign(&h->timer, base, on_timer, h);
	event_add(&h->input, NULL);
	event_add(&h->timer, &t);
	/* a client speaks first; a server usually finds the peer's first
	 * message already there */
	event_active(&h->input, EV_READ, 0);
	return h;
}

void handshake_cancel(struct handshake *h)
{
	stop_events(h);
	SSL_free(h->ssl);
	close(h->fd);
	buf_free(&h->unsent);
	free(h);
}
