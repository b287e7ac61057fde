/* The stack of a process that is ended since it hangs. */
#ifndef SERVER_STACK_H
#define SERVER_STACK_H

/* From now on SIGABRT has this process, not its children, write its stack to
 * FD, a line a frame, before it ends. Nothing where the C library has no
 * backtrace(3). */
void stack_tell(int fd);

#endif
