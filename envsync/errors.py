"""What can go wrong, one class a stage, all under :class:`EnvsyncError`.

A message says *where: what (expected what)*; ``hint`` is the next step that a user can take.
"""

from __future__ import annotations


class EnvsyncError(Exception):
    """The request could not be carried out (exit code 2)."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EnvsyncError):
    """What the user typed, or keeps in ``pyproject.toml``, cannot be meant."""


class ReferenceSyntaxError(UsageError):
    """An image reference, digest or platform that does not follow its grammar."""


class ImageError(EnvsyncError):
    """An image that cannot be found, opened or trusted."""


class CorruptImageError(ImageError):
    """Bytes of an image that are truncated, malformed or do not match their digest."""


class EngineError(ImageError):
    """The container engine is absent, refuses, or failed at what it was asked."""


class RegistryError(ImageError):
    """A registry is out of reach, refuses, or does not keep to its protocol."""


class NoPythonError(EnvsyncError):
    """The image, or the local path, holds no Python that can be described."""


class ProbeError(EnvsyncError):
    """Asking a running container failed: it hangs, does not start, or answers nonsense."""


class DisagreementError(EnvsyncError):
    """Running and reading an image gave two different snapshots."""


class LockError(EnvsyncError):
    """A lock directory that is damaged, of a newer schema, ambiguous or cannot be written."""


class UnsafeValueError(LockError):
    """A name or version from an image that could inject into a requirements file."""


class PackageIndexError(EnvsyncError):
    """A package index, or a file of one, that is out of reach, refuses, or is not what it should be."""


class SolveError(EnvsyncError):
    """No conda packages could be chosen for a platform."""


class UnsatisfiableError(SolveError):
    """What was asked for cannot be had together there."""


class BuildError(EnvsyncError):
    """The local environment could not be made; what was there before is untouched.

    ``output`` holds the last lines of what uv, pip or a build printed, without credentials.
    """

    def __init__(self, message: str, *, output: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = output


class UnreachableError(BuildError):
    """An index, or what it names, is out of reach while an environment is made."""


class InterpreterNotFoundError(BuildError):
    """No interpreter on this machine fits the lock."""


class CommandError(EnvsyncError):
    """A subprocess failed.

    ``output`` holds its last lines, without credentials.
    """

    def __init__(self, message: str, *, output: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = output


class WheelhouseError(EnvsyncError):
    """Wheels repacked from an image that cannot be kept."""
