"""The layers of an image in words: how large they are, what made them, and what they brought."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from envsync.model import ImageSource, Snapshot
from envsync.redaction import printable
from envsync.reference import Digest

_BUILDKIT = " # buildkit"
_NO_RUN = "/bin/sh -c #(nop) "
_SHELL = "/bin/sh -c "
_SHOWN = 200
"""Characters of an instruction."""


class Brought(Struct, frozen=True, kw_only=True):
    """One layer."""

    number: int
    """From 1, the lowest."""
    diff_id: Digest
    size: int | None
    """Bytes, uncompressed; ``None``: not known."""
    command: str | None
    """The instruction that made it."""
    distributions: tuple[str, ...]
    """``name version`` of what has its metadata in this layer, in any interpreter."""
    conda_packages: tuple[str, ...]

    @property
    def label(self) -> str:
        """``layer 2, sha256:0123456789ab, 12.3 MB``."""
        size = f", {megabytes(self.size)}" if self.size is not None else ""
        return f"layer {self.number}, {self.diff_id.short}{size}"


def layers_of(snapshot: Snapshot) -> tuple[Brought, ...]:
    """The layers of an image, lowest first; of anything else, none."""
    source = snapshot.source
    if not isinstance(source, ImageSource):
        return ()
    distributions: dict[Digest | None, dict[str, None]] = {}
    for interpreter in snapshot.interpreters:
        for one in interpreter.distributions:
            distributions.setdefault(one.layer, {})[f"{one.name} {one.version}"] = None
    packages: dict[Digest | None, dict[str, None]] = {}
    for environment in snapshot.conda:
        for package in environment.packages:
            packages.setdefault(package.layer, {})[f"{package.name} {package.version}"] = None
    known = len(source.layers)
    sizes = source.layer_sizes if len(source.layer_sizes) == known else (None,) * known
    commands = source.layer_commands if len(source.layer_commands) == known else ("",) * known
    return tuple(
        Brought(
            number=number,
            diff_id=diff_id,
            size=size,
            command=command or None,
            # A layer may be there twice, the same bytes: what is in it counts once.
            distributions=tuple(sorted(distributions.pop(diff_id, ()), key=str.lower)),
            conda_packages=tuple(sorted(packages.pop(diff_id, ()), key=str.lower)),
        )
        for number, (diff_id, size, command) in enumerate(zip(source.layers, sizes, commands, strict=True), start=1)
    )


def megabytes(size: int) -> str:
    """``12.3 MB``, in millions of bytes; of what is small, ``4.6 kB``."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def instruction(command: str) -> str:
    """A command of the history as the Dockerfile had it, more or less."""
    text = printable(command).removesuffix(_BUILDKIT)
    if text.startswith(_NO_RUN):
        text = text.removeprefix(_NO_RUN).strip()
    elif text.startswith((_SHELL, f"RUN {_SHELL}")):
        text = f"RUN {text.removeprefix('RUN ').removeprefix(_SHELL)}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def brought_counts(layer: Brought) -> Iterator[str]:
    """How much a layer brought, by kind."""
    for several, noun in ((layer.conda_packages, "conda package"), (layer.distributions, "distribution")):
        if several:
            yield f"{len(several)} {noun}{'' if len(several) == 1 else 's'}"
