/* Built with NO_FPU_ENABLE: the first floating-point instruction faults. */
__attribute__((noipa)) float add(float a, float b) {
    return a + b;
}

int main(void) {
    return (int)add(1.0f, 2.0f);
}
