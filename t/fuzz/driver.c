/*
 * Runs a target (fuzz.h) on changed seeds.
 *
 *   TARGET.t [-t SECONDS] [-s SEED] [-o DIR]   for so much processor time
 *   TARGET.t FILE …                            these inputs alone
 *   TARGET.t                                   a short, always equal run
 *
 * An input that kills the target, or takes longer than HANG_SECONDS of
 * processor time, or blocks for BLOCKED_SECONDS, is written to
 * DIR/TARGET-SEED-RUN. Built with -fsanitize-coverage=trace-pc the
 * driver sees which code an input reached; without, it only changes seeds.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"

#define INPUT_MAX 20000
#define CORPUS_MAX 4000
#define MAP_SIZE 65536
#define SHORT_RUNS 2000
#define HANG_SECONDS 10
#define BLOCKED_SECONDS 300

struct input {
	char *data;
	size_t n;
};

static struct {
	struct input corpus[CORPUS_MAX];
	size_t ncorpus;
	struct input now; /* being run */
	char name[256];	  /* where it goes if it is a find */
	const char *target;
	const char *dir;
	uint64_t seed;
	uint64_t random;
	uint64_t runs;
	uint64_t runs_at_tick;
	int64_t cpu_at_tick;
	int ticks;
	uintptr_t last; /* place that was reached */
	unsigned char map[MAP_SIZE];
	unsigned char known[MAP_SIZE];
} self;

extern const char __executable_start;
void __sanitizer_cov_trace_pc(void);
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
void __sanitizer_set_death_callback(void (*callback)(void))
	__attribute__((weak));

/* Called by instrumented code at each branch. */
__attribute__((no_sanitize_coverage, no_sanitize("address", "undefined"))) //
void __sanitizer_cov_trace_pc(void)
{
	uintptr_t at = (uintptr_t)__builtin_return_address(0) -
		       (uintptr_t)&__executable_start;
	unsigned char *count = &self.map[(at ^ self.last) % MAP_SIZE];

	*count = (unsigned char)(*count + (*count < 255));
	self.last = (at << 3) ^ (at >> 7);
}

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=0:max_allocation_size_mb=600:"
	       "hard_rss_limit_mb=1200:detect_stack_use_after_return=1";
}

/* Else it would end without a word to us. */
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

/* What the target died of is the current input. */
static void keep_find(void)
{
	int fd = open(self.name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	static const char text[] = "\n# the input is kept in ";

	if (fd < 0 || file_write(fd, self.now.data, self.now.n))
		return;
	close(fd);
	err_ignore(file_write(2, text, sizeof(text) - 1));
	err_ignore(file_write(2, self.name, strlen(self.name)));
	err_ignore(file_write(2, "\n", 1));
}

/* It must not end the process either. */
static void on_exit_within(void)
{
	if (self.now.data)
		keep_find();
}

static void on_death(int sig)
{
	signal(sig, SIG_DFL);
	keep_find();
	raise(sig);
}

/* Seconds of this process: however loaded the machine is. */
static int64_t cpu_seconds(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec;
}

static void on_tick(int sig)
{
	(void)sig;
	if (self.runs != self.runs_at_tick) {
		self.runs_at_tick = self.runs;
		self.cpu_at_tick = cpu_seconds();
		self.ticks = 0;
	} else if (self.now.data &&
		   (cpu_seconds() - self.cpu_at_tick >= HANG_SECONDS ||
		    ++self.ticks >= BLOCKED_SECONDS)) {
		abort();
	}
}

/* xorshift64*: the same numbers everywhere. Below N. */
static size_t choose(size_t n)
{
	self.random ^= self.random >> 12;
	self.random ^= self.random << 25;
	self.random ^= self.random >> 27;
	return (size_t)((self.random * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % n;
}

/* Counts are compared in eight steps: 1, 2, 3, 4-7, 8-15 … */
static unsigned char step_of(unsigned char count)
{
	static const unsigned char few[4] = { 0, 1, 2, 4 };
	unsigned char bit = 8;

	if (count < 4)
		return few[count];
	for (count >>= 3; count && bit < 128; count >>= 1)
		bit = (unsigned char)(bit << 1);
	return bit;
}

static bool is_new(void)
{
	bool found = false;

	for (size_t i = 0; i < MAP_SIZE; i += sizeof(uint64_t)) {
		uint64_t eight;

		memcpy(&eight, self.map + i, sizeof(eight));
		for (size_t j = i; eight && j < i + sizeof(eight); j++) {
			unsigned char bit = step_of(self.map[j]);

			found |= (self.known[j] & bit) != bit;
			self.known[j] |= bit;
		}
	}
	return found;
}

static void run(const char *data, size_t n)
{
	self.now.data = mem_alloc(n + !n);
	self.now.n = n;
	memcpy(self.now.data, data, n);
	snprintf(self.name, sizeof(self.name), "%s/%s-%" PRIu64 "-%" PRIu64,
		 self.dir, self.target, self.seed, self.runs);
	memset(self.map, 0, MAP_SIZE);
	self.last = 0;
	fuzz_one(self.now.data, n);
	self.runs++;
	if (is_new() && self.ncorpus < CORPUS_MAX) {
		self.corpus[self.ncorpus++] = self.now;
	} else {
		free(self.now.data);
	}
	self.now.data = NULL;
}

/* One change of B, in place or longer. */
static void change_bytes(struct buf *b)
{
	static const char bytes[] =
		"\0\r\n\t \"\\<>()[]{}@:;,.=%*\377\200 ~09aZ";
	static const uint32_t numbers[] = { 0,	       1,	   0x7f,
					    0x80,      0xff,	   0xffff,
					    0x10000,   0x7fffffff, 0x80000000,
					    0xffffffff };
	size_t at = choose(b->len), width;
	uint64_t number;

	switch (choose(4)) {
	case 0:
		b->data[at] = (char)(b->data[at] ^ (1 << choose(8)));
		break;
	case 1:
		b->data[at] = (char)choose(256);
		break;
	case 2:
		b->data[at] = bytes[choose(sizeof(bytes) - 1)];
		break;
	default:
		width = (size_t)1 << choose(4);
		number = numbers[choose(sizeof(numbers) / sizeof(*numbers))];
		if (choose(2))
			number = (uint64_t) - (int64_t)number;
		at = at / width * width;
		if (at + width <= b->len)
			memcpy(b->data + at, &number, width);
	}
}

/* Puts N bytes of DATA into B at AT. */
static void insert(struct buf *b, size_t at, const char *data, size_t n)
{
	char *copy = mem_alloc(n + !n);

	memcpy(copy, data, n);
	if (b->len + n <= INPUT_MAX && buf_room(b, n)) {
		memmove(b->data + at + n, b->data + at, b->len - at);
		memcpy(b->data + at, copy, n);
		buf_added(b, n);
	}
	free(copy);
}

static void change_length(struct buf *b)
{
	const struct input *other = &self.corpus[choose(self.ncorpus)];
	size_t at = choose(b->len + 1), n = choose(b->len + 1 - at);
	size_t from, times;

	switch (choose(5)) {
	case 0: /* cut out */
		memmove(b->data + at, b->data + at + n, b->len - at - n);
		buf_truncate(b, b->len - n);
		break;
	case 1: /* cut off */
		buf_truncate(b, at);
		break;
	case 2: /* repeat */
		n = choose(16) ? n % 16 : n;
		for (times = (size_t)1 << choose(choose(8) ? 3 : 10); times;
		     times--)
			insert(b, at, b->data + at, n < b->len - at ? n : 0);
		break;
	default: /* a piece of another one, or the rest of it */
		from = choose(other->n + 1);
		n = choose(other->n + 1 - from);
		if (choose(4) == 0) {
			buf_truncate(b, at);
			n = other->n - from;
		}
		insert(b, at, other->data + from, n);
	}
}

static void run_change(void)
{
	const struct input *in = &self.corpus[choose(self.ncorpus)];
	struct buf b;

	buf_init(&b, 2 * INPUT_MAX);
	buf_put(&b, in->data, in->n);
	for (size_t n = (size_t)1 << choose(5); n; n--) {
		if (b.len && choose(2))
			change_bytes(&b);
		else
			change_length(&b);
	}
	run(b.data ? b.data : "", b.len);
	buf_free(&b);
}

static void run_seeds(void)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (unsigned i = 0; fuzz_seed(i, &b); i++) {
		size_t before = self.ncorpus;

		run(b.data ? b.data : "", b.len);
		if (before == self.ncorpus && before < CORPUS_MAX) {
			self.corpus[before].data = mem_alloc(b.len + !b.len);
			memcpy(self.corpus[before].data, b.data, b.len);
			self.corpus[self.ncorpus++].n = b.len;
		}
		buf_reset(&b);
	}
	buf_free(&b);
}

static int run_files(char *const *file)
{
	struct buf b;
	int code = 0;

	buf_init(&b, 64 << 20);
	for (; *file; file++) {
		buf_reset(&b);
		if (file_read(*file, &b)) {
			fprintf(stderr, "%s: %s\n", *file, strerror(errno));
			code = 1;
			continue;
		}
		run(b.data ? b.data : "", b.len);
		printf("%s: it lives\n", *file);
	}
	buf_free(&b);
	return code;
}

static void catch_faults(void)
{
	struct itimerval second = { { 1, 0 }, { 1, 0 } };

	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(keep_find);
	atexit(on_exit_within);
	signal(SIGABRT, on_death);
	signal(SIGPIPE, SIG_IGN);
	if (!__sanitizer_set_death_callback) {
		signal(SIGSEGV, on_death);
		signal(SIGBUS, on_death);
	}
	signal(SIGALRM, on_tick);
	setitimer(ITIMER_REAL, &second, NULL);
}

int main(int argc, char **argv)
{
	int64_t seconds = 0;
	int c;

	self.dir = ".";
	self.seed = 1;
	self.target =
		strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	while ((c = getopt(argc, argv, "t:s:o:")) != -1) {
		if (c == 't')
			seconds = atoll(optarg);
		else if (c == 's')
			self.seed = strtoull(optarg, NULL, 10);
		else if (c == 'o')
			self.dir = optarg;
		else
			return 64;
	}
	self.random = self.seed * 2 + 1;
	log_open("fuzz", "/dev/null");
	catch_faults();
	if (optind < argc)
		return run_files(argv + optind);
	run_seeds();
	while (seconds ? cpu_seconds() < seconds : self.runs < SHORT_RUNS)
		run_change();
	printf("ok 1 - %s takes any input # seed %" PRIu64 ", %" PRIu64
	       " runs, %zu inputs kept\n1..1\n",
	       self.target, self.seed, self.runs, self.ncorpus);
	return 0;
}
