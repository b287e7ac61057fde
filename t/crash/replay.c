/*
 * A record is walked entry by entry. At some moments of it the states that a
 * power cut could have left are built (state.c) from what the disk is known to
 * hold (disk.c); in each the suite's own recovery runs, and what it leaves is
 * compared with what clients had been told (check.c). Recovery itself is
 * recorded in one state of AGAIN_EVERY, and that record walked the same way.
 */
#include "t/crash/replay.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "t/crash/apart.h"
#include "t/crash/check.h"
#include "t/crash/disk.h"
#include "t/crash/state.h"

#define REPORTED 2 /* of each class of failures, shown in full */
/* Of one state in so many recovery is recorded, and interrupted in turn. */
#define AGAIN_EVERY 96
#define AGAIN_MOMENTS 6
#define AGAIN_STATES 4 /* of each */

/* From this fact on the power may go; at once if a record has none. */
#define NOW "now"

struct replay {
	const struct options *o;
	const struct replay *outer; /* its recovery is what is recorded */
	const char *about;
	struct story story;
	struct disk disk;
	struct facts facts;
	struct units units;
	size_t most;	/* states of a moment */
	uint64_t share; /* of REPLAY_LEAST: how many moments are tried */
	uint64_t moment;
	uint64_t every; /* of so many moments one is tried */
	uint64_t at;	/* and which */
	uint64_t built; /* states */
	bool quiet;	/* not yet */
	bool stopped;	/* after a failure */
	char top[256];
	struct counts counts;
};

void replay_stop(const char *what, const char *name)
{
	fprintf(stderr, "crash-check: %s %s: ", what, name);
	perror(NULL);
	exit(2);
}

void story_map(struct story *story, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) < 0)
		replay_stop("cannot open", path);
	story->size = (size_t)st.st_size;
	story->at = mmap(NULL, story->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (story->at == MAP_FAILED)
		replay_stop("cannot map", path);
	close(fd);
}

void story_unmap(struct story *story)
{
	munmap((void *)(uintptr_t)story->at, story->size);
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
	if (r->about)
		printf("# %s\n", r->about);
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
	struct verdict v = { .twice = false };
	bool go_on = true, ordered = r->o->ordered;

	state_build(&r->disk, &r->units, s, r->top);
	if (ordered)
		v.good = check_visible(r->top, v.why, WHY_SIZE);
	else
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
	if (go_on && !r->outer && !ordered && r->built++ % AGAIN_EVERY == 0)
		go_on = try_again(r, s);
	return go_on;
}

/* The power goes now. FACTS_ONLY: nothing on the disk is new. */
static bool try_moment(struct replay *r, bool facts_only)
{
	bool go_on = true;

	if (r->moment++ % r->every != r->at ||
	    draw(r->o->seed, r->moment) % REPLAY_LEAST >= r->share)
		return true;
	r->counts.moments++;
	units_find(&r->units, &r->disk);
	go_on = states_each(&r->units, facts_only ? 4 : r->most,
			    draw(r->o->seed, r->moment), try_state, r);
	units_free(&r->units);
	return go_on;
}

static void see_fact(struct replay *r, const char *text, size_t n)
{
	if (n == strlen(NOW) && memcmp(text, NOW, n) == 0)
		r->quiet = false;
	else if (!fact_add(&r->facts, text, n))
		disk_gap(&r->disk, text, n, "is no fact");
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
		if (e.type == OP_FACT)
			see_fact(r, data, e.ndata);
		moments += changed && !r->quiet;
		if (try && !r->quiet && (changed || e.type == OP_FACT) &&
		    !try_moment(r, !changed)) {
			r->stopped = true;
			return moments;
		}
	}
	if (at != r->story.size)
		disk_gap(&r->disk, "", 0, "the record is cut off");
	return moments;
}

static uint64_t count_moments(const struct options *o,
			      const struct story *story, bool quiet)
{
	struct replay r = { .o = o, .story = *story, .quiet = quiet };
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

uint64_t story_moments(const struct options *o, const struct story *story)
{
	return count_moments(o, story, o->all);
}

/* The power goes again while recovery from S is at work. */
static bool try_again(struct replay *r, const struct state *s)
{
	struct replay again = { .o = r->o,
				.outer = r,
				.facts = r->facts,
				.most = AGAIN_STATES,
				.share = REPLAY_LEAST };
	char *record = mem_printf("%s.record", r->top);
	uint64_t moments;

	state_build(&r->disk, &r->units, s, r->top);
	if (apart_record(r->o->program, NULL, r->top, record) != 0)
		replay_stop("cannot record", "recovery");
	apart_remove(r->top);
	story_map(&again.story, record);
	moments = count_moments(r->o, &again.story, false);
	again.every = moments / AGAIN_MOMENTS + 1;
	again.moment = draw(r->o->seed, r->built) % again.every;
	snprintf(again.top, sizeof(again.top), "%s", r->top);
	disk_init(&again.disk);
	again.disk.without = r->o->without;
	walk(&again, true);
	r->counts.interrupted++;
	counts_add(&r->counts, &again.counts);
	disk_free(&again.disk);
	story_unmap(&again.story);
	unlink(record);
	free(record);
	return !again.stopped;
}

bool replay_story(const struct options *o, const struct story *story,
		  const char *top, const char *about, uint64_t at,
		  uint64_t every, size_t most, struct counts *c)
{
	struct replay r = {
		.o = o,
		.about = about,
		.story = *story,
		.at = at,
		.every = every,
		.most = most < REPLAY_LEAST ? REPLAY_LEAST : most,
		.share = most < REPLAY_LEAST ? most : REPLAY_LEAST,
		.quiet = o->all,
	};

	snprintf(r.top, sizeof(r.top), "%s", top);
	apart_remove(r.top);
	disk_init(&r.disk);
	r.disk.ordered = o->ordered;
	r.disk.without = o->without;
	walk(&r, true);
	counts_add(c, &r.counts);
	disk_free(&r.disk);
	facts_free(&r.facts);
	return !r.stopped;
}
