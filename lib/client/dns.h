/*
 * Questions to the resolver. Blocking, with a deadline, unless it is said
 * otherwise. Names are given and
 * come back in ASCII form, lower case, without the final dot.
 */
#ifndef CLIENT_DNS_H
#define CLIENT_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define DNS_RECORDS_MAX 2000 /* an answer with more is DNS_TEMP */

enum dns_status {
	DNS_FOUND,	/* at least one record */
	DNS_NO_DATA,	/* the name exists, without such records */
	DNS_NO_NAME,	/* NXDOMAIN */
	DNS_TEMP,	/* SERVFAIL, time-out, bogus, resolver away */
};

enum dns_security { DNS_INSECURE, DNS_SECURE, DNS_BOGUS };

struct dns_record {
	/* Text by type. A, AAAA: the address; CNAME, PTR, NS: the name;
	 * MX: the host ("." stays "."); TXT: the strings joined (bytes, NUL
	 * replaced by '?'); TLSA: "usage selector matching hex". */
	const char *text;
	unsigned preference;	/* MX only */
};

struct dns_answer {
	enum dns_status status;
	enum dns_security security;
	uint32_t ttl;
	const char *canonical;	/* the name after CNAMEs, or the question's */
	const char *why;	/* DNS_TEMP: what went wrong, for the log */
	bool away;		/* DNS_TEMP: the resolver was not available */
	struct dns_record *record;
	size_t n;
};

/* Asks for NAME, TYPE ("A", "AAAA", "MX", "TXT", "CNAME", "PTR", "TLSA",
 * "NS"). The answer's memory comes from A. At most MS milliseconds. An
 * answer always comes: if the resolver cannot be reached it is DNS_TEMP. */
struct dns_answer *dns_query(struct arena *a, const char *name,
			     const char *type, int64_t ms);

/* One of several questions asked at once. */
#define DNS_QUESTIONS_MAX 32

struct dns_question {
	const char *name;
	const char *type;
	int64_t ms;		   /* its own time limit */
	struct dns_answer *answer; /* always set afterwards */
};

/* Asks all N, at most DNS_QUESTIONS_MAX, at once: it takes as long as the
 * slowest, or its time limit. GIVE_UP, unless NULL, is called now and then; if
 * it gives true, all questions still open end with DNS_TEMP. */
void dns_query_all(struct arena *a, struct dns_question *q, size_t n,
		   bool (*give_up)(void *context), void *context);

/* How long to wait for an answer: MS, or until GIVE_UP, as above. */
struct dns_patience {
	int64_t ms;
	bool (*give_up)(void *context);
	void *context;
};

/* dns_query within these limits. */
struct dns_answer *dns_query_within(struct arena *a, const char *name,
				    const char *type,
				    const struct dns_patience *p);

/* The same for event loops, which never wait: asks on a connection of its own and
 * gives the socket, which becomes readable with the answer; -1, with a cause, if
 * the resolver cannot be asked now. */
int dns_query_begin(const char *name, const char *type);

/* Takes the answer to that question from SOCK, and closes it. */
struct dns_answer *dns_query_end(struct arena *a, int sock, const char *name,
				 const char *type);

/* The name of an IP address for PTR questions ("4.3.2.1.in-addr.arpa");
 * false if IP is not an address. */
bool dns_reverse_name(const char *ip, char *out, size_t size);

/* The verified host name of a client's IP address: a PTR whose A or AAAA leads
 * back (at most 5 names are tried). In memory from A, or NULL if there is
 * none; *TEMP tells whether the reason for that is temporary. */
const char *dns_client_name(struct arena *a, const char *ip,
			    const struct dns_patience *p, bool *temp);

#endif
