"""The interpreter of the image itself, placed in the cache so that it runs on this machine.

Nothing of the image is run before it was decided that this interpreter is to be used, and nothing but that interpreter:
``docs/decisions/interpreter-from-image.md``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec
from msgspec import Struct

from envsync.build.events import Event, Note
from envsync.build.interpreter import LocalPython
from envsync.build.python.check import check_python, described_missing
from envsync.build.python.image_files import Plan, Taken, is_safe, plan_files, python_files, with_places
from envsync.build.python.source import ImageFiles, NotProvidedError, OpenImage, python_folder
from envsync.build.python.sysconfig_data import build_variables
from envsync.build.target import exclusive
from envsync.catalog.identify import Identifier, Identity
from envsync.catalog.libc import find_libc
from envsync.elf import MAGIC, Elf, parse_elf
from envsync.errors import CommandError, ImageError
from envsync.exact.relocated import NAME, PREFIX, Relocated, encode_relocated
from envsync.exact.wheelhouse import sha256_of
from envsync.files import FileReadError, HostTree
from envsync.loader import Libraries
from envsync.model import ImageSource, Interpreter, Libc, Snapshot
from envsync.process import run
from envsync.redaction import printable
from envsync.writing import replace_folder, staged_folder

STAMP = "envsync-python.json"
_LAYOUT = "3"
"""Changes whenever what is placed is placed otherwise."""
_PATCH_SECONDS = 60
_ELF_BYTES = 512 << 20
_VARIABLES_BYTES = 1 << 20
_CORE = ("ssl", "sqlite3", "ctypes", "zlib", "bz2", "lzma", "hashlib", "venv")


class Machine(Struct, frozen=True, kw_only=True):
    """What of a machine decides which programs run on it."""

    system: str
    """``linux``, ``darwin``: as ``sys.platform`` has it."""
    cpu: str
    """As ``uname -m`` spells it."""
    libc: Libc | None = None


class _Stamp(Struct, frozen=True, kw_only=True):
    """Says of a placed interpreter where it is from."""

    image: str
    executable: str
    version: str
    libraries: tuple[str, ...] = ()
    missing: dict[str, str] = {}


def this_machine() -> Machine:
    """The machine that this runs on."""
    cpu = os.uname().machine
    system = sys.platform
    return Machine(system=system, cpu=cpu, libc=find_libc(HostTree(), cpu) if system == "linux" else None)


def from_image(
    lock: Snapshot,
    *,
    cache: Path,
    open_image: OpenImage | None,
    machine: Machine | None = None,
    on_event: Callable[[Event], None],
) -> LocalPython:
    """Place the image's interpreter in the cache, unless it is there, and see that it runs.

    Raises:
        NotProvidedError: it cannot run here, or the image is not at hand.
        WriteError: the cache cannot be written.
    """
    here = machine or this_machine()
    refuse(lock, here)
    if not isinstance(lock.source, ImageSource) or lock.python.executable is None:
        raise NotProvidedError("the lock is a published list, not an image that was seen")
    folder = python_folder(cache)
    stamp = _Stamp(
        image=str(lock.source.config_digest), executable=str(lock.python.executable), version=lock.python.version
    )
    key = hashlib.sha256(f"{_LAYOUT}\0{stamp.image}\0{stamp.executable}".encode()).hexdigest()[:16]
    place = folder / f"{PREFIX}{key}"
    with exclusive(place):
        if (found := _placed(place, lock.python, stamp)) is None:
            if open_image is None:
                raise NotProvidedError(
                    "the image is not at hand", hint="Pull it again, then name the image: --image IMAGE."
                )
            try:
                with open_image() as image:
                    _place(image, lock, here, place, stamp)
            except (ImageError, FileReadError) as error:
                raise NotProvidedError(f"the image cannot be read: {error.message}", hint=error.hint) from error
            found = _placed(place, lock.python, stamp)
    if found is None:
        raise NotProvidedError(f"{place}: is not what was just placed there")
    python, missing = found
    on_event(Note(text=f"the image's own Python, copied to {place}, runs on this machine, outside of any container"))
    if missing:
        on_event(Note(text=f"modules that the image's Python cannot import here: {described_missing(missing)}"))
    return python


def refuse(lock: Snapshot, machine: Machine) -> None:
    """Say why a program of the image cannot run on a machine, as far as the lock tells.

    Raises:
        NotProvidedError: it cannot.
    """
    platform = lock.platform
    if lock.python.version.split(".", maxsplit=1)[0] == "2":
        raise NotProvidedError("environments of Python 2 cannot be made")
    if lock.python.implementation.lower() != "cpython":
        raise NotProvidedError(f"it is {printable(lock.python.implementation)} (expected cpython)")
    if platform is None:
        raise NotProvidedError("the lock does not say for which platform the image is")
    if platform.os != "linux" or machine.system != "linux":
        raise NotProvidedError(f"the image is for {printable(platform.os)}, and this machine runs {machine.system}")
    if platform.machine != machine.cpu:
        raise NotProvidedError(f"the image is for {printable(platform.machine)}, and this machine is {machine.cpu}")
    theirs, ours = lock.os.libc if lock.os else None, machine.libc
    if theirs is None or ours is None:
        raise NotProvidedError(f"the C library of {'this machine' if theirs else 'the image'} is not known")
    if theirs.family != ours.family:
        raise NotProvidedError(f"the image has {theirs.family}, and this machine {ours.family}")
    if _key(theirs.version) > _key(ours.version):
        raise NotProvidedError(
            f"this machine's {ours.family} {ours.version} is older than the image's {printable(theirs.version)}"
        )


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())


def _placed(place: Path, wanted: Interpreter, stamp: _Stamp) -> tuple[LocalPython, Mapping[str, str]] | None:
    """The interpreter that an earlier run placed; ``None`` where there is none, or it is not whole."""
    try:
        found = msgspec.json.decode((place / STAMP).read_bytes(), type=_Stamp)
    except (OSError, msgspec.MsgspecError):
        return None
    if (found.image, found.executable, found.version) != (stamp.image, stamp.executable, stamp.version):
        return None
    path = place / "bin" / "python3"
    try:
        said = check_python(path)
    except NotProvidedError:
        return None
    if said.version != wanted.version:
        return None
    python = LocalPython(
        path=path, version=said.version, implementation=said.implementation, abi=said.abi, exact=True, source="image"
    )
    return python, found.missing


def _place(image: ImageFiles, lock: Snapshot, machine: Machine, place: Path, stamp: _Stamp) -> None:
    env = {one.name: one.value or "" for one in lock.config.env} if lock.config else {}
    executable = PurePosixPath(stamp.executable)
    identity = Identifier(image.tree, env).identify(executable)
    if not isinstance(identity, Identity):
        reason = identity.reason if identity else "not in the image"
        raise NotProvidedError(f"{printable(stamp.executable)}: {printable(reason)} (expected the interpreter)")
    theirs = Libraries(image.tree, machine.cpu, first=env.get("LD_LIBRARY_PATH", "").split(":"))
    plan = plan_files(
        python_files(image.tree, executable, identity.layout),
        image.tree,
        machine=machine.cpu,
        image=theirs,
        here=Libraries(HostTree(), machine.cpu),
        read=lambda paths: _read_elves(image, paths),
    )
    _refuse_glibc(plan, machine)
    tail = identity.layout.tail
    with staged_folder(place) as staging:
        _extract(image, plan.files, staging)
        for name in ("python3", "python"):
            (staging / "bin" / name).symlink_to(tail)
        _move(staging, place, plan, frozenset({str(identity.layout.base_prefix)}))
        missing = _check(staging, lock.python, plan)
        told = msgspec.structs.replace(stamp, libraries=plan.libraries, missing=dict(missing))
        (staging / STAMP).write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")
        replace_folder(staging, place)


def _refuse_glibc(plan: Plan, machine: Machine) -> None:
    ours = machine.libc
    if ours is not None and ours.family == "glibc" and plan.glibc > _key(ours.version)[:2]:
        needed = ".".join(map(str, plan.glibc))
        raise NotProvidedError(f"the image's Python needs glibc {needed}, and this machine has {ours.version}")


def _read_elves(image: ImageFiles, paths: Sequence[PurePosixPath]) -> dict[PurePosixPath, Elf]:
    found: dict[PurePosixPath, Elf] = {}

    def look(path: PurePosixPath, stream: BinaryIO) -> None:
        start = stream.read(len(MAGIC))
        if start == MAGIC and (elf := parse_elf(start + stream.read(_ELF_BYTES))) is not None:
            found[path] = elf

    if paths:
        image.extract(tuple(dict.fromkeys(paths)), look)
    return found


def _extract(image: ImageFiles, files: Iterable[Taken], staging: Path) -> None:
    waiting = with_places(file for file in files if is_safe(file))

    def write(path: PurePosixPath, stream: BinaryIO) -> None:
        first: Path | None = None
        for file in waiting.pop(path, ()):
            target = staging / file.target
            target.parent.mkdir(parents=True, exist_ok=True)
            if first is None:
                with target.open("xb") as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
                first = target
            else:
                shutil.copyfile(first, target)
            target.chmod(0o755 if file.executable else 0o644)

    image.extract(tuple(waiting), write)
    if waiting:
        some = ", ".join(printable(str(path)) for path in list(waiting)[:3])
        raise NotProvidedError(f"{some}: cannot be read from the image")


def _move(staging: Path, place: Path, plan: Plan, prefixes: frozenset[str]) -> None:
    """Make what was placed find itself at its new place."""
    relocated: dict[str, Relocated] = {}
    for target, runpath in plan.runpaths.items():
        before = sha256_of(staging / target)
        change: list[str | Path] = ["--set-rpath", runpath] if runpath else ["--remove-rpath"]
        try:
            run([_patchelf(), *change, staging / target], timeout=_PATCH_SECONDS)
        except CommandError as error:
            raise NotProvidedError(f"{printable(str(target))}: cannot be made relocatable: {error.message}") from error
        relocated[str(target)] = Relocated(before=before, after=sha256_of(staging / target))
    (staging / NAME).write_bytes(encode_relocated(relocated))
    for path in (staging / file.target for file in plan.files if file.target.name.startswith("_sysconfigdata")):
        if path.suffix != ".py" or path.stat().st_size > _VARIABLES_BYTES:
            continue
        try:
            changed = build_variables(path.read_text(encoding="utf-8"), prefixes, str(place))
        except UnicodeDecodeError:
            continue
        if changed is not None:
            path.write_text(changed, encoding="utf-8")


def _patchelf() -> Path:
    """The program of the ``patchelf`` package, which lies beside this interpreter; else the one on PATH."""
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (folder / "patchelf").is_file():
            return folder / "patchelf"
    return Path(shutil.which("patchelf") or "patchelf")


def _check(staging: Path, wanted: Interpreter, plan: Plan) -> Mapping[str, str]:
    """Run it; returns the modules that cannot be imported here though the image could."""
    places = {file.target for file in plan.files}
    there = [name for name in _CORE if any(f"{name}.py" in p.parts or name in p.parts for p in places)]
    # What its extension module needs may be nowhere, not in the image either.
    built = {p.name.partition(".")[0] for p in places if p.parent.name == "lib-dynload"}
    core = [name for name in there if f"_{name}" not in built - set(plan.modules)]
    said = check_python(staging / "bin" / "python3", modules=(*plan.modules, *core))
    if said.version != wanted.version or said.implementation != "cpython":
        raise NotProvidedError(
            f"the image's Python, run here, is {said.implementation} {said.version} (expected {wanted.version})"
        )
    if wanted.abi is not None and said.abi != wanted.abi:
        raise NotProvidedError(f"the image's Python, run here, has the ABI {said.abi} (expected {wanted.abi})")
    if Path(said.prefix) != staging:
        raise NotProvidedError(f"the image's Python, run here, finds itself in {printable(said.prefix)}")
    return said.missing
