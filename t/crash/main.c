/*
 * The second half of crash-check: reads a record, makes the states that a
 * power cut could have left at each moment of it, recovers from each and
 * checks. See posthorn-crash-check(7).
 *
 *     replay [-1o] [-n STATES] [-s SEED] [-j JOBS] [-w FOLDER] [-x KIND]
 *            RECORD
 *     replay -a [-q SEQUENCES | -q WORDS] …
 *     replay [-q WORDS] -r TOP
 *
 * -1 stops at the first failure, -x takes all syncs of KIND (disk_kinds) as if
 * the programs did not make them, -o takes the disk as ordered (disk.h)
 * and looks only at what is visible before recovery. -a makes short records of its own, of each
 * sequence of a few operations on a mailbox, or of SEQUENCES that are drawn
 * (sequences.h), or only that of WORDS, with commas. -r recovers from what is below TOP, or does what WORDS say
 * there, and that is all: for apart_record.
 * Exit code 0: all promises hold in all states; 1: in some they do not; 2:
 * it could not be done.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "t/crash/apart.h"
#include "t/crash/replay.h"
#include "t/crash/sequences.h"
#include "t/crash/short.h"

struct work {
	struct story story;
	size_t most;
};

static void work(const struct options *o, const struct work *w, unsigned worker,
		 int result)
{
	struct counts c = { .moments = 0 };
	char top[256];

	/* not without the one that reports */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(top, sizeof(top), "%s/state%u", o->folder, worker);
	if (o->all)
		sequences_run(o, top, worker, &c);
	else
		replay_story(o, &w->story, top, NULL, worker, o->jobs, w->most,
			     &c);
	if (write(result, &c, sizeof(c)) < 0)
		_exit(2);
	fflush(stdout);
	_exit(0);
}

/* False if a worker did not end well. */
static bool run(const struct options *o, const struct work *w,
		struct counts *sum)
{
	struct counts part;
	int pipes[2], status;
	bool good = true;

	if (pipe(pipes) < 0)
		replay_stop("cannot make", "a pipe");
	fflush(stdout);
	for (unsigned i = 0; i < o->jobs; i++)
		if (fork() == 0)
			work(o, w, i, pipes[1]);
	close(pipes[1]);
	while (read(pipes[0], &part, sizeof(part)) == sizeof(part)) {
		counts_add(sum, &part);
		/* the others end with us */
		if (o->first && counts_failed(&part) > 0)
			return true;
	}
	while (wait(&status) > 0)
		good = good && status == 0;
	return good;
}

/* -r */
static _Noreturn void do_once(const char *top, const char *words)
{
	if (words)
		exit(short_run(top, words));
	apart_recover(top);
	exit(0);
}

static void read_options(struct options *o, int argc, char **argv)
{
	const char *words = NULL;
	int c;

	while ((c = getopt(argc, argv, "1aon:q:r:s:j:w:x:")) >= 0)
		switch (c) {
		case 'r':
			do_once(optarg, words);
		case 'n':
			o->states = strtoul(optarg, NULL, 10);
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		case 'j':
			o->jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case '1':
			o->first = true;
			break;
		case 'o':
			o->ordered = true;
			break;
		case 'a':
			o->all = true;
			break;
		case 'q':
			words = optarg;
			o->sequences = strtoul(optarg, NULL, 10);
			break;
		case 'x':
			o->without = optarg;
			break;
		case 'w':
			o->folder = optarg;
			break;
		default:
			exit(2);
		}
	if (optind + !o->all != argc || o->jobs == 0) {
		fprintf(stderr, "usage: replay [-1o] [-n STATES] [-s SEED] "
				"[-j JOBS] [-w FOLDER] [-x KIND] RECORD\n"
				"       replay -a [-q SEQUENCES | -q WORDS] …\n");
		exit(2);
	}
	if (words && *words != '0' && o->sequences == 0)
		o->words = words;
	o->record = argv[optind];
}

/* The record, and how many states of each moment. */
static struct work prepare(const struct options *o)
{
	struct work w = { .most = 0 };
	uint64_t moments;

	if (o->all)
		return w;
	story_map(&w.story, o->record);
	moments = story_moments(o, &w.story);
	if (moments == 0) {
		fprintf(stderr, "crash-check: nothing is in the record\n");
		exit(2);
	}
	w.most = o->states / moments + 1;
	return w;
}

int main(int argc, char **argv)
{
	struct options o = {
		.states = 12000,
		.seed = 1,
		.jobs = 2,
		.folder = "/tmp",
		.program = "/proc/self/exe",
	};
	struct work w;
	struct counts sum = { .moments = 0 };
	time_t begin = time(NULL);
	bool good;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	read_options(&o, argc, argv);
	w = prepare(&o);
	good = run(&o, &w, &sum);
	printf("# seed %" PRIu64 ", %ld seconds\n", o.seed,
	       (long)(time(NULL) - begin));
	if (counts_print(&sum) > 0)
		return 1;
	return good ? 0 : 2;
}
