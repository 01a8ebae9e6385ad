"""The command line: the only package that parses arguments, prints, or exits."""


def main() -> None:
    """Run ``envsync``."""
