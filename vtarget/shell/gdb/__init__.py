"""A debug server: the GDB remote serial protocol over a socket, in front of a running machine."""
