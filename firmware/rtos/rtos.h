/* A small preemptive scheduler: two priorities and an idle task, a bounded queue, a mutex that lends its owner the
   priority of who waits for it, and delays in ticks of SysTick. Tasks run privileged, each on a process stack of its
   own. Tasks of one priority take turns where they block or yield; time slices there are none. */
#ifndef RTOS_H
#define RTOS_H

#include <stddef.h>
#include <stdint.h>

enum { IDLE, LOW, HIGH, PRIORITIES };
enum { MAX_TASKS = 10, STACK_WORDS = 256 };

typedef struct {
    uint32_t *sp; /* must come first: saved process stack pointer while another task runs */
    const void *waits_for;
    uint32_t wake_tick;
    uint8_t priority, own_priority;
    uint8_t sleeping;
} Task;

typedef struct {
    uint32_t items[4];
    uint32_t head, count;
} Queue;

typedef struct {
    Task *owner;
} Mutex;

/* Before rtos_start: a task that will run `entry(argument)`; a task whose entry returns never runs again. */
void task_create(void (*entry)(uint32_t), uint32_t argument, unsigned priority);

/* Runs the tasks; never returns. A tick lasts `clocks_per_tick` core clocks. */
void rtos_start(uint32_t clocks_per_tick) __attribute__((noreturn));

void task_yield(void);

uint32_t tick_count(void);

void delay(uint32_t ticks);

/* Sleeps until the tick count is `tick`; returns at once when that is past. */
void delay_until(uint32_t tick);

void queue_send(Queue *queue, uint32_t item);

uint32_t queue_receive(Queue *queue);

void mutex_lock(Mutex *mutex);

void mutex_unlock(Mutex *mutex);

/* Masks interrupts and returns what PRIMASK was, for critical_end. */
uint32_t critical_begin(void);

void critical_end(uint32_t primask);

#endif
