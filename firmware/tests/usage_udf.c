/* Runs into a permanently undefined instruction: main -> abort_here. */
__attribute__((noipa)) void abort_here(void) {
    __asm__ volatile("udf #42");
}

int main(void) {
    abort_here();
    return 0;
}
