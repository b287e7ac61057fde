/*
 * The two texts of MTA-STS (RFC 8461): the TXT record that says that there is
 * a policy, and the policy itself. Both are untrusted: bounded, and ignored as
 * a whole if they are malformed.
 */
#ifndef REMOTE_SEND_TLS_POLICY_TEXT_H
#define REMOTE_SEND_TLS_POLICY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "client/policy.h"

#define STS_ID_SIZE 33	     /* RFC 8461 section 3.1 */
#define STS_AGE_MAX 31557600 /* RFC 8461 section 3.2 */
#define STS_POLICY_MAX 65536 /* RFC 8461 section 3.3 advises 64 KB */
#define STS_MX_MAX 100

struct sts_policy {
	enum policy_mode mode;
	int64_t max_age;   /* seconds */
	struct strlist mx; /* patterns, lower case */
};

/* Is TEXT an MTA-STS record at all? Others at the same name do not count. */
bool sts_is_record(const char *text);

/* Takes the id of the record into ID, STS_ID_SIZE bytes; false if the record
 * is malformed. */
bool sts_record_id(const char *text, char *id);

/* Reads the policy of N bytes; false if it is malformed. strlist_free its mx
 * in either case. */
bool sts_policy_parse(const char *text, size_t n, struct sts_policy *p);

#endif
