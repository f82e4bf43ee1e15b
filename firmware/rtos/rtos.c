#include "rtos.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xe000e010u)
#define SYST_RVR REGISTER(0xe000e014u)
#define SYST_CVR REGISTER(0xe000e018u)
#define ICSR REGISTER(0xe000ed04u)
#define SHPR2 REGISTER(0xe000ed1cu)
#define SHPR3 REGISTER(0xe000ed20u)

enum { PENDSVSET = 1u << 28, XPSR_T = 1u << 24, SYST_RUN = 7 /* core clock, interrupt, enable */ };
/* EXC_RETURN: thread mode, process stack, frame without FP state; the other bits tell the security state. */
enum { EXC_RETURN_THREAD = 0x1c };
/* What switch_to pops: r4-r11 and EXC_RETURN, then the hardware's frame. */
enum { SAVED_WORDS = 9, FRAME_WORDS = 8, SAVED_LR = 8, FRAME_R0 = 9, FRAME_LR = 14, FRAME_PC = 15, FRAME_XPSR = 16 };

static Task tasks[MAX_TASKS];
static uint32_t stacks[MAX_TASKS][STACK_WORDS] __attribute__((aligned(8)));
static unsigned task_count;
static Task *current;
static unsigned turn[PRIORITIES]; /* index of the task; a preempted one keeps it */
static volatile uint32_t ticks;

void SVC_Handler(void);
void PendSV_Handler(void);
void SysTick_Handler(void);

uint32_t critical_begin(void) {
    uint32_t primask;
    __asm__ volatile("mrs %0, primask\n cpsid i" : "=r"(primask)::"memory");
    return primask;
}

void critical_end(uint32_t primask) {
    __asm__ volatile("msr primask, %0\n isb" ::"r"(primask) : "memory");
}

static void request_switch(void) {
    ICSR = PENDSVSET;
    __asm__ volatile("dsb\n isb" ::: "memory");
}

static void preempt_for(const Task *task) {
    if (task->priority > current->priority) {
        ICSR = PENDSVSET;
    }
}

/* The next task that can run: of the highest priority the one whose turn it is, or the first one behind it. */
static Task *choose(void) {
    for (unsigned priority = HIGH;; priority--) {
        for (unsigned i = 0, k = turn[priority]; i < task_count; i++, k++) {
            k = k >= task_count ? 0 : k;
            if (tasks[k].priority == priority && tasks[k].waits_for == NULL && !tasks[k].sleeping) {
                turn[priority] = k;
                return &tasks[k];
            }
        }
    }
}

/* Called by the handlers below with interrupts masked: keeps the stack pointer, returns that of the next task. */
uint32_t *switch_tasks(uint32_t *sp) __attribute__((used));
uint32_t *switch_tasks(uint32_t *sp) {
    current->sp = sp;
    current = choose();
    return current->sp;
}

uint32_t *first_task(uint32_t exc_return) __attribute__((used));
uint32_t *first_task(uint32_t exc_return) {
    for (unsigned i = 0; i < task_count; i++) {
        tasks[i].sp[SAVED_LR] = exc_return | EXC_RETURN_THREAD;
    }
    current = choose();
    return current->sp;
}

#if __ARM_ARCH_ISA_THUMB == 1
#define SAVE_REGISTERS                                                                                                \
    "subs r0, #36\n mov r2, r0\n stmia r2!, {r4-r7}\n"                                                                \
    "mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n mov r3, lr\n stmia r2!, {r4-r7}\n str r3, [r2]\n"
#define RESTORE_REGISTERS                                                                                             \
    "mov r2, r0\n adds r2, #16\n ldmia r2!, {r4-r7}\n ldr r3, [r2]\n adds r2, #4\n"                                   \
    "mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n mov lr, r3\n ldmia r0!, {r4-r7}\n mov r0, r2\n"
#else
#if defined(__ARM_FP)
/* Touching s16 makes the core store s0-s15 into the space it left in the frame, when it still owes that. */
#define SAVE_FP "tst lr, #0x10\n it eq\n vstmdbeq r0!, {s16-s31}\n"
#define RESTORE_FP "tst lr, #0x10\n it eq\n vldmiaeq r0!, {s16-s31}\n"
#else
#define SAVE_FP ""
#define RESTORE_FP ""
#endif
#define SAVE_REGISTERS SAVE_FP "stmdb r0!, {r4-r11, lr}\n"
#define RESTORE_REGISTERS "ldmia r0!, {r4-r11, lr}\n" RESTORE_FP
#endif

__attribute__((naked)) void PendSV_Handler(void) {
    __asm__ volatile("mrs r0, psp\n" SAVE_REGISTERS
                     "cpsid i\n bl switch_tasks\n cpsie i\n" RESTORE_REGISTERS
                     "msr psp, r0\n bx lr\n");
}

__attribute__((naked)) void SVC_Handler(void) {
    __asm__ volatile("mov r0, lr\n bl first_task\n" RESTORE_REGISTERS "msr psp, r0\n bx lr\n");
}

void SysTick_Handler(void) {
    const uint32_t primask = critical_begin();
    ticks++;
    for (unsigned i = 0; i < task_count; i++) {
        if (tasks[i].sleeping && tasks[i].wake_tick == ticks) {
            tasks[i].sleeping = 0;
            preempt_for(&tasks[i]);
        }
    }
    critical_end(primask);
}

static void task_end(void) {
    current->waits_for = current; /* which nobody signals */
    for (;;) {
        request_switch();
    }
}

static void idle(uint32_t unused) {
    (void)unused;
    for (;;) {
        __asm__ volatile("dsb\n wfi" ::: "memory");
    }
}

void task_create(void (*entry)(uint32_t), uint32_t argument, unsigned priority) {
    Task *const task = &tasks[task_count];
    task->sp = &stacks[task_count++][STACK_WORDS - SAVED_WORDS - FRAME_WORDS - 1]; /* frame aligned to 8 */
    task->priority = task->own_priority = (uint8_t)priority;
    task->sp[FRAME_R0] = argument;
    task->sp[FRAME_LR] = (uint32_t)task_end;
    task->sp[FRAME_PC] = (uint32_t)entry & ~1u;
    task->sp[FRAME_XPSR] = XPSR_T;
}

void rtos_start(uint32_t clocks_per_tick) {
    task_create(idle, 0, IDLE);
    SHPR2 = 0x80u << 24;                  /* SVCall above both: it must be taken */
    SHPR3 = (0xc0u << 24) | (0xc0u << 16); /* SysTick and PendSV lowest */
    SYST_RVR = clocks_per_tick - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_RUN;
    __asm__ volatile("dsb\n isb\n svc 0" ::: "memory");
    for (;;) {
    }
}

void task_yield(void) {
    const uint32_t primask = critical_begin();
    turn[current->priority] = (unsigned)(current - tasks) + 1;
    critical_end(primask);
    request_switch();
}

uint32_t tick_count(void) {
    return ticks;
}

void delay(uint32_t count) {
    const uint32_t primask = critical_begin();
    delay_until(ticks + count);
    critical_end(primask);
}

void delay_until(uint32_t tick) {
    const uint32_t primask = critical_begin();
    if ((int32_t)(tick - ticks) > 0) {
        current->wake_tick = tick;
        current->sleeping = 1;
        request_switch();
    }
    critical_end(primask);
}

/* With interrupts masked: lets others run until `object` is signalled. The switch happens where the mask goes. */
static void wait_for(const void *object) {
    current->waits_for = object;
    request_switch();
    critical_end(0);
    (void)critical_begin();
}

static void signal(const void *object) {
    for (unsigned i = 0; i < task_count; i++) {
        if (tasks[i].waits_for == object) {
            tasks[i].waits_for = NULL;
            preempt_for(&tasks[i]);
        }
    }
}

void queue_send(Queue *queue, uint32_t item) {
    const uint32_t size = sizeof queue->items / sizeof queue->items[0];
    const uint32_t primask = critical_begin();
    while (queue->count == size) {
        wait_for(queue);
    }
    queue->items[(queue->head + queue->count++) & (size - 1)] = item;
    signal(queue);
    critical_end(primask);
}

uint32_t queue_receive(Queue *queue) {
    const uint32_t size = sizeof queue->items / sizeof queue->items[0];
    const uint32_t primask = critical_begin();
    while (queue->count == 0) {
        wait_for(queue);
    }
    const uint32_t item = queue->items[queue->head];
    queue->head = (queue->head + 1) & (size - 1);
    queue->count--;
    signal(queue);
    critical_end(primask);
    return item;
}

void mutex_lock(Mutex *mutex) {
    const uint32_t primask = critical_begin();
    while (mutex->owner != NULL) {
        if (mutex->owner->priority < current->priority) {
            mutex->owner->priority = current->priority;
        }
        wait_for(mutex);
    }
    mutex->owner = current;
    critical_end(primask);
}

void mutex_unlock(Mutex *mutex) {
    const uint32_t primask = critical_begin();
    mutex->owner = NULL;
    current->priority = current->own_priority;
    signal(mutex);
    critical_end(primask);
}
