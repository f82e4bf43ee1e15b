"""Probes: what reaches a real board. One interface, through GDB servers and through pyOCD."""
