"""``pull``: reference -> image -> snapshot -> lock directory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from envsync.errors import UsageError
from envsync.gather import agree, image_source, read_snapshot, run_snapshot
from envsync.lock.store import Written, lock_path, write_lock
from envsync.model import ImageSource, Snapshot
from envsync.reference import ArchiveFile, ImageName, LayoutFolder, NamedImage, Platform, Reference

if TYPE_CHECKING:
    from envsync.image.engine import Engine, EngineImage
    from envsync.image.protocol import Image, LayerProgress

Method = Literal["auto", "run", "read", "both"]


class PullOptions(Struct, frozen=True, kw_only=True):
    """How to look at an image."""

    method: Method = "auto"
    platform: Platform | None = None
    interpreter: PurePosixPath | None = None


class Progress(Struct, frozen=True, kw_only=True):
    """Where a pull tells how far it is."""

    step: Callable[[str], None] = lambda _text: None
    layer: Callable[[LayerProgress], None] | None = None


class Pulled(Struct, frozen=True, kw_only=True):
    """A snapshot and the lock directory it went to."""

    snapshot: Snapshot
    written: Written


def pull(reference: Reference, root: Path, options: PullOptions, progress: Progress) -> Pulled:
    """Learn what an image holds and write its lock directory under ``root``.

    Raises:
        EnvsyncError: the subclass of the stage that failed; nothing was written.
    """
    snapshot = take_snapshot(reference, options, progress)
    return Pulled(snapshot=snapshot, written=write_lock(root_path(root, reference, snapshot), snapshot))


def take_snapshot(reference: Reference, options: PullOptions, progress: Progress) -> Snapshot:
    """Learn what an image holds, without writing anything.

    Raises:
        EnvsyncError: the subclass of the stage that failed.
    """
    match reference:
        case NamedImage(transport="registry"):
            raise UsageError(
                f"{reference}: images are taken from a local engine or an archive, not straight from a registry",
                hint=f"With Docker: envsync pull {reference.name}\n"
                f"Without: skopeo copy docker://{reference.name} oci-archive:image.tar, "
                "then envsync pull oci-archive:image.tar",
            )
        case NamedImage(name=name):
            return _from_engine(name, options, progress)
        case ArchiveFile() | LayoutFolder():
            return _from_files(reference, options, progress)


def _from_files(reference: ArchiveFile | LayoutFolder, options: PullOptions, progress: Progress) -> Snapshot:
    if options.method in ("run", "both"):
        raise UsageError(
            f"{reference}: --method {options.method} starts the image, which needs it in an engine",
            hint="Load it first (docker load -i FILE) and pull it by its name, or leave --method out.",
        )
    with _opened(reference, options.platform) as image:
        progress.step(f"reading {image.name or reference}: {len(image.layers)} layers")
        shown = image.name or str(_without_folder(reference))
        source = image_source(image.config, reference=shown, digest=image.digest, method="read")
        return read_snapshot(image, source, interpreter=options.interpreter)


@contextmanager
def _opened(reference: ArchiveFile | LayoutFolder, platform: Platform | None) -> Iterator[Image]:
    match reference:
        case ArchiveFile():
            from envsync.image.archive import open_archive

            image: Image = open_archive(reference, platform)
        case LayoutFolder():
            from envsync.image.layout import open_layout

            image = open_layout(reference, platform)
    try:
        yield image
    finally:
        image.close()


def _without_folder(reference: ArchiveFile | LayoutFolder) -> Reference:
    """The reference without the folders of this machine, for the lock."""
    match reference:
        case ArchiveFile(format=form, path=path, name=name):
            return ArchiveFile(format=form, path=Path(path.name), name=name)
        case LayoutFolder(path=path, tag=tag):
            return LayoutFolder(path=Path(path.resolve().name), tag=tag)


def _from_engine(name: ImageName, options: PullOptions, progress: Progress) -> Snapshot:
    from envsync.image.engine import connect
    from envsync.probe.container import Limits

    with ExitStack() as stack:
        engine = connect()
        stack.callback(engine.close)
        image = engine.find(name, options.platform, on_progress=progress.layer)
        ran = read = None
        if options.method in ("auto", "run", "both"):
            progress.step(f"asking a container of {name} (at most {Limits().seconds:g} s)")
            ran = _run(engine, image, name, options)
        if options.method in ("read", "both"):
            progress.step(f"reading the layers of {name}")
            read = _read_saved(image, name, options, stack)
        match ran, read:
            case Snapshot(), Snapshot():
                return agree(ran, read)
            case Snapshot(), None:
                return ran
            case None, Snapshot():
                return read
        raise AssertionError(options.method)


def _run(engine: Engine, image: EngineImage, name: ImageName, options: PullOptions) -> Snapshot:
    from envsync.probe.container import Limits, run

    answer = run(engine, image, interpreter=options.interpreter, limits=Limits())
    source = image_source(image.config, reference=str(name), digest=image.digest, method="run")
    return run_snapshot(answer, image.config, source)


def _read_saved(image: EngineImage, name: ImageName, options: PullOptions, stack: ExitStack) -> Snapshot:
    """Read what ``docker save`` gives; its identity is what the engine says, since saving makes a new manifest."""
    from envsync.image.archive import open_saved

    saved = stack.enter_context(image.save())
    layers = open_saved(saved)
    stack.callback(layers.close)
    source = image_source(image.config, reference=str(name), digest=image.digest, method="read")
    return read_snapshot(layers, source, interpreter=options.interpreter)


def root_path(root: Path, reference: Reference, snapshot: Snapshot) -> Path:
    """The lock directory of a snapshot: by the image's own name, else by that of its file."""
    match reference:
        case NamedImage(name=name):
            return lock_path(root, name)
        case ArchiveFile(path=path, name=tag) | LayoutFolder(path=path, tag=tag):
            source = snapshot.source
            if isinstance(source, ImageSource) and ":" not in _scheme(source.reference):
                return lock_path(root, ImageName.parse(source.reference))
            stem = re.sub(r"[^a-z0-9]+", "-", path.resolve().name.split(".")[0].lower()).strip("-") or "image"
            label = re.sub(r"[^A-Za-z0-9_.-]+", "-", tag or "latest").lstrip(".-") or "latest"
            return lock_path(root, ImageName(registry="local", repository=stem, tag=label))


def _scheme(reference: str) -> str:
    head = reference.split(":", 1)[0]
    return f"{head}:" if head in ("docker-archive", "oci-archive", "oci") else ""
