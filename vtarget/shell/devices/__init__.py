"""Device models: one file per device or family, written from the reference manuals."""
