/*
 * The second half of crash-check: reads a record, makes the states that a
 * power cut could have left at each moment of it, recovers from each and
 * checks. See posthorn-crash-check(7).
 *
 *     replay [-1u] [-n STATES] [-s SEED] [-j JOBS] [-w FOLDER] [-x KIND]
 *            RECORD
 *
 * -1 stops at the first failure, -u drops the rule on sizes (disk.h), -x
 * takes all syncs of KIND (disk_kinds) as if the programs did not make them.
 * Exit code 0: all promises hold in all states; 1: in some they do not; 2:
 * it could not be done.
 */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "t/crash/check.h"
#include "t/crash/disk.h"
#include "t/crash/state.h"

#define WHY_SIZE 512
#define REPORTED 2 /* of each class of failures, shown in full */
#define CLASSES 12
#define LEAST 8 /* states of a moment, at the least */
#define TWICE 3 /* exit code of a check */

struct options {
	size_t states;
	uint64_t seed;
	unsigned jobs;
	bool strict; /* no tree is ordered: disk.h */
	bool first;  /* the first failure is enough */
	const char *without;
	const char *folder;
	const char *record;
};

struct counts {
	uint64_t tried[STATE_KINDS], failed[STATE_KINDS];
	uint64_t moments;
	uint64_t twice; /* states in which somebody has a message twice */
	struct {
		char what[24]; /* why, up to the colon */
		uint64_t n;
	} failure[CLASSES];
};

struct replay {
	const struct options *o;
	unsigned worker;
	struct disk disk;
	struct facts facts;
	struct units units;
	size_t most;	/* states of a moment */
	uint64_t share; /* of LEAST: how many moments are tried */
	uint64_t moment;
	char top[256];
	struct counts counts;
};

static const char *data_at;
static size_t data_size;

static void stop(const char *what, const char *name)
{
	fprintf(stderr, "crash-check: %s %s: ", what, name);
	perror(NULL);
	exit(2);
}

static void map_record(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) < 0)
		stop("cannot open", path);
	data_size = (size_t)st.st_size;
	data_at = mmap(NULL, data_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data_at == MAP_FAILED)
		stop("cannot map", path);
	close(fd);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static void remove_tree(const char *top)
{
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* In a process of its own: what it finds may end it. */
static bool check_apart(struct replay *r, char why[WHY_SIZE])
{
	int pipes[2], status = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(pipes) < 0)
		stop("cannot make", "a pipe");
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		bool good;

		dup2(null, 2);
		memset(why, 0, WHY_SIZE);
		alarm(60);
		good = check_state(&r->facts, r->top, why, WHY_SIZE);
		if (!good && write(pipes[1], why, strlen(why)) < 0)
			_exit(2);
		_exit(!good ? 1 : facts_twice(&r->facts) ? TWICE : 0);
	}
	close(pipes[1]);
	n = read(pipes[0], why, WHY_SIZE - 1);
	why[n > 0 ? n : 0] = '\0';
	close(pipes[0]);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status))
		snprintf(why, WHY_SIZE, "recovery ended with signal %d",
			 WTERMSIG(status));
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	r->counts.twice += status == TWICE;
	return status == 0 || status == TWICE;
}

/* How many failures of that class there were before. */
static uint64_t count_failure(struct counts *c, const char *why, uint64_t n)
{
	size_t size = strcspn(why, ":"), i = 0;

	if (size >= sizeof(c->failure[0].what))
		size = sizeof(c->failure[0].what) - 1;
	while (i < CLASSES - 1 && c->failure[i].n &&
	       (strncmp(c->failure[i].what, why, size) != 0 ||
		c->failure[i].what[size]))
		i++;
	snprintf(c->failure[i].what, sizeof(c->failure[i].what), "%.*s",
		 (int)size, why);
	c->failure[i].n += n;
	return c->failure[i].n - n;
}

static void report(struct replay *r, const struct state *s, const char *why)
{
	char text[1024];

	if (count_failure(&r->counts, why, 1) >= REPORTED)
		return;
	state_describe(&r->units, s, text, sizeof(text));
	printf("# entry %" PRIu64 ": %s\n#   %s\n", r->disk.when, why, text);
	fflush(stdout);
}

static bool try_state(void *context, const struct state *s)
{
	struct replay *r = context;
	char why[WHY_SIZE];
	bool go_on = true;

	state_build(&r->disk, &r->units, s, r->top);
	r->counts.tried[s->kind]++;
	if (!check_apart(r, why)) {
		r->counts.failed[s->kind]++;
		report(r, s, why);
		if (getenv("CRASH_KEEP")) {
			printf("# the state is kept in %s\n", r->top);
			return false;
		}
		go_on = !r->o->first;
	}
	remove_tree(r->top);
	return go_on;
}

/* The power goes now. FACTS_ONLY: nothing on the disk is new. */
static bool try_moment(struct replay *r, bool facts_only)
{
	bool go_on = true;

	if (r->moment++ % r->o->jobs != r->worker ||
	    draw(r->o->seed, r->moment) % LEAST >= r->share)
		return true;
	r->counts.moments++;
	units_find(&r->units, &r->disk);
	go_on = states_each(&r->units, facts_only ? 4 : r->most,
			    draw(r->o->seed, r->moment), try_state, r);
	units_free(&r->units);
	return go_on;
}

/* Walks the record; counts moments if R is not to try them. */
static uint64_t walk(struct replay *r, bool try)
{
	uint64_t moments = 0;
	size_t at = 0;
	struct record_entry e;

	while (at + sizeof(e) <= data_size) {
		const char *name = data_at + at + sizeof(e), *data;
		bool changed;

		memcpy(&e, data_at + at, sizeof(e));
		if (e.magic != RECORD_MAGIC || e.total > data_size - at)
			break;
		data = name + e.nname + e.nname2;
		at += e.total;
		changed = disk_apply(&r->disk, &e, name, name + e.nname, data);
		if (e.type == OP_BASE_DIR || e.type == OP_BASE_FILE)
			continue;
		if (e.type == OP_FACT && !fact_add(&r->facts, data, e.ndata))
			printf("# no fact: %.*s\n", (int)e.ndata, data);
		moments += changed;
		if (try && (changed || e.type == OP_FACT) &&
		    !try_moment(r, !changed))
			break;
	}
	if (at != data_size && !try)
		printf("# the record is cut at %zu of %zu\n", at, data_size);
	return moments;
}

static uint64_t count_moments(const struct options *o)
{
	struct replay r = { .o = o };
	uint64_t moments;

	disk_init(&r.disk);
	r.disk.without = o->without;
	moments = walk(&r, false);
	disk_free(&r.disk);
	facts_free(&r.facts);
	return moments;
}

static void work(const struct options *o, unsigned worker, size_t most,
		 int result)
{
	struct replay r = { .o = o,
			    .worker = worker,
			    .most = most < LEAST ? LEAST : most,
			    .share = most < LEAST ? most : LEAST };

	snprintf(r.top, sizeof(r.top), "%s/state%u", o->folder, worker);
	remove_tree(r.top);
	disk_init(&r.disk);
	r.disk.ordered = o->strict ? NULL : "mail";
	r.disk.without = o->without;
	walk(&r, true);
	if (write(result, &r.counts, sizeof(r.counts)) < 0)
		_exit(2);
	fflush(stdout);
	_exit(0);
}

static void add_counts(struct counts *to, const struct counts *from)
{
	to->moments += from->moments;
	for (int i = 0; i < STATE_KINDS; i++) {
		to->tried[i] += from->tried[i];
		to->failed[i] += from->failed[i];
	}
	to->twice += from->twice;
	for (int i = 0; i < CLASSES && from->failure[i].n; i++)
		count_failure(to, from->failure[i].what, from->failure[i].n);
}

/* False if a worker did not end well. */
static bool run(const struct options *o, size_t most, struct counts *sum)
{
	struct counts part;
	int pipes[2], status;
	bool good = true;

	if (pipe(pipes) < 0)
		stop("cannot make", "a pipe");
	fflush(stdout);
	for (unsigned i = 0; i < o->jobs; i++)
		if (fork() == 0)
			work(o, i, most, pipes[1]);
	close(pipes[1]);
	while (read(pipes[0], &part, sizeof(part)) == sizeof(part))
		add_counts(sum, &part);
	while (wait(&status) > 0)
		good = good && status == 0;
	return good;
}

static uint64_t print_counts(const struct counts *c)
{
	uint64_t tried = 0, failed = 0;

	printf("# %-34s %8s %8s\n", "states after a power cut", "tried",
	       "failed");
	for (int i = 0; i < STATE_KINDS; i++) {
		printf("# %-34s %8" PRIu64 " %8" PRIu64 "\n",
		       state_kind_name[i], c->tried[i], c->failed[i]);
		tried += c->tried[i];
		failed += c->failed[i];
	}
	printf("# %-34s %8" PRIu64 " %8" PRIu64 "  at %" PRIu64 " moments\n",
	       "all", tried, failed, c->moments);
	printf("# %" PRIu64
	       " of them bring a message twice, which is allowed\n",
	       c->twice);
	for (int i = 0; i < CLASSES && c->failure[i].n; i++)
		printf("# %8" PRIu64 " failed: %s\n", c->failure[i].n,
		       c->failure[i].what);
	return failed;
}

static void read_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "1n:s:j:w:ux:")) >= 0)
		switch (c) {
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
		case 'x':
			o->without = optarg;
			break;
		case 'u':
			o->strict = true;
			break;
		case 'w':
			o->folder = optarg;
			break;
		default:
			exit(2);
		}
	if (optind + 1 != argc || o->jobs == 0) {
		fprintf(stderr, "usage: replay [-1u] [-n STATES] [-s SEED] "
				"[-j JOBS] [-w FOLDER] [-x KIND] RECORD\n");
		exit(2);
	}
	o->record = argv[optind];
}

int main(int argc, char **argv)
{
	struct options o = {
		.states = 12000, .seed = 1, .jobs = 2, .folder = "/tmp"
	};
	struct counts sum = { .moments = 0 };
	time_t begin = time(NULL);
	uint64_t moments;
	bool good;

	read_options(&o, argc, argv);
	map_record(o.record);
	moments = count_moments(&o);
	if (moments == 0) {
		fprintf(stderr, "crash-check: nothing is in the record\n");
		return 2;
	}
	good = run(&o, o.states / moments + 1, &sum);
	printf("# seed %" PRIu64 ", %ld seconds\n", o.seed,
	       (long)(time(NULL) - begin));
	if (print_counts(&sum) > 0)
		return 1;
	return good ? 0 : 2;
}
