"""Recordings of current, voltage and power: one module per format, each yielding samples or finished results."""
