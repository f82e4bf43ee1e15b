/* Functions whose instructions are countable by hand: the body is the assembly given and nothing else. */
#ifndef EXACT_H
#define EXACT_H

#define EXACT __attribute__((naked, noinline, used))

#endif
