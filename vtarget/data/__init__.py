"""Layer 2: frozen values (board, core, image, record, profile) without behaviour beyond look-ups."""
