"""Layer 5: the command line, the only place that prints and sets exit codes."""
