/*
 * The second half of crash-check: reads a record, makes the states that a
 * power cut could have left at each moment of it, recovers from each and
 * checks. See posthorn-crash-check(7).
 *
 *     replay [-1u] [-n STATES] [-s SEED] [-j JOBS] [-w FOLDER] [-x KIND]
 *            RECORD
 *     replay -r TOP
 *
 * -1 stops at the first failure, -u drops the rule on sizes (disk.h), -x
 * takes all syncs of KIND (disk_kinds) as if the programs did not make them.
 * -r recovers from what is below TOP, and that is all: for apart_record.
 * Exit code 0: all promises hold in all states; 1: in some they do not; 2:
 * it could not be done.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "t/crash/apart.h"
#include "t/crash/counts.h"
#include "t/crash/disk.h"
#include "t/crash/state.h"

#define REPORTED 2 /* of each class of failures, shown in full */
#define LEAST 8	   /* states of a moment, at the least */
/* Of one state in so many recovery is recorded, and interrupted in turn. */
#define AGAIN_EVERY 96
#define AGAIN_MOMENTS 6
#define AGAIN_STATES 4 /* of each */

struct options {
	size_t states;
	uint64_t seed;
	unsigned jobs;
	bool strict; /* no tree is ordered: disk.h */
	bool first;  /* the first failure is enough */
	const char *without;
	const char *folder;
	const char *record;
	const char *program; /* this one */
};

/* A record in memory. */
struct story {
	const char *at;
	size_t size;
};

struct replay {
	const struct options *o;
	const struct replay *outer; /* its recovery is what is recorded */
	struct story story;
	unsigned worker;
	struct disk disk;
	struct facts facts;
	struct units units;
	size_t most;	/* states of a moment */
	uint64_t share; /* of LEAST: how many moments are tried */
	uint64_t moment;
	uint64_t every; /* of so many moments one is tried */
	uint64_t built; /* states */
	bool stopped;	/* after a failure */
	char top[256];
	struct counts counts;
};

static void stop(const char *what, const char *name)
{
	fprintf(stderr, "crash-check: %s %s: ", what, name);
	perror(NULL);
	exit(2);
}

static void map_record(struct story *story, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) < 0)
		stop("cannot open", path);
	story->size = (size_t)st.st_size;
	story->at = mmap(NULL, story->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (story->at == MAP_FAILED)
		stop("cannot map", path);
	close(fd);
}

static void report(struct replay *r, const struct state *s, const char *why)
{
	char text[1024];

	if (counts_failure(&r->counts, why, 1) >= REPORTED)
		return;
	if (r->outer)
		printf("# recovery is cut off, too; at first: entry %" PRIu64
		       "\n",
		       r->outer->disk.when);
	state_describe(&r->units, s, text, sizeof(text));
	printf("# entry %" PRIu64 ": %s\n#   %s\n", r->disk.when, why, text);
	fflush(stdout);
}

static void count(struct replay *r, const struct state *s,
		  const struct verdict *v)
{
	enum state_kind kind = r->outer ? STATE_AGAIN : s->kind;

	r->counts.tried[kind]++;
	r->counts.failed[kind] += !v->good;
	r->counts.twice += v->twice;
	for (int i = 0; i < SAIDS; i++)
		r->counts.said[i] += v->said[i];
}

static bool try_again(struct replay *r, const struct state *s);

static bool try_state(void *context, const struct state *s)
{
	struct replay *r = context;
	struct verdict v;
	bool go_on = true;

	state_build(&r->disk, &r->units, s, r->top);
	apart_check(&r->facts, r->top, &v);
	count(r, s, &v);
	if (!v.good) {
		report(r, s, v.why);
		if (getenv("CRASH_KEEP")) {
			printf("# the state is kept in %s\n", r->top);
			return false;
		}
		go_on = !r->o->first;
	}
	apart_remove(r->top);
	if (go_on && !r->outer && r->built++ % AGAIN_EVERY == 0)
		go_on = try_again(r, s);
	return go_on;
}

/* The power goes now. FACTS_ONLY: nothing on the disk is new. */
static bool try_moment(struct replay *r, bool facts_only)
{
	bool go_on = true;

	if (r->moment++ % r->every != r->worker ||
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

	while (at + sizeof(e) <= r->story.size) {
		const char *name = r->story.at + at + sizeof(e), *data;
		bool changed;

		memcpy(&e, r->story.at + at, sizeof(e));
		if (e.magic != RECORD_MAGIC || e.total > r->story.size - at)
			break;
		data = name + e.nname + e.nname2;
		at += e.total;
		changed = disk_apply(&r->disk, &e, name, name + e.nname, data);
		if (e.type == OP_BASE_DIR || e.type == OP_BASE_FILE)
			continue;
		if (e.type == OP_FACT && !fact_add(&r->facts, data, e.ndata))
			disk_gap(&r->disk, data, e.ndata, "is no fact");
		moments += changed;
		if (try && (changed || e.type == OP_FACT) &&
		    !try_moment(r, !changed)) {
			r->stopped = true;
			return moments;
		}
	}
	if (at != r->story.size)
		disk_gap(&r->disk, "", 0, "the record is cut off");
	return moments;
}

/* Reads all of it and tries nothing. A record with a gap proves nothing. */
static uint64_t count_moments(const struct options *o,
			      const struct story *story)
{
	struct replay r = { .o = o, .story = *story };
	uint64_t moments;

	disk_init(&r.disk);
	r.disk.without = o->without;
	moments = walk(&r, false);
	disk_end(&r.disk);
	if (r.disk.gaps) {
		fprintf(stderr,
			"crash-check: the record has %" PRIu64 " gaps: %s\n",
			r.disk.gaps, r.disk.gap);
		exit(2);
	}
	disk_free(&r.disk);
	facts_free(&r.facts);
	return moments;
}

/* The power goes again while recovery from S is at work. */
static bool try_again(struct replay *r, const struct state *s)
{
	struct replay again = { .o = r->o,
				.outer = r,
				.facts = r->facts,
				.most = AGAIN_STATES,
				.share = LEAST };
	char *record = mem_printf("%s.record", r->top);
	uint64_t moments;

	state_build(&r->disk, &r->units, s, r->top);
	if (!apart_record(r->o->program, r->top, record))
		stop("cannot record", "recovery");
	apart_remove(r->top);
	map_record(&again.story, record);
	moments = count_moments(r->o, &again.story);
	again.every = moments / AGAIN_MOMENTS + 1;
	again.moment = draw(r->o->seed, r->built) % again.every;
	snprintf(again.top, sizeof(again.top), "%s", r->top);
	disk_init(&again.disk);
	again.disk.ordered = r->disk.ordered;
	again.disk.without = r->o->without;
	walk(&again, true);
	r->counts.interrupted++;
	counts_add(&r->counts, &again.counts);
	disk_free(&again.disk);
	munmap((void *)(uintptr_t)again.story.at, again.story.size);
	unlink(record);
	free(record);
	return !again.stopped;
}

static void work(const struct options *o, const struct story *story,
		 unsigned worker, size_t most, int result)
{
	struct replay r = { .o = o,
			    .story = *story,
			    .worker = worker,
			    .every = o->jobs,
			    .most = most < LEAST ? LEAST : most,
			    .share = most < LEAST ? most : LEAST };

	/* not without the one that reports */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(r.top, sizeof(r.top), "%s/state%u", o->folder, worker);
	apart_remove(r.top);
	disk_init(&r.disk);
	r.disk.ordered = o->strict ? NULL : "mail";
	r.disk.without = o->without;
	walk(&r, true);
	if (write(result, &r.counts, sizeof(r.counts)) < 0)
		_exit(2);
	fflush(stdout);
	_exit(0);
}

/* False if a worker did not end well. */
static bool run(const struct options *o, const struct story *story, size_t most,
		struct counts *sum)
{
	struct counts part;
	int pipes[2], status;
	bool good = true;

	if (pipe(pipes) < 0)
		stop("cannot make", "a pipe");
	fflush(stdout);
	for (unsigned i = 0; i < o->jobs; i++)
		if (fork() == 0)
			work(o, story, i, most, pipes[1]);
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

static void read_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "1n:r:s:j:w:ux:")) >= 0)
		switch (c) {
		case 'r':
			apart_recover(optarg);
			exit(0);
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
		.states = 12000,
		.seed = 1,
		.jobs = 2,
		.folder = "/tmp",
		.program = "/proc/self/exe",
	};
	struct story story;
	struct counts sum = { .moments = 0 };
	time_t begin = time(NULL);
	uint64_t moments;
	bool good;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	read_options(&o, argc, argv);
	map_record(&story, o.record);
	moments = count_moments(&o, &story);
	if (moments == 0) {
		fprintf(stderr, "crash-check: nothing is in the record\n");
		return 2;
	}
	good = run(&o, &story, o.states / moments + 1, &sum);
	printf("# seed %" PRIu64 ", %ld seconds\n", o.seed,
	       (long)(time(NULL) - begin));
	if (counts_print(&sum) > 0)
		return 1;
	return good ? 0 : 2;
}
