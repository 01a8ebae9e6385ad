"""What setuptools wrote before wheels: ``requires.txt``, ``.egg-link`` and zipped eggs.

See https://setuptools.pypa.io/en/latest/deprecated/python_eggs.html.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

from msgspec import Struct

from envsync.errors import EnvsyncError
from envsync.names import normalized


class EggError(EnvsyncError):
    """A file that is no zipped egg, or one that claims absurd sizes."""


_MEMBERS = 50_000
"""Files in one egg. The standard library makes an object of 500 bytes for each as soon as it opens one."""

_ENTRY = b"PK\x01\x02"
"""Begins each entry of a zip file's directory."""


class EggLink(Struct, frozen=True, kw_only=True):
    """The two lines of an ``.egg-link``."""

    target: str
    """The folder that is put on ``sys.path``; maybe relative to the link's own."""
    project: str
    """The project's folder (``setup.py`` is there), relative to ``target``."""


def parse_egg_link(data: bytes) -> EggLink | None:
    """Read an ``.egg-link``; ``None`` where it has no text. Bytes that are not UTF-8 become surrogates."""
    text = data.decode("utf-8", "surrogateescape")
    lines = [line for line in (raw.strip() for raw in text.splitlines()) if line]
    if not lines:
        return None
    return EggLink(target=lines[0], project=lines[1] if len(lines) > 1 else ".")


def parse_requires(data: bytes) -> tuple[str, ...]:
    """Turn ``requires.txt`` into PEP 508 strings: a section ``[extra:marker]`` is a marker of its lines."""
    found: list[str] = []
    section = ""
    for raw in data.decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            extra, _, condition = line[1:-1].partition(":")
            section = _marker(extra.strip(), condition.strip())
            continue
        found.append(_with_marker(" ".join(line.split()), section))
    return tuple(found)


def _marker(extra: str, condition: str) -> str:
    if not extra:
        return condition
    wanted = f'extra == "{normalized(extra)}"'
    return f"({condition}) and {wanted}" if condition else wanted


def _with_marker(line: str, section: str) -> str:
    if not section:
        return line
    requirement, semicolon, own = (part.strip() for part in line.partition(";"))
    marker = f"({own}) and ({section})" if semicolon and own else section
    # A URL would swallow the semicolon if no space came before it.
    return f"{requirement} ; {marker}" if " @ " in requirement else f"{requirement}; {marker}"


def read_zipped_egg(data: bytes, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """The files of ``EGG-INFO`` in a zipped egg that are ``wanted``, by name.

    Args:
        data: the bytes of the egg.
        wanted: names inside ``EGG-INFO``, and how many bytes each of them may have, unpacked.

    Raises:
        EggError: not a zip file, damaged, or with too many files or one that is too large.
    """
    if data.count(_ENTRY) > _MEMBERS:
        raise EggError(f"more than {_MEMBERS} files in a zipped egg")
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            for name, limit in wanted.items():
                if f"EGG-INFO/{name}" in names:
                    found[name] = _read_member(archive, f"EGG-INFO/{name}", limit)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
    ) as error:
        raise EggError("not a zipped egg, or a damaged one") from error
    return found


def _read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    # What zipimport can read. Python's own decompressor for LZMA has errors of its own, and takes any memory.
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise EggError(f"{name}: compressed in a way that no egg is")
    with archive.open(name) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise EggError(f"{name}: larger than {limit} bytes")
    return content
