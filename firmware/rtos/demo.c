/* What the scheduler is shown to do, as a log that depends on neither the core nor its speed: every event is ordered by
   a queue, a mutex, a priority or the number of a tick, never by how long something took. Exits with 0 if the log's
   CRC-32 is the one below. */
#include "check.h"
#include "print.h"
#include "rtos.h"
#include "semihost.h"

#ifndef CLOCKS_PER_TICK
#define CLOCKS_PER_TICK 25000u
#endif

enum { LOG_BYTES = 2048, ROUNDS = 20 };

#define LOG_CRC 0xcf975fbfu

static char log_text[LOG_BYTES];
static uint32_t log_length;

static void append(const char *text) {
    while (*text != 0 && log_length < LOG_BYTES - 1) {
        log_text[log_length++] = *text++;
    }
}

static void log_event(const char *name, uint32_t value) {
    static const char digits[] = "0123456789abcdef";
    char number[11] = " ";
    unsigned length = 1;
    for (int shift = 28; shift >= 0; shift -= 4) {
        if (length > 1 || shift == 0 || value >> shift != 0) {
            number[length++] = digits[(value >> shift) & 15u];
        }
    }
    number[length] = '\n';
    const uint32_t primask = critical_begin();
    append(name);
    append(number);
    critical_end(primask);
}

/* Sixteen sums at a time, so that most FP registers are live whenever another task comes in between. */
static KERNEL uint32_t float_work(uint32_t seed) {
    float sums[16];
    const float step = (float)seed * 0.0625f;
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        sums[i] = step + (float)i;
    }
    for (int n = 0; n < 40; n++) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            sums[i] = sums[i] * 0.75f + step;
        }
    }
    uint32_t bits = 0;
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        union {
            float value;
            uint32_t bits;
        } sum = {sums[i]};
        bits = bits * 31u + sum.bits;
    }
    return bits;
}

static Queue to_high, to_low, done;
static Mutex mutex;
static volatile int ticker_ended;

/* 1: a receiver of high priority takes every item at once; a sender of high priority fills the queue and waits. */
static void high_receiver(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        log_event("  received", queue_receive(&to_high));
    }
    queue_send(&done, 1);
}

static void high_sender(uint32_t count) {
    (void)queue_receive(&to_low); /* the start signal */
    for (uint32_t i = 0; i < count; i++) {
        queue_send(&to_low, i);
        log_event("sent", i);
    }
    queue_send(&done, 2);
}

static void queues(void) {
    for (uint32_t i = 0; i < 3; i++) {
        log_event("send", i);
        queue_send(&to_high, i);
    }
    log_event("ended", queue_receive(&done));
    queue_send(&to_low, 0);
    for (uint32_t i = 0; i < 7; i++) {
        log_event("  take", queue_receive(&to_low));
    }
    log_event("ended", queue_receive(&done));
}

/* 2: the low owner of the mutex yields to its equal, until a task of high priority waits for the mutex. */
static Queue mutex_start, equal_start;

static void high_locker(uint32_t unused) {
    (void)unused;
    (void)queue_receive(&mutex_start);
    log_event("high wants mutex", 0);
    mutex_lock(&mutex);
    log_event("high has mutex", 0);
    mutex_unlock(&mutex);
    queue_send(&done, 3);
}

static void low_equal(uint32_t rounds) {
    (void)queue_receive(&equal_start);
    for (uint32_t i = 0; i < rounds; i++) {
        log_event("equal runs", i);
        task_yield();
    }
    queue_send(&done, 4);
}

static void priority_inheritance(void) {
    mutex_lock(&mutex);
    queue_send(&equal_start, 0);
    for (uint32_t i = 0; i < 2; i++) {
        log_event("owner runs", i);
        task_yield();
    }
    queue_send(&mutex_start, 0);
    for (uint32_t i = 2; i < 5; i++) {
        log_event("owner runs lent", i);
        task_yield();
    }
    mutex_unlock(&mutex);
    log_event("owner is low again", 0);
    log_event("ended", queue_receive(&done));
    log_event("ended", queue_receive(&done));
}

/* 3: sleepers wake in the order of their ticks; meanwhile nothing runs but the idle task. */
static Queue sleeper_start[3];

static void sleeper(uint32_t index) {
    const uint32_t base = queue_receive(&sleeper_start[index]);
    const uint32_t tick = base + 3 * ((index + 1) % 3);
    delay_until(tick);
    log_event("woke at tick", tick_count() - base);
    queue_send(&done, 5);
}

static void sleepers(void) {
    const uint32_t base = tick_count() + 30; /* ample time to fall asleep */
    for (uint32_t i = 0; i < 3; i++) {
        queue_send(&sleeper_start[i], base);
    }
    for (uint32_t i = 0; i < 3; i++) {
        log_event("ended", queue_receive(&done));
    }
}

/* 4: SysTick lets a task of high priority compute in the middle of this one's sums. */
static Queue ticker_start;

static void ticker(uint32_t rounds) {
    (void)queue_receive(&ticker_start);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < rounds; i++) {
        delay(1);
        sum = sum * 31u + float_work(i + 2);
    }
    log_event("sums of ticker", sum);
    ticker_ended = 1;
    queue_send(&done, 6);
}

static void floating_point(void) {
    const uint32_t expected = float_work(1);
    uint32_t wrong = 0;
    queue_send(&ticker_start, 0);
    while (!ticker_ended) {
        wrong += float_work(1) != expected;
    }
    log_event("sums of low", expected);
    log_event("wrong sums", wrong);
    log_event("ended", queue_receive(&done));
}

static void director(uint32_t unused) {
    (void)unused;
    queues();
    priority_inheritance();
    sleepers();
    floating_point();
    print_text(log_text);
    semihost_exit(check_output("log", log_text, log_length, LOG_CRC));
}

int main(void) {
    task_create(high_receiver, 3, HIGH);
    task_create(high_sender, 7, HIGH);
    task_create(high_locker, 0, HIGH);
    task_create(ticker, ROUNDS, HIGH);
    for (uint32_t i = 0; i < 3; i++) {
        task_create(sleeper, i, HIGH);
    }
    task_create(low_equal, 5, LOW);
    task_create(director, 0, LOW);
    rtos_start(CLOCKS_PER_TICK);
}
