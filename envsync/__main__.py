"""``python -m envsync``."""

from envsync.cli import main

if __name__ == "__main__":
    main()
