/* Nobody is kept out of a folder by work in portions, with a lock for each. */
#include <signal.h>
#include <sys/wait.h>

#include "mailbox/opened.h"
#include "t/unit/mailbox-lib.h"

#define SECONDS 15 /* longer than anybody waits for the lock */
#define ENOUGH 5   /* one may slip in by chance */

static void work(int told)
{
	const struct timespec portion = { .tv_nsec = 60000000 };
	struct store *s;
	struct mailbox *m = open_folder("INBOX", false, &s);
	time_t end = time(NULL) + SECONDS;

	while (time(NULL) < end && index_lock(&m->x) == ERR_OK) {
		if (write(told, "", 1) < 0)
			printf("# write\n");
		nanosleep(&portion, NULL);
		index_unlock(&m->x);
	}
	_exit(0);
}

int main(void)
{
	struct delivered out;
	int told[2], n, good = 0;
	char id[20], byte;
	pid_t pid;

	fresh();
	deliver_n("INBOX", 1);
	if (pipe(told) < 0)
		printf("# pipe\n");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		work(told[1]);
	close(told[1]);
	ok(read(told[0], &byte, 1) == 1, "somebody works in portions");
	for (n = 0; n < ENOUGH && good == n; n++) {
		sprintf(id, "Q%d", n);
		good += deliver_to("INBOX", "Subject: x\n\nx\n", id, &out) ==
			ERR_OK;
	}
	ok(good == ENOUGH && waitpid(pid, NULL, WNOHANG) == 0,
	   "%d deliveries meanwhile", good);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	clean();
	return done();
}
