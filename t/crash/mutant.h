/* Is this program mutant NUMBER? See t/crash/mutants.py. */
#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

#include <stdbool.h>

bool mutant_is(int number);

/* The condition X, or its contrary. */
#define mutant_turns(number, x) (!!(x) != mutant_is(number))

#endif
