"""``python -m vtarget``."""

from vtarget.app.cli import main

if __name__ == "__main__":
    main()
