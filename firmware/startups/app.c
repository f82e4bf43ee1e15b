/* What every board does, once its source has started the chip: a computation between two edges of a pin, a delay, ten
   timer interrupts slept through, what the chip has besides, and an echo of one line. Exits through semihosting; built
   with -DIDLE_END it sleeps in a loop for good instead. */
#include "check.h"
#include "semihost.h"
#include "startup.h"

enum { DELAY_MS = 10, ECHO_TIMEOUT_MS = 20, LINE_BYTES = 40 };

KERNEL uint32_t compute(uint32_t seed) {
    uint32_t sum = 0;
    for (int i = 0; i < 256; i++) {
        sum = sum * 31u + (next_random(&seed) & 0xffu);
    }
    return sum;
}

static void echo(void) {
    char line[LINE_BYTES];
    say("? ");
    if (read_line(line, sizeof line, ECHO_TIMEOUT_MS) < 0) {
        say("nothing typed\n");
        return;
    }
    say("you typed '");
    say(line);
    say("'\n");
}

int main(void) {
    systick_start(board.reset_hz);
    board_clock_start();
    systick_start(board_clock_hz());
    board_console_start();
    say(board.name);
    say_number(" at ", board_clock_hz(), " Hz\n");

    board_pin(1);
    const uint32_t sum = compute(1);
    board_pin(0);
    say_hex("computed ", sum, "\n");

    const uint32_t before = HAL_GetTick();
    board_pin(1);
    HAL_Delay(DELAY_MS);
    board_pin(0);
    say_number("delay of 10 ms: ", HAL_GetTick() - before, " ticks\n");

    board_pin(1);
    wait_for_timer(TIMER_INTERRUPTS);
    board_timer_stop();
    board_pin(0);
    say_number("timer: ", TIMER_INTERRUPTS, " interrupts\n");

    board_more();
    echo();
    say("done\n");
#ifdef IDLE_END
    for (;;) {
        __asm__ volatile("wfi");
    }
#endif
    return 0;
}
