"""Reference -> image -> snapshot: where an image is had from, and how it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from envsync.errors import EngineError, UsageError
from envsync.gather import agree, image_source, read_snapshot, run_snapshot, with_files
from envsync.model import ImageSource, Snapshot
from envsync.pull_options import Progress, PullOptions
from envsync.reference import ArchiveFile, Digest, ImageName, LayoutFolder, NamedImage, Platform, Reference

if TYPE_CHECKING:
    from envsync.cache import Cache
    from envsync.image.engine import Engine, EngineImage
    from envsync.image.protocol import Image, LayerProgress

ENGINE_PATIENCE = 10.0
"""Seconds for one answer of an engine that is only asked whether it holds an image."""


class AtHand(Protocol):
    """Looks for a snapshot that was taken before."""

    def __call__(self, digest: Digest | None, platform: Platform | None) -> Snapshot | None:
        """That of the image with this digest; for this platform, where it is known already."""


def take_snapshot(
    reference: Reference,
    options: PullOptions,
    progress: Progress,
    at_hand: AtHand = lambda _digest, _platform: None,
) -> Snapshot:
    """Learn what an image holds, unless it is at hand; nothing is written but the cache.

    Raises:
        EnvsyncError: the subclass of the stage that failed.
    """
    return _Taking(options, progress, at_hand).snapshot(reference)


class _Taking:
    """Taking one snapshot: where from, and how."""

    def __init__(self, options: PullOptions, progress: Progress, at_hand: AtHand) -> None:
        self._options = options
        self._progress = progress
        self._at_hand = at_hand

    def snapshot(self, reference: Reference) -> Snapshot:
        match reference:
            case NamedImage(transport="registry", name=name):
                if self._options.method in ("run", "both"):
                    raise UsageError(
                        f"{reference}: --method {self._options.method} starts the image, which needs an engine",
                        hint=f"Leave --method out, or let an engine pull it: envsync pull docker:{name}",
                    )
                return self._known(name) or self._from_registry(name)
            case NamedImage(transport="docker", name=name):
                return self._known(name) or self._from_engine(name)
            case NamedImage(name=name):
                return self._known(name) or self._from_anywhere(name)
            case ArchiveFile() | LayoutFolder():
                return self._from_files(reference)

    def _known(self, name: ImageName) -> Snapshot | None:
        """What the lock says of an image that is named by the digest which that lock was made from."""
        return self._at_hand(name.digest, None)

    def _from_anywhere(self, name: ImageName) -> Snapshot:
        """From the engine where it holds the image, or has to start it; else straight from the registry."""
        from envsync.image.engine import connect, may_run

        if self._options.method in ("run", "both"):
            return self._from_engine(name)
        if may_run():
            with ExitStack() as stack:
                try:
                    engine = connect(timeout=ENGINE_PATIENCE)
                    stack.callback(engine.close)
                    image = engine.find(name, self._options.platform, pull=False)
                except EngineError:
                    pass
                else:
                    return self._ask(engine, image, name, stack)
        return self._from_registry(name)

    def _from_registry(self, name: ImageName) -> Snapshot:
        from envsync.image.registry import open_registry
        from envsync.known import KnownBlobs

        options, cache = self._options, self._options.cache
        known = KnownBlobs(cache) if cache is not None else None
        self._progress.step(f"asking {name.registry} for {name}")
        with closing(
            open_registry(name, options.platform, options.access, known=known, say=self._progress.note)
        ) as image:
            found = self._at_hand(image.digest, image.config.platform)
            return found or self._read(image, str(name), cache, self._progress.layer)

    def _read(
        self,
        image: Image,
        shown: str,
        cache: Cache | None = None,
        on_progress: Callable[[LayerProgress], None] | None = None,
    ) -> Snapshot:
        self._progress.step(f"reading {shown}: {len(image.layers)} layers")
        source = image_source(image.config, reference=shown, digest=image.digest, method="read")
        return self._read_image(image, source, cache, on_progress)

    def _read_image(
        self,
        image: Image,
        source: ImageSource,
        cache: Cache | None = None,
        on_progress: Callable[[LayerProgress], None] | None = None,
    ) -> Snapshot:
        artifacts = self._options.artifacts
        if artifacts is not None:
            artifacts = replace(artifacts, step=self._progress.step, note=self._progress.note)
        return read_snapshot(
            image,
            source,
            interpreter=self._options.interpreter,
            cache=cache,
            artifacts=artifacts,
            on_progress=on_progress,
        )

    def _from_files(self, reference: ArchiveFile | LayoutFolder) -> Snapshot:
        if self._options.method in ("run", "both"):
            raise UsageError(
                f"{reference}: --method {self._options.method} starts the image, which needs it in an engine",
                hint="Load it first (docker load -i FILE) and pull it by its name, or leave --method out.",
            )
        with opened_files(reference, self._options.platform) as image:
            return self._read(image, image.name or str(_without_folder(reference)))

    def _from_engine(self, name: ImageName) -> Snapshot:
        from envsync.image.engine import connect

        with ExitStack() as stack:
            engine = connect()
            stack.callback(engine.close)
            image = engine.find(name, self._options.platform, on_progress=self._progress.layer)
            return self._ask(engine, image, name, stack)

    def _ask(self, engine: Engine, image: EngineImage, name: ImageName, stack: ExitStack) -> Snapshot:
        """Run an image that the engine holds, or read it, or both."""
        from envsync.probe.container import Limits

        method = self._options.method
        found = self._at_hand(image.digest, image.config.platform)
        if found is not None:
            return found
        ran = read = None
        # What only its files tell is asked for: they are read anyway, and say all the rest as well.
        needs_files = self._options.artifacts is not None
        if method in ("run", "both") or (method == "auto" and not needs_files):
            self._progress.step(f"asking a container of {name} (at most {Limits().seconds:g} s)")
            ran = self._run(engine, image, name)
        if method in ("read", "both") or needs_files:
            read = self._read_saved(image, name, stack)
        match ran, read:
            case Snapshot(), Snapshot() if method == "both":
                return agree(ran, read)
            case Snapshot(), Snapshot():
                return with_files(ran, read)
            case Snapshot(), None:
                return ran
            case None, Snapshot():
                return read
        raise AssertionError(method)

    def _run(self, engine: Engine, image: EngineImage, name: ImageName) -> Snapshot:
        from envsync.probe.container import Limits, run

        answer = run(engine, image, interpreter=self._options.interpreter, limits=Limits())
        source = image_source(image.config, reference=str(name), digest=image.digest, method="run")
        return run_snapshot(answer, image.config, source)

    def _read_saved(self, image: EngineImage, name: ImageName, stack: ExitStack) -> Snapshot:
        """Read what ``docker save`` gives; its identity is what the engine says, since saving makes a new manifest."""
        from envsync.image.archive import open_saved

        self._progress.step(f"saving {name} from the engine")
        saved = stack.enter_context(image.save())
        layers = open_saved(saved)
        stack.callback(layers.close)
        self._progress.step(f"reading the layers of {name}")
        source = image_source(image.config, reference=str(name), digest=image.digest, method="read")
        return self._read_image(layers, source, on_progress=self._progress.layer)


@contextmanager
def opened_files(reference: ArchiveFile | LayoutFolder, platform: Platform | None) -> Iterator[Image]:
    """The image in files of this machine."""
    match reference:
        case ArchiveFile():
            from envsync.image.archive import open_archive

            image: Image = open_archive(reference, platform)
        case LayoutFolder():
            from envsync.image.layout import open_layout

            image = open_layout(reference, platform)
    with closing(image):
        yield image


def _without_folder(reference: ArchiveFile | LayoutFolder) -> Reference:
    """The reference without the folders of this machine, for the lock."""
    match reference:
        case ArchiveFile(format=form, path=path, name=name):
            return ArchiveFile(format=form, path=Path(path.name), name=name)
        case LayoutFolder(path=path, tag=tag):
            return LayoutFolder(path=Path(path.resolve().name), tag=tag)
