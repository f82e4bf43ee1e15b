"""From a graph to C: one call per operator, with its constants and parameters computed here."""
