/* A standing connection to a service that is restarted: ipc/client.h. */
#include "ipc/client.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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
	ok(ask(listener, path, 3, false) == ERR_TEMP,
	   "it dies of the second one, too: there is no third");
	ok(ask(listener, path, 2, true) == ERR_EOF,
	   "what may be asked once is asked once");
	close(listener);
	unlink(path);
	rmdir(dir);
	free(path);
	return done();
}
