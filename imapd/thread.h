/*
 * THREAD (RFC 5256): messages as trees, by what they refer to or by their
 * subjects.
 */
#ifndef IMAPD_THREAD_H
#define IMAPD_THREAD_H

#include "base/map.h"
#include "imapd/args.h"
#include "imapd/session.h"
#include "mime/field.h"

struct thread_node {
	struct thread_node *parent; /* NULL: at the top */
	struct thread_node *child;  /* the first one */
	struct thread_node *last;   /* child */
	struct thread_node *next;   /* sibling */
	struct thread_node *root;   /* of its thread, where it was asked for */
	uint32_t seq;  /* 0: a message that others refer to and is not here */
	bool referred; /* it had a child once */
	int64_t date;
	const char *subject; /* the field's value, or NULL */
};

struct thread {
	struct session *s;
	const struct thread_algorithm *by;
	struct thread_node **message; /* in their order of arrival, later by
				       * date */
	size_t n;
	struct thread_node top; /* its children are the threads */
	struct map *ids;	/* message identifiers to nodes */
	struct buf id;		/* work space */
	struct buf text;
};

/* A row of what the client can ask for. FINISH makes the trees below t->top
 * from all messages added. */
struct thread_algorithm {
	const char *name;
	void (*add)(struct thread *t, uint32_t seq);
	void (*finish)(struct thread *t);
};

/* The algorithm that A names, or NULL. */
const struct thread_algorithm *thread_find(const struct arg *a);

/* For at most MAX messages; nodes live as long as the command. */
struct thread *thread_new(struct session *s, const struct thread_algorithm *by,
			  size_t max);
void thread_free(struct thread **t);

/* A new node, and appending one to the children of PARENT. */
struct thread_node *thread_node(struct thread *t, uint32_t seq);
void thread_append(struct thread_node *parent, struct thread_node *node);

enum {
	THREAD_DATE,
	THREAD_SUBJECT,
	THREAD_MESSAGE_ID,
	THREAD_REFERENCES,
	THREAD_IN_REPLY_TO,
	THREAD_FIELDS
};

/* The first of each field of the message SEQ; valid until the next one is
 * asked for. What is missing, or cannot be read, has no `raw`. */
void thread_find_fields(struct thread *t, uint32_t seq,
			struct mime_field found[THREAD_FIELDS]);

/* NODE becomes a message with the subject and date of F. */
void thread_take(struct thread *t, struct thread_node *node,
		 const struct mime_field f[THREAD_FIELDS]);

/* Sorts t->message by date. */
void thread_sort(struct thread *t);

/* Puts the base subject of NODE as it collates into t->text. Is it that of an
 * answer, or forwarded? */
bool thread_base_subject(struct thread *t, const struct thread_node *node);

/* REFERENCES and REFS. */
void thread_add_references(struct thread *t, uint32_t seq);
void thread_finish_references(struct thread *t);
void thread_finish_refs(struct thread *t);

/* Step 5 of REFERENCES: threads with the same subject become one. Gives
 * whether parents changed. */
bool thread_merge_subjects(struct thread *t);

/* ORDEREDSUBJECT. */
void thread_add_subject(struct thread *t, uint32_t seq);
void thread_finish_subject(struct thread *t);

#endif
