/* A standing connection to a service that is restarted: ipc/client.h. */
#include "ipc/client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "tap.h"

#define MS 20000

/* Takes CONNECTIONS, answers the last; on the others it ends, as a process
 * does that is killed, when a question has come. */
static void serve(int listener, int connections)
{
	struct ipc_out answer = { 0 };
	struct ipc_in question = { 0 };

	for (int left = connections; left > 0; left--) {
		int sock = ipc_accept_any(listener, NULL);

		if (sock < 0 || ipc_recv(sock, &question, MS))
			_exit(1);
		ipc_begin(&answer, "answer");
		if (left == 1 && ipc_send(sock, &answer, MS))
			_exit(1);
		close(sock);
	}
	_exit(0);
}

static int ask(int listener, const char *path, int connections, bool once)
{
	struct ipc_client client = IPC_CLIENT(path);
	struct ipc_out question = { 0 };
	struct ipc_in answer = { 0 };
	pid_t child = fork();
	int err;

	if (child == 0)
		serve(listener, connections);
	ipc_begin(&question, "question");
	err = (once ? ipc_client_once : ipc_client_call)(&client, &question,
							 &answer, MS);
	if (client.sock >= 0)
		close(client.sock);
	kill(child, SIGKILL); /* one that still waits */
	waitpid(child, NULL, 0);
	ipc_out_free(&question);
	ipc_in_free(&answer);
	return err;
}

/* Connects until there is no place for one more. */
static int fill(const char *path, int *sock, int max)
{
	int n = 0;

	while (n < max && (sock[n] = ipc_connect_now(path)) >= 0)
		n++;
	return n;
}

/* A service that takes no connections, since it hangs or is stopped. */
static void check_full(const char *dir)
{
	char *path = mem_printf("%s/full", dir);
	int listener = ipc_listen(path, 0600, 2), sock[20];
	int n = fill(path, sock, 20);
	struct ipc_client client = IPC_CLIENT(path);
	struct ipc_out question = { 0 };
	struct ipc_in answer = { 0 };
	int64_t start = clock_ms();

	ok(n < 20 && errno == EAGAIN,
	   "an event loop hears at once that there is no place");
	ipc_begin(&question, "question");
	ok(ipc_client_call(&client, &question, &answer, 200) == ERR_TEMP,
	   "who may wait is not served either");
	start = clock_ms() - start;
	ok(start >= 150 && start < 5000,
	   "and hears so in the time that it gave, not in ten seconds");
	ipc_out_free(&question);
	ipc_in_free(&answer);
	while (n > 0)
		close(sock[--n]);
	close(listener);
	unlink(path);
	free(path);
}

int main(void)
{
	char dir[] = "/tmp/posthorn-test-XXXXXX";
	char *path;
	int listener;

	if (!mkdtemp(dir))
		return 1;
	path = mem_printf("%s/service", dir);
	listener = ipc_listen(path, 0600, 10);
	ok(ask(listener, path, 1, false) == ERR_OK, "a question, an answer");
	ok(ask(listener, path, 2, false) == ERR_OK,
	   "the service dies of the first question on a new connection: "
	   "it is asked again");
	ok(ask(listener, path, 3, false) == ERR_OK,
	   "it dies of the second one, too: and once more");
	ok(ask(listener, path, 4, false) == ERR_TEMP,
	   "it dies of the third one: there is no fourth");
	ok(ask(listener, path, 2, true) == ERR_EOF,
	   "what may be asked once is asked once");
	check_full(dir);
	close(listener);
	unlink(path);
	rmdir(dir);
	free(path);
	return done();
}
