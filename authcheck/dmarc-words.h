/* The words of DMARC policies. */
#ifndef AUTHCHECK_DMARC_WORDS_H
#define AUTHCHECK_DMARC_WORDS_H

static inline const char *dmarc_policy_word(int p)
{
	static const char *const words[] = { "none", "quarantine", "reject" };

	return words[p];
}

#endif
