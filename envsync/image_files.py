"""The files of the image that a lock is of, for whoever needs more of it than the lock tells."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import PurePosixPath
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

from msgspec.structs import replace

from envsync.build.python.source import ImageFiles, OpenImage
from envsync.errors import EngineError, ImageError
from envsync.model import ImageSource, Snapshot
from envsync.pull_options import Progress, PullOptions
from envsync.reference import ArchiveFile, ImageName, LayoutFolder, NamedImage, Reference

if TYPE_CHECKING:
    from envsync.image.engine import Engine
    from envsync.image.protocol import ConfigFile, Image
    from envsync.rootfs import Rootfs


def opener(lock: Snapshot, reference: Reference, options: PullOptions, progress: Progress) -> OpenImage | None:
    """What opens the image of a lock; ``None`` where the lock is of no image."""
    if not isinstance(lock.source, ImageSource):
        return None
    platform = options.platform or lock.platform
    return partial(open_image_files, reference, replace(options, platform=platform), progress, lock.source)


@contextmanager
def open_image_files(
    reference: Reference, options: PullOptions, progress: Progress, source: ImageSource
) -> Iterator[ImageFiles]:
    """The files of the image that ``source`` is, from the engine, a registry or an archive; nothing of it is run.

    Raises:
        ImageError: it cannot be had, or is another one by now.
    """
    from envsync.image_tree import read_tree

    with _opened(reference, options, progress, source) as image:
        progress.step(f"reading {reference}: {len(image.layers)} layers")
        tree = read_tree(image, options.cache, progress.layer)
        yield ImageFiles(tree=tree, extract=partial(_extract, tree))


@contextmanager
def _opened(reference: Reference, options: PullOptions, progress: Progress, source: ImageSource) -> Iterator[Image]:
    match reference:
        case ArchiveFile() | LayoutFolder():
            from envsync.take import opened_files

            with opened_files(reference, options.platform) as image:
                yield _same(image, reference, source)
        case NamedImage(transport=transport, name=name):
            with ExitStack() as stack:
                held: Image | None = None
                if transport != "registry":
                    held = _from_engine(name, options, progress, source, stack, must=transport == "docker")
                yield held or _from_registry(name, options, progress, source, stack)


def _from_engine(
    name: ImageName,
    options: PullOptions,
    progress: Progress,
    source: ImageSource,
    stack: ExitStack,
    *,
    must: bool,
) -> Image | None:
    """``None`` where the engine does not hold it, unless it ``must``."""
    from envsync.image.archive import open_saved
    from envsync.image.engine import connect, may_run

    if not must and not may_run():
        return None
    try:
        from envsync.take import ENGINE_PATIENCE

        engine: Engine = connect() if must else connect(timeout=ENGINE_PATIENCE)
        stack.callback(engine.close)
        found = engine.find(name, options.platform, pull=must, on_progress=progress.layer)
    except EngineError:
        if must:
            raise
        return None
    if not _is_same(found.config, source):
        if must:
            raise _another(NamedImage(name=name), source)
        return None
    progress.step(f"saving {name} from the engine")
    image = open_saved(stack.enter_context(found.save()))
    stack.callback(image.close)
    return image


def _from_registry(
    name: ImageName, options: PullOptions, progress: Progress, source: ImageSource, stack: ExitStack
) -> Image:
    from envsync.image.registry import open_registry
    from envsync.known import KnownBlobs

    # What a tag names may have changed since.
    named = name if name.digest or source.digest is None else replace(name, digest=source.digest)
    known = KnownBlobs(options.cache) if options.cache is not None else None
    progress.step(f"asking {name.registry} for {named}")
    opened = open_registry(named, options.platform, options.access, known=known, say=progress.note)
    image: Image = stack.enter_context(closing(opened))
    return _same(image, NamedImage(name=named), source)


def _same(image: Image, reference: Reference, source: ImageSource) -> Image:
    if not _is_same(image.config, source):
        raise _another(reference, source)
    return image


def _is_same(config: ConfigFile, source: ImageSource) -> bool:
    """By its ID; or by its layers, where an engine has an ID of its own for it."""
    return config.digest == source.config_digest or (bool(source.layers) and config.diff_ids == source.layers)


def _another(reference: Reference, source: ImageSource) -> ImageError:
    return ImageError(
        f"{reference}: is another image than the lock's (expected the one with the ID {source.config_digest.short})",
        hint=f"Pull it again: envsync pull {reference}",
    )


def _extract(tree: Rootfs, paths: Sequence[PurePosixPath], sink: Callable[[PurePosixPath, BinaryIO], None]) -> None:
    def give(found: tuple[str, ...], pieces: Iterator[memoryview]) -> None:
        if len(found) == 1:
            sink(PurePosixPath(found[0]), cast("BinaryIO", io.BufferedReader(_Pieces(pieces))))
            for _ in pieces:
                pass
            return
        with TemporaryFile() as kept:
            kept.writelines(pieces)
            for path in found:
                kept.seek(0)
                sink(PurePosixPath(path), cast("BinaryIO", kept))

    tree.extract(map(str, paths), give)


class _Pieces(io.RawIOBase):
    """A file that arrives in pieces, each valid until the next one is asked for."""

    def __init__(self, pieces: Iterator[memoryview]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """See :meth:`io.IOBase.readable`."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer, which a view can be made of
        """See :meth:`io.RawIOBase.readinto`."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
