"""Layer 4: everything that touches files, the emulator and the host."""
