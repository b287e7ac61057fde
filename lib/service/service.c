/*
 * What master has put into the environment becomes struct service, and is
 * removed from the environment: no child or command that a program starts may
 * see it. The configuration comes first, since the log depends on it; faults
 * before that are also printed on standard error. Descriptors are made
 * close-on-exec as they are taken.
 */
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "server/stack.h"

static void usage(const char *name, FILE *to)
{
	fprintf(to,
		"usage: %s -c FILE\n\n"
		"A program of the mail suite Posthorn. It is started by "
		"master, which gives it its\nsockets: use `posthorn start`. "
		"See %s(8).\n\n"
		"  -c FILE     the configuration [" CONFIG_DIR
		"/posthorn.conf]\n"
		"  --help      this text\n"
		"  --version   the version\n",
		name, name);
}

static void parse_options(struct service *s, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			s->config_path = argv[++i];
		} else if (strcmp(argv[i], "--help") == 0) {
			usage(s->name, stdout);
			exit(EX_OK);
		} else if (strcmp(argv[i], "--version") == 0) {
			puts("Posthorn " POSTHORN_VERSION);
			exit(EX_OK);
		} else {
			usage(s->name, stderr);
			exit(EX_USAGE);
		}
	}
}

/* Reports each fault on a separate line, and exits. */
static void die_of_faults(const char *name, const struct buf *faults)
{
	char *text = mem_strdup(faults->data), *next;

	for (char *line = text; *line; line = next) {
		next = strchr(line, '\n');
		if (!next)
			break;
		*next++ = '\0';
		log_error("%s: %s", name, line);
	}
	exit(EX_CONFIG);
}

/* The descriptor that a variable names, or -1. */
static int take_fd(const char *name)
{
	const char *env = getenv(name);
	int64_t fd;

	if (!env || !str_to_int(env, 0, 65535, &fd))
		return -1;
	file_set_cloexec((int)fd, true);
	return (int)fd;
}

/* What master accepted; or, without a master, what is in the file. */
static struct config *take_config(const struct service *s, struct buf *faults)
{
	int fd = take_fd("POSTHORN_SEALED");
	struct config *c;

	if (fd < 0)
		return config_load(s->config_path, NULL, 0, faults);
	c = config_unseal(fd, faults);
	close(fd);
	return c;
}

static void load_config(struct service *s)
{
	struct buf faults;
	char *program = mem_printf("posthorn/%s", s->name);

	buf_init(&faults, 1 << 20);
	s->config = take_config(s, &faults);
	if (!s->config)
		die_of_faults(s->name, &faults);
	buf_free(&faults);
	if (!log_open(program, config_string(s->config, "log_target")))
		log_warn("cannot open the log %s: %m",
			 config_string(s->config, "log_target"));
	log_set_debug(config_bool(s->config, "debug_log"));
	free(program);
}

/* Takes the next word off TEXT, or gives NULL. The words live on. */
static char *next_word(char **text)
{
	char *word;

	do
		word = strsep(text, " ");
	while (word && !*word);
	return word;
}

static bool is_packet_socket(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

static void take_listener(struct service *s, char *word)
{
	char *colon = strchr(word, ':');
	int64_t fd;

	if (!colon || !str_to_int(colon + 1, 0, 65535, &fd) ||
	    fcntl((int)fd, F_GETFD) < 0 ||
	    s->nlisteners == SERVICE_LISTENERS_MAX)
		log_die(EX_USAGE, "no such socket: %s", word);
	*colon = '\0';
	file_set_cloexec((int)fd, true);
	s->listener[s->nlisteners++] =
		(struct prefork_listener){ word, (int)fd,
					   is_packet_socket((int)fd),
					   str_starts(word, "public/") };
}

static void take_listeners(struct service *s)
{
	const char *env = getenv("POSTHORN_LISTEN");
	char *text, *word;

	if (!env) {
		usage(s->name, stderr);
		exit(EX_USAGE);
	}
	text = mem_strdup(env);
	while ((word = next_word(&text)))
		take_listener(s, word);
}

static void take_identity(struct service *s)
{
	const char *env = getenv("POSTHORN_USER");
	const char *colon = env ? strchr(env, ':') : NULL;
	int64_t uid, gid;

	s->uid = geteuid();
	s->gid = getegid();
	if (!env || !*env)
		return;
	if (!colon ||
	    !str_span_to_int(env, (size_t)(colon - env), 0, UINT32_MAX - 1,
			     &uid) ||
	    !str_to_int(colon + 1, 0, UINT32_MAX - 1, &gid))
		log_die(EX_USAGE, "POSTHORN_USER is wrong: %s", env);
	s->uid = (uid_t)uid;
	s->gid = (gid_t)gid;
}

static void take_peers(struct service *s)
{
	const char *env = getenv("POSTHORN_PEERS");
	char *text = mem_strdup(env ? env : ""), *word, *rest = text;
	int64_t uid;

	while ((word = next_word(&rest)) && s->npeers < SERVICE_PEERS_MAX)
		if (str_to_int(word, 0, UINT32_MAX - 1, &uid))
			s->peer[s->npeers++] = (unsigned)uid;
	free(text);
}

static void clear_environment(void)
{
	static const char *const names[] = {
		"POSTHORN_LISTEN", "POSTHORN_USER",  "POSTHORN_CHROOT",
		"POSTHORN_PEERS",  "POSTHORN_READY", "POSTHORN_AGAIN",
		"POSTHORN_MASTER", "POSTHORN_SEALED"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

static void find_private_folder(const struct service *s)
{
	char *dir = mem_printf("%s/private",
			       config_string(s->config, "run_directory"));

	ipc_set_dir(dir);
	free(dir);
}

void service_follow_master(void)
{
	prctl(PR_SET_PDEATHSIG, SIGINT);
}

void service_start(struct service *s, int argc, char **argv, const char *name)
{
	const char *root;

	*s = (struct service){ .name = name,
			       .config_path = CONFIG_DIR "/posthorn.conf" };
	parse_options(s, argc, argv);
	service_follow_master();
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	load_config(s);
	take_listeners(s);
	take_identity(s);
	take_peers(s);
	s->ready_fd = take_fd("POSTHORN_READY");
	log_last_words(s->ready_fd);
	s->link = (struct link){ take_fd("POSTHORN_MASTER"), -1 };
	if (s->link.fd >= 0)
		stack_tell(s->link.fd);
	root = getenv("POSTHORN_AGAIN");
	s->again = root && *root;
	root = getenv("POSTHORN_CHROOT");
	s->chroot = root && *root ? mem_strdup(root) : NULL;
	clear_environment();
	find_private_folder(s);
}

void service_confine(struct service *s, unsigned rights)
{
	if (s->chroot && geteuid() == 0) {
		sandbox_chroot(s->chroot);
		ipc_set_dir("/");
	}
	sandbox_become(s->uid, s->gid);
	service_follow_master();
	sandbox_enter(rights);
}

const struct prefork_listener *service_listener(const struct service *s,
						const char *name)
{
	for (size_t i = 0; i < s->nlisteners; i++)
		if (strcmp(s->listener[i].name, name) == 0)
			return &s->listener[i];
	return NULL;
}

void service_ready(struct service *s)
{
	if (s->ready_fd < 0)
		return;
	if (write(s->ready_fd, "ready\n", 6) < 0) {
		/* it ended before its signal reached us */
		if (errno == EPIPE)
			log_die(EX_TEMPFAIL, "master is gone");
		log_warn("cannot tell master that we are ready: %m");
	}
	log_last_words(-1);
	close(s->ready_fd);
	s->ready_fd = -1;
	if (!link_wait_for_go(&s->link)) {
		log_debug("not wanted: the reload was refused");
		exit(EX_OK);
	}
}

struct config *service_fresh_config(struct service *s)
{
	struct config *c = NULL;
	struct buf faults;

	buf_init(&faults, 1 << 20);
	if (s->link.config_fd >= 0) {
		c = config_unseal(s->link.config_fd, &faults);
		close(s->link.config_fd);
	}
	s->link.config_fd = -1;
	if (c)
		log_set_debug(config_bool(c, "debug_log"));
	else
		log_error_lines("the configuration stays as it was",
				faults.data);
	buf_free(&faults);
	return c;
}

int64_t service_patience_ms(const struct config *c)
{
	return config_seconds(c, "service_watchdog_timeout") * 1000;
}

int service_client_quarter(int max)
{
	return max < 4 ? 1 : max / 4;
}

int service_client_max(const struct config *c, int max)
{
	int64_t n = config_int(c, "smtpd_client_connection_count_limit");
	int quarter = service_client_quarter(max);

	return n < quarter ? (int)n : quarter;
}

int service_prefork(struct service *s, struct prefork *p)
{
	p->listener = s->listener;
	p->nlisteners = s->nlisteners;
	p->peer_uids = s->peer;
	p->npeers = s->npeers;
	p->link = &s->link;
	p->patience_ms = service_patience_ms(s->config);
	service_ready(s);
	return prefork_run(p);
}
