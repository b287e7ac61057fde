/* The stack of a process that is killed because it hangs. */
#ifndef SERVER_STACK_H
#define SERVER_STACK_H

/* From now on, on SIGABRT this process, but not its children, writes its stack
 * to FD, one line per frame, before it ends. Does nothing if the C library has
 * no backtrace(3). */
void stack_tell(int fd);

#endif
