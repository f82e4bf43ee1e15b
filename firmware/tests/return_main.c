/* Built with NO_SEMIHOST_EXIT: main returns 7 and the startup code idles. */
int main(void) {
    return 7;
}
