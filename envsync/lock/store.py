"""Lock directories on disk: where they are, reading and writing them, and choosing one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

import msgspec

from envsync.errors import LockError
from envsync.lock.codec import decode_snapshot, encode_snapshot
from envsync.lock.hashed import WHEELS, has_artifacts, render_hashed
from envsync.lock.pylock import render_pylock
from envsync.lock.requirements import header, render_constraints, render_os_packages, render_requirements
from envsync.model import (
    CondaEnvironment,
    Distribution,
    ImageSource,
    ImageWheel,
    IndexFile,
    LocalSource,
    Snapshot,
    SolvedEnvironment,
)
from envsync.names import normalized
from envsync.reference import DOCKER_HUB, ImageName
from envsync.writing import STAGING, discard_leftovers, write_folder

SNAPSHOT = "snapshot.json"


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A lock directory and what its snapshot says."""

    path: Path
    snapshot: Snapshot

    @property
    def reference(self) -> str:
        """The image's name."""
        source = self.snapshot.source
        return str(source.path) if isinstance(source, LocalSource) else source.reference


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """How the distributions of a new snapshot differ from those of the lock that it replaces."""

    added: tuple[Distribution, ...] = ()
    removed: tuple[Distribution, ...] = ()
    changed: tuple[tuple[Distribution, Distribution], ...] = ()
    """Old and new, of one name: another version or origin."""
    python: tuple[str, str] | None = None
    """Old and new version of the interpreter, where it changed."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a lock directory."""

    path: Path
    status: Literal["new", "unchanged", "replaced"]
    previous: Snapshot | None = None


def lock_path(root: Path, name: ImageName) -> Path:
    """``root/<registry unless Docker Hub>/<repository>/<tag>``; ``:`` of a port and a digest become ``_`` and ``-``."""
    registry = () if name.registry == DOCKER_HUB else (name.registry.replace(":", "_"),)
    repository = name.familiar if name.registry == DOCKER_HUB else name.repository
    tag = name.tag or str(name.digest).replace(":", "-")
    return root.joinpath(*registry, *repository.split("/"), tag)


def render_lock(snapshot: Snapshot) -> dict[str, bytes]:
    """File name -> bytes, of all files of a lock directory.

    Raises:
        UnsafeValueError: a name, version or URL would inject into a requirements file.
    """
    files = {
        SNAPSHOT: encode_snapshot(snapshot),
        "requirements.txt": render_requirements(snapshot).encode(),
        "constraints.txt": render_constraints(snapshot).encode(),
    }
    if has_artifacts(snapshot):
        files |= {
            "requirements.lock": render_hashed(snapshot).encode(),
            "pylock.toml": render_pylock(snapshot).encode(),
        }
    if snapshot.os_packages is not None:
        files["os-packages.txt"] = render_os_packages(snapshot).encode()
    if snapshot.conda_environment is not None:
        files |= _conda_files(snapshot, snapshot.conda_environment)
    return files


def _conda_files(snapshot: Snapshot, environment: CondaEnvironment) -> dict[str, bytes]:
    from envsync.lock.conda.conda_lock import render_conda_lock
    from envsync.lock.conda.environment_yml import render_environment, render_nobuild
    from envsync.lock.conda.explicit import render_explicit, render_solved, solved_file

    texts = {
        "environment.yml": render_environment(snapshot),
        "environment.nobuild.yml": render_nobuild(snapshot),
        "explicit.txt": render_explicit(environment, snapshot.platform, header(snapshot)),
        "conda-lock.yml": render_conda_lock(snapshot),
    }
    texts |= {solved_file(one): render_solved(one, header(snapshot)) for one in environment.solved}
    return {name: text.encode() for name, text in texts.items() if text is not None}


def write_lock(path: Path, snapshot: Snapshot) -> Written:
    """Write a lock directory, whole or not at all; one that holds the same facts is left alone, byte for byte.

    Raises:
        LockError: ``path`` holds something that is no lock.
        UnsafeValueError: see :func:`render_lock`.
        WriteError: the place cannot be written.
    """
    discard_leftovers(path)
    previous: Snapshot | None = None
    if path.exists():
        if not (path / SNAPSHOT).is_file() and (
            not path.is_dir() or any(entry.name != WHEELS for entry in path.iterdir())
        ):
            raise LockError(
                f"{path}: is there already and is no lock of envsync's", hint="Move it, or use --lockfiles."
            )
        previous = _previous(path)
    if previous is not None and same_facts(previous, snapshot):
        snapshot = with_known_artifacts(snapshot, previous)
    said = previous is not None and not says_more(snapshot, previous) and _chosen(snapshot) == _chosen(previous)
    if previous is not None and said and not edited_files(path, previous):
        return Written(path=path, status="unchanged", previous=previous)
    write_folder(path, render_lock(snapshot), kept=WHEELS)
    return Written(path=path, status="replaced" if previous else "new", previous=previous)


def says_more(new: Snapshot, old: Snapshot) -> bool:
    """Whether ``new`` has facts that ``old`` has not: other ones, their layers, or what gives their files."""
    if not same_facts(old, new) or (_knows_layers(new) and not _knows_layers(old)):
        return True
    if _layer_sizes(new) and not _layer_sizes(old):
        return True
    return _artifacts(with_known_artifacts(new, old)) != _artifacts(old)


def _layer_sizes(snapshot: Snapshot) -> tuple[int, ...]:
    return snapshot.source.layer_sizes if isinstance(snapshot.source, ImageSource) else ()


def _artifacts(snapshot: Snapshot) -> list[tuple[IndexFile | None, ImageWheel | None]]:
    return [(d.file, d.wheel) for d in snapshot.python.distributions]


def with_known_artifacts(new: Snapshot, old: Snapshot) -> Snapshot:
    """``new`` with the files that ``old`` knows and ``new`` does not: both are of one image.

    An index that is out of reach today makes a lock no poorer.
    """
    known = {(d.name, d.metadata): d for d in old.python.distributions}

    def kept(distribution: Distribution) -> Distribution:
        before = known.get((distribution.name, distribution.metadata))
        if before is None:
            return distribution
        return msgspec.structs.replace(
            distribution, file=distribution.file or before.file, wheel=distribution.wheel or before.wheel
        )

    python = msgspec.structs.replace(new.python, distributions=tuple(map(kept, new.python.distributions)))
    return msgspec.structs.replace(new, interpreters=(python, *new.interpreters[1:]))


def _chosen(snapshot: Snapshot) -> list[tuple[str | None, tuple[SolvedEnvironment, ...]]]:
    return [(environment.name, environment.solved) for environment in snapshot.conda]


def _previous(path: Path) -> Snapshot | None:
    """The lock that is about to be replaced; a damaged one counts as none."""
    try:
        return read_lock(path).snapshot
    except LockError:
        return None


def edited_files(path: Path, snapshot: Snapshot) -> tuple[str, ...]:
    """The files of a lock directory that are not what its snapshot is written as: somebody edited or removed them."""
    expected = render_lock(snapshot)
    return tuple(
        name for name, data in expected.items() if not (path / name).is_file() or (path / name).read_bytes() != data
    )


def same_facts(old: Snapshot, new: Snapshot) -> bool:
    """Whether two snapshots say the same of one image, whenever and by whichever method it was learnt.

    A layer that only one side knows does not count (an image that is run does not tell layers apart), nor does what
    only one of the methods could not tell, nor what the user chose.
    """
    return _facts(old, _knows_layers(new)) == _facts(new, _knows_layers(old))


def _knows_layers(snapshot: Snapshot) -> bool:
    distributions = (d.layer for i in snapshot.interpreters for d in i.distributions)
    packages = (p.layer for environment in snapshot.conda for p in environment.packages)
    return any(layer is not None for layer in chain(distributions, packages))


def _facts(snapshot: Snapshot, with_layers: bool) -> Snapshot:
    if isinstance(snapshot.source, ImageSource):
        source = msgspec.structs.replace(
            snapshot.source, method="read", pulled_at="", layer_sizes=(), layer_commands=()
        )
        conda = tuple(msgspec.structs.replace(one, name=None, solved=()) for one in snapshot.conda)
        snapshot = msgspec.structs.replace(snapshot, source=source, skipped=(), conda=conda)
        snapshot = _without_artifacts(snapshot)
    return snapshot if with_layers else without_layers(snapshot)


def _without_artifacts(snapshot: Snapshot) -> Snapshot:
    """What indexes have, and what was repacked, is no fact of the image; nor is what of it was told by an index."""
    python = snapshot.python
    bare = tuple(msgspec.structs.replace(d, file=None, wheel=None, patched=()) for d in python.distributions)
    python = msgspec.structs.replace(python, distributions=bare)
    return msgspec.structs.replace(snapshot, interpreters=(python, *snapshot.interpreters[1:]))


def without_layers(snapshot: Snapshot) -> Snapshot:
    """The snapshot as one learns it by running the image: without what only the files of its layers tell."""
    interpreters = tuple(
        msgspec.structs.replace(
            interpreter,
            distributions=tuple(
                msgspec.structs.replace(d, layer=None, contents=None, patched=(), file=None, wheel=None)
                for d in interpreter.distributions
            ),
            standard_library=None,
        )
        for interpreter in snapshot.interpreters
    )
    conda = tuple(
        msgspec.structs.replace(
            environment, packages=tuple(msgspec.structs.replace(p, layer=None) for p in environment.packages)
        )
        for environment in snapshot.conda
    )
    return msgspec.structs.replace(snapshot, interpreters=interpreters, conda=conda, needs=None)


def read_lock(path: Path) -> Lock:
    """Read a lock directory.

    Raises:
        LockError: it is absent, damaged, unreadable or of a newer schema.
    """
    place = path / SNAPSHOT
    try:
        data = place.read_bytes()
    except FileNotFoundError as error:
        raise LockError(f"{path}: no lock here (expected {SNAPSHOT})", hint="Make one: envsync pull IMAGE") from error
    except OSError as error:
        raise LockError(f"{place}: cannot be read: {error.strerror}") from error
    return Lock(path=path, snapshot=decode_snapshot(data, str(place)))


def find_locks(root: Path) -> tuple[Path, ...]:
    """All lock directories under ``root``, sorted; none that is being written, or was when its maker was killed."""
    folders = (found.parent for found in root.rglob(SNAPSHOT) if found.is_file())
    return tuple(sorted(folder for folder in folders if not folder.name.startswith(STAGING)))


def choose_lock(root: Path, saying: str = "--image ") -> Lock:
    """The only lock under ``root``, else the one that was pulled last; ``saying``: what comes before the one meant.

    Raises:
        LockError: there is none, or several and none of them is the last one pulled.
    """
    locks = [read_lock(path) for path in find_locks(root)]
    if not locks:
        raise LockError(f"{root}: no lock here", hint=f"Make one: envsync pull IMAGE (or say which: {saying}IMAGE)")
    if len(locks) == 1:
        return locks[0]
    dated = [(lock.snapshot.source.pulled_at, lock) for lock in locks if isinstance(lock.snapshot.source, ImageSource)]
    newest = max((date for date, _ in dated), default="")
    last = [lock for date, lock in dated if date == newest]
    if len(last) == 1:
        return last[0]
    raise LockError(f"{root}: {len(locks)} locks, and none was pulled last", hint=_choices(locks, saying))


def _choices(locks: Sequence[Lock], saying: str) -> str:
    return "Say which:\n" + "\n".join(f"  {saying}{lock.reference}" for lock in locks)


def changes(old: Snapshot, new: Snapshot) -> Changes:
    """What a pull of a moved tag changed."""
    before = {normalized(d.name): d for d in old.distributions}
    after = {normalized(d.name): d for d in new.distributions}
    common = sorted(before.keys() & after.keys())
    return Changes(
        added=tuple(after[name] for name in sorted(after.keys() - before.keys())),
        removed=tuple(before[name] for name in sorted(before.keys() - after.keys())),
        changed=tuple(
            (before[name], after[name])
            for name in common
            if (before[name].version, before[name].origin) != (after[name].version, after[name].origin)
        ),
        python=(old.python.version, new.python.version) if old.python.version != new.python.version else None,
    )
