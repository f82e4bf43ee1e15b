/* Ends as firmware without semihosting does: in a loop of one branch to itself. */
int main(void) {
    __asm__ volatile("idle_loop: b idle_loop");
    return 0;
}
