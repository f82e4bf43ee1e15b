"""Layer 1: errors, units and strict YAML; imports nothing else of vtarget."""
