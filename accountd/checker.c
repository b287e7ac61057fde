#include "accountd/checker.h"

#include <crypt.h>
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/heartbeat.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"

#define SERVICE "posthorn" /* file in /etc/pam.d */
#define SEND_MS 10000
#define PAM_MS 60000 /* after this nobody waits for the answer any more */

static const char *check_crypt(const struct ipc_in *q)
{
	const char *hash = ipc_text(q, "hash");
	struct crypt_data *data = mem_alloc(sizeof(*data));
	const char *got = crypt_r(ipc_text(q, "password"), hash, data);
	const char *answer = "wrong";

	if (!got || *got == '*') {
		/* crypt(5): so it says that it does not know the method */
		log_error("crypt(3) cannot check a hash that begins with "
			  "%.4s",
			  hash);
		answer = "temp";
	} else if (strlen(got) == strlen(hash) &&
		   !mem_differ(got, hash, strlen(hash))) {
		answer = "right";
	}
	mem_wipe(data, sizeof(*data));
	free(data);
	return answer;
}

/* Answers PAM's modules: the password if they ask without echo, the name if
 * with echo. Their messages are dropped. */
static int converse(int n, const struct pam_message **m,
		    struct pam_response **response, void *context)
{
	const struct ipc_in *q = context;
	struct pam_response *r;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	r = mem_array((size_t)n, sizeof(*r));
	for (int i = 0; i < n; i++) {
		if (m[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = mem_strdup(ipc_text(q, "password"));
		else if (m[i]->msg_style == PAM_PROMPT_ECHO_ON)
			r[i].resp = mem_strdup(ipc_text(q, "user"));
	}
	*response = r;
	return PAM_SUCCESS;
}

/* accountd itself slows down guessing. */
static void no_delay(int status, unsigned usec, void *context)
{
	(void)status;
	(void)usec;
	(void)context;
}

static bool is_no(int status)
{
	return status == PAM_AUTH_ERR || status == PAM_USER_UNKNOWN ||
	       status == PAM_MAXTRIES || status == PAM_PERM_DENIED ||
	       status == PAM_ACCT_EXPIRED || status == PAM_NEW_AUTHTOK_REQD ||
	       status == PAM_CRED_INSUFFICIENT;
}

static const char *check_pam(struct ipc_in *q)
{
	struct pam_conv conv = { converse, q };
	const char *user = ipc_text(q, "user"), *client = ipc_text(q, "client");
	pam_handle_t *pam = NULL;
	int status = pam_start(SERVICE, user, &conv, &pam);
	union {
		void (*call)(int, unsigned, void *);
		const void *item;
	} delay = { no_delay };

	heartbeat_long(PAM_MS);
	if (status == PAM_SUCCESS) {
		pam_set_item(pam, PAM_RHOST, client);
		pam_set_item(pam, PAM_FAIL_DELAY, delay.item);
		status = pam_authenticate(
			pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (status == PAM_SUCCESS)
		status = pam_acct_mgmt(pam, PAM_SILENT);
	if (status != PAM_SUCCESS && !is_no(status))
		log_error("PAM cannot check %s: %s", user,
			  pam_strerror(pam, status));
	if (pam)
		pam_end(pam, status);
	if (status == PAM_SUCCESS)
		return "right";
	return is_no(status) ? "wrong" : "temp";
}

static const char *check(struct ipc_in *q)
{
	if (ipc_is(q, "crypt"))
		return check_crypt(q);
	return ipc_is(q, "pam") ? check_pam(q) : NULL;
}

static bool answer(void *context, struct ipc_in *q, int fd)
{
	struct ipc_out a = { .ready = false };
	const char *verb = check(q);
	bool good = verb != NULL;

	(void)context;
	mem_wipe(q->data, q->len);
	if (verb) {
		ipc_begin(&a, verb);
		good = ipc_send(fd, &a, SEND_MS) == ERR_OK;
	}
	ipc_out_free(&a);
	return good;
}

bool checker_serve(void *context, const struct prefork_listener *listener,
		   int fd)
{
	(void)listener;
	prefork_packets(fd, -1, answer, context);
	return true;
}
