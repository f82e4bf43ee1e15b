"""Layer 3: pure functions from data to data; no input, no output, no emulator."""
