"""While an image is open: what each distribution was installed from, and wheels of what no index has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal

from msgspec import Struct
from msgspec.structs import replace

from envsync.errors import EnvsyncError, UsageError, WheelhouseError
from envsync.exact.complete import Completed
from envsync.exact.listing import Contents, Place
from envsync.exact.proof import Found, candidates, find_file
from envsync.exact.wheelhouse import Wheelhouse
from envsync.files import READ_LIMIT, FileInfo
from envsync.model import DirectoryOrigin, Distribution, ImageSource, ImageWheel, Skipped, Snapshot
from envsync.redaction import printable

if TYPE_CHECKING:
    from envsync.index import IndexFile as ListedFile
    from envsync.index import Listed, Unanswered
    from envsync.index.client import Indexes
    from envsync.rootfs import Rootfs
    from envsync.wheel import Files

Which = Literal["missing", "all", "none"]


_MOST_BYTES = 32 << 30
"""Of all files that are repacked of one image."""


class Artifacts(Struct, frozen=True, kw_only=True):
    """Which wheels to make of an image, and what helps to decide."""

    which: Which = "missing"
    wheelhouse: Wheelhouse
    indexes: Callable[[], AbstractContextManager[Indexes]]
    step: Callable[[str], None] = lambda _text: None
    note: Callable[[str], None] = lambda _text: None

    def are_at_hand(self, snapshot: Snapshot) -> bool:
        """Whether an earlier pull of the same image did all that is wanted, and its wheels are still there.

        They are given to the shared folder.
        """
        own = [d for d in snapshot.distributions if d.conda is None]
        if own and not any(d.file or d.wheel for d in own):
            return False
        if self.which == "all" and not all(d.wheel for d in own if not is_editable(d)):
            return False
        wheels = [d.wheel for d in own if d.wheel is not None]
        if any(self.wheelhouse.find(wheel) is None for wheel in wheels):
            return False
        problems = [self.wheelhouse.share(wheel) for wheel in wheels]
        for problem in filter(None, problems):
            self.note(problem)
        return True


def with_artifacts(completed: Completed, tree: Rootfs, wanted: Artifacts) -> Snapshot:
    """The snapshot with the files of indexes that distributions were installed from, and wheels of the image's own.

    Raises:
        WheelhouseError: a wheel cannot be kept.
        CorruptImageError: a layer is no longer what it was.
    """
    snapshot = completed.snapshot
    if wanted.which == "none":
        return snapshot
    own = [d for d in snapshot.distributions if d.conda is None]
    found = _look_up(own, completed.contents, wanted)
    known = {
        place_of(d): replace(d, file=one.file, patched=one.patched or d.patched if one.file is None else one.patched)
        for d, one in zip(own, found, strict=True)
    }
    reasons = {place_of(d): _reason(known[place_of(d)], one) for d, one in zip(own, found, strict=True)}
    releases = [d for d in own if not is_editable(d)]
    chosen = [known[place_of(d)] for d in releases if wanted.which == "all" or reasons[place_of(d)]]
    try:
        made, skipped = _repack(chosen, reasons, snapshot, tree, wanted)
    except WheelhouseError as error:
        if wanted.which == "all" or wanted.wheelhouse.is_shared:
            raise
        wanted.note(f"no wheels were made: {error.message}")
        made, skipped = {}, []
    distributions = tuple(
        replace(known.get(place_of(d), d), wheel=made.get(place_of(d))) for d in snapshot.python.distributions
    )
    python = replace(snapshot.python, distributions=distributions)
    return replace(
        snapshot,
        interpreters=(python, *snapshot.interpreters[1:]),
        skipped=tuple(sorted({*snapshot.skipped, *skipped}, key=lambda one: (one.place, one.subject, one.reason))),
    )


def is_editable(distribution: Distribution) -> bool:
    """Whether its files are those of a project that somebody works on."""
    return isinstance(distribution.origin, DirectoryOrigin) and distribution.origin.editable


def place_of(distribution: Distribution) -> Place:
    """What tells the copies of one distribution apart."""
    return distribution.name, distribution.metadata


def _look_up(own: Sequence[Distribution], contents: Mapping[Place, Contents], wanted: Artifacts) -> list[Found]:
    """What the indexes have of each distribution; settings that cannot be used are told, and cost only that."""
    try:
        return _asked(own, contents, wanted)
    except UsageError as error:
        wanted.note(f"no index is asked: {error.message}")
        return [Found(reason="no index could be asked") for _ in own]


def _asked(own: Sequence[Distribution], contents: Mapping[Place, Contents], wanted: Artifacts) -> list[Found]:
    """What the indexes have of each distribution."""
    from envsync.index import Pin
    from envsync.index.threads import concurrently

    with wanted.indexes() as indexes:
        asked = [d for d in own if d.origin is None]
        wanted.step(f"asking the package index for {len(asked)} distributions")
        answers = indexes.find([Pin(name=d.name, version=d.version) for d in asked])

        def find(distribution: Distribution) -> Found:
            if distribution.origin is not None:
                return Found(reason="it did not come from an index")
            answer = answers[Pin(name=distribution.name, version=distribution.version)]
            files = _files(answer)
            if isinstance(files, str):
                return Found(reason=files)
            wheels = candidates(distribution, files)
            if not wheels and any(not file.filename.endswith(".whl") for file in files):
                return Found(reason="the index has only its source")
            return find_file(distribution, contents.get(place_of(distribution)), wheels, indexes.members)

        wanted.step(f"comparing {len(asked)} distributions with the index's files")
        return concurrently(find, own)


def _files(answer: Listed | Unanswered) -> tuple[ListedFile, ...] | str:
    from envsync.index import Unanswered

    if isinstance(answer, Unanswered):
        # The lock tells it, on whatever machine: which indexes, is of no use there.
        return "no index has it" if answer.absent else "no index could be asked"
    return answer.files or "no index has this version"


def _reason(distribution: Distribution, found: Found) -> str:
    """Why a wheel of the image's own files is needed; empty: it is not."""
    if distribution.file is None:
        return found.reason or "no index has it"
    if distribution.patched:
        return f"not as its RECORD says: {', '.join(distribution.patched[:3])}"
    return ""


def _repack(
    chosen: Sequence[Distribution],
    reasons: Mapping[Place, str],
    snapshot: Snapshot,
    tree: Rootfs,
    wanted: Artifacts,
) -> tuple[dict[Place, ImageWheel], list[Skipped]]:
    from envsync.wheel import RepackError, files_of, repack, small_files

    if not chosen:
        return {}, []
    wanted.step(f"repacking {len(chosen)} distributions from the image")
    skipped: list[Skipped] = []
    listed: list[tuple[Distribution, Files]] = []
    room = _MOST_BYTES
    tree.prefetch(path for distribution in chosen for path in small_files(distribution, snapshot.python, tree))
    for distribution in chosen:
        try:
            files = files_of(distribution, snapshot.python, tree)
        except RepackError as error:
            skipped.append(_skipped(distribution, error))
            continue
        room -= sum(file.size for file in files.files)
        if room < 0:
            skipped.append(_skipped(distribution, RepackError("all of them together are larger than any honest image")))
            continue
        listed.append((distribution, files))
    made: dict[Place, ImageWheel] = {}
    image = snapshot.source if isinstance(snapshot.source, ImageSource) else None
    with wanted.wheelhouse.workspace() as folder:
        source = Spool(tree, folder, (path for _, files in listed for path in files.paths))
        for distribution, files in listed:
            try:
                wheel = repack(files, distribution, snapshot.python, source, folder, image=image)
            except RepackError as error:
                skipped.append(_skipped(distribution, error))
                continue
            if (problem := wanted.wheelhouse.add(wheel.path, wheel.sha256)) is not None:
                wanted.note(problem)
            made[place_of(distribution)] = ImageWheel(
                filename=wheel.filename,
                sha256=wheel.sha256,
                size=wheel.size,
                reason=reasons[place_of(distribution)] or "asked for",
                notes=wheel.notes,
            )
    return made, skipped


def _skipped(distribution: Distribution, error: EnvsyncError) -> Skipped:
    place = distribution.metadata or distribution.location or ""
    reason = f"cannot be repacked as a wheel: {error.message}"
    return Skipped(subject=printable(distribution.name), place=printable(str(place)), reason=printable(reason))


class Spool:
    """Files of an image, extracted into a folder in one pass, so that they can be read in any order."""

    def __init__(self, tree: Rootfs, folder: Path, paths: Iterable[PurePosixPath]) -> None:
        """Extract ``paths`` into ``folder``.

        Raises:
            CorruptImageError: a layer is no longer what it was.
            OSError: the folder cannot be written.
        """
        self._tree = tree
        self._places: dict[str, Path] = {}

        def take(paths: tuple[str, ...], pieces: Iterable[memoryview]) -> None:
            place = folder / str(len(self._places))
            with place.open("xb") as stream:
                stream.writelines(pieces)
            self._places.update(dict.fromkeys(paths, place))

        tree.extract(map(str, paths), take)

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        """See :meth:`envsync.files.FileTree.stat`."""
        return self._tree.stat(path)

    def readlink(self, path: PurePosixPath) -> PurePosixPath | None:
        """See :meth:`envsync.files.FileTree.readlink`."""
        return self._tree.readlink(path)

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        """See :meth:`envsync.files.FileTree.list`."""
        return self._tree.list(path)

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        """See :meth:`envsync.files.FileTree.read`."""
        return self._tree.read(path, limit=limit)

    def open(self, path: PurePosixPath) -> BinaryIO:
        """See :meth:`envsync.wheel.FileSource.open`."""
        from envsync.files import FileReadError

        try:
            return self._places[str(path)].open("rb")
        except (KeyError, OSError) as error:
            raise FileReadError(f"{path}: was not extracted from the image") from error
