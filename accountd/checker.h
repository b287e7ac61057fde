/* Within a checker: the check itself. */
#ifndef ACCOUNTD_CHECKER_H
#define ACCOUNTD_CHECKER_H

#include "server/prefork.h"

/* Serves one connection of the loop until it closes: packets `crypt` hash
 * password and `pam` user client password, answered by `right`, `wrong` or
 * `temp`. For prefork. */
bool checker_serve(void *context, const struct prefork_listener *listener,
		   int fd);

#endif
