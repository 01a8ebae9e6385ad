"""``python -m bench.scanning with|without WORDS``: envsync with these words.

``without``: no ELF file is looked into, nothing that only tells what an environment needs of the system is read, and it
is not found out.
"""

from __future__ import annotations

import sys


def main() -> None:
    from envsync import gather
    from envsync.catalog import native, owners, resources
    from envsync.cli import main as envsync

    how, *words = sys.argv[1:]
    if how == "without":
        native.is_native = lambda _: False
        native.PATTERNS = owners.PATTERNS = resources.PATTERNS = ()
        gather.find_needs = lambda *_: (None, ())
    sys.argv = ["envsync", *words]
    envsync()


if __name__ == "__main__":
    main()
