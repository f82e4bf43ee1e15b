"""vtarget: a virtual Cortex-M target that prices firmware in cycles, time, energy and bytes."""

__version__ = "0.1.0"
