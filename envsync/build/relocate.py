"""Making an environment that was built in one folder say that it was built in another one beside it.

What uv, pip and venv write of an environment's own path is in ``pyvenv.cfg``, in scripts and in ``.pth`` files;
``RECORD`` has hashes of the scripts. The result is, byte for byte, what building in place would have given.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from envsync.build.installed import site_packages
from envsync.writing import WriteError

_SCRIPT_LIMIT = 4 * 1024 * 1024
"""Bytes; no script that an installer writes is larger, and compiled programs in ``bin`` are passed over."""

_TRAMPOLINE = re.compile(rb"\A#!/bin/sh\n'''exec' (?P<word>[^\n]*?) \"\$0\" \"\$@\"\n' '''\n")
_HASHED_ROW = re.compile(rb"(?P<path>.*),sha256=[A-Za-z0-9_-]{43}=?,[0-9]*(?P<end>\r?\n?)", re.DOTALL)


def relocate(env: Path, *, staged_as: Path, target: Path) -> tuple[Path, ...]:
    """Replace the path ``staged_as`` by ``target`` inside ``env``; returns the files that changed.

    ``staged_as`` is a name of :func:`envsync.writing.staged_folder`: the target's, with something before and after.
    No inode is written to: a file that changes becomes a new one, since others may share the old.

    Raises:
        WriteError: a file cannot be read or replaced.
    """
    before, after = _affixes(staged_as.name, target.name)
    start = re.escape(before)
    pattern = re.compile(start + rb"(?P<name>(?:(?!" + start + rb")[^\r\n])*?)" + re.escape(after))
    changed: dict[Path, bytes] = {}
    try:
        for path in _candidates(env):
            old = _read(path)
            if old is None or after not in old:
                continue
            new = _short_shebang(pattern.sub(lambda match: match["name"], old))
            _replace(path, new)
            changed[path] = new
        if changed:
            _correct_records(env, changed)
    except OSError as error:
        raise WriteError(f"{error.filename or env}: cannot be written: {error.strerror}") from error
    return tuple(changed)


def _affixes(staged: str, target: str) -> tuple[bytes, bytes]:
    """What a staging name has before and after the target's: escaping of the name between them does not matter."""
    after = staged[staged.rindex(".") :]
    before = staged[: -len(target + after)]
    return os.fsencode(before), os.fsencode(after)


def _candidates(env: Path) -> Iterator[Path]:
    if (env / "pyvenv.cfg").is_file():
        yield env / "pyvenv.cfg"
    for folder, suffix in ((env / "bin", ""), (site_packages(env), ".pth")):
        if folder is None or not folder.is_dir():
            continue
        for entry in os.scandir(folder):
            if entry.name.endswith(suffix) and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _read(path: Path) -> bytes | None:
    """A text file's bytes."""
    with path.open("rb") as stream:
        data = stream.read(_SCRIPT_LIMIT + 1)
    if len(data) > _SCRIPT_LIMIT or data.startswith((b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")):
        return None
    return data


def _replace(path: Path, data: bytes) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    # Not by renaming over it: several file systems then wait until the data is on the disk.
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)


def _short_shebang(script: bytes) -> bytes:
    """Undo the detour through ``/bin/sh`` that only the longer staging path made necessary.

    uv and pip (distlib) take it for paths with spaces, and for lines longer than the kernel reads.
    """
    match = _TRAMPOLINE.match(script)
    if match is None:
        return script
    word = match["word"]
    by_uv = word.startswith(b"'")
    limit = 127 if by_uv or sys.platform != "darwin" else 512
    executable = word[1:-1].replace(b"'\"'\"'", b"'") if by_uv else word
    if b" " in executable or len(executable) + 3 > limit:
        return script
    return b"#!" + executable + b"\n" + script[match.end() :]


def _correct_records(env: Path, changed: dict[Path, bytes]) -> None:
    place = site_packages(env)
    if place is None:
        return
    rows = {os.path.relpath(path, place): data for path, data in changed.items()}
    spelt = [path.replace('"', '""').encode() for path in rows]
    for record in place.glob("*.dist-info/RECORD"):
        old = record.read_bytes()
        if not any(path in old for path in spelt):
            continue
        new = correct_record(old, rows)
        if new != old:
            _replace(record, new)


def correct_record(record: bytes, contents: dict[str, bytes]) -> bytes:
    """Give the rows of ``contents`` (path as in ``RECORD`` → bytes) their right hash and size.

    Follows https://packaging.python.org/en/latest/specifications/recording-installed-packages/; all other rows are
    kept as they are, down to the byte.
    """
    plain = (b'"', *{name[:2].encode() for name in contents})
    lines = record.splitlines(keepends=True)
    return b"".join(_correct_row(line, contents) if line.startswith(plain) else line for line in lines)


def _correct_row(line: bytes, contents: dict[str, bytes]) -> bytes:
    match = _HASHED_ROW.fullmatch(line)
    if match is None:
        return line
    try:
        fields = next(csv.reader([match["path"].decode("utf-8")]), [])
    except (csv.Error, UnicodeDecodeError):
        return line
    if len(fields) != 1 or fields[0] not in contents:
        return line
    data = contents[fields[0]]
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return match["path"] + b",sha256=" + digest + b"," + str(len(data)).encode() + match["end"]
