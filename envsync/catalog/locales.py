"""Which locale is in effect, and how Python encodes text there.

Follows https://pubs.opengroup.org/onlinepubs/9699919799/basedefs/V1_chap08.html (8.2), PEP 538, PEP 540 and PEP 686.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.files import FileReadError, FileTree
from envsync.model import Libc, Resource

PATTERNS: tuple[str, ...] = (r"/etc/locale\.gen",)
"""Files whose bytes are asked for."""

_LOCALE = re.compile(
    r"(?P<language>[A-Za-z0-9_+-]{1,32})(?:\.(?P<codeset>[A-Za-z0-9_-]{1,32}))?(?P<rest>@[A-Za-z0-9]{1,32})?"
)
_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})")
_FOLDER = PurePosixPath("/usr/lib/locale")
_ARCHIVE = _FOLDER / "locale-archive"
_MACOS_FOLDER = PurePosixPath("/usr/share/locale")
_GENERATED = PurePosixPath("/etc/locale.gen")
_ALL_OF_DEBIAN = PurePosixPath("/var/lib/dpkg/info/locales-all.list")
_LONGEST_MUSL = 23
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
_GENERATED_BYTES = 256 * 1024
_ARCHIVE_BYTES = 256 * 1024 * 1024
_NAMES = 10_000
_LONGEST = 100


class Locale(Struct, frozen=True, kw_only=True):
    """What the variables ask for, and whether it can be had."""

    name: str
    """``C`` where they ask for nothing, or for ``POSIX``."""
    there: bool | None
    """``None``: cannot be told."""
    path: PurePosixPath | None = None
    """A file of its data."""


def find_text(tree: FileTree, env: Mapping[str, str], *, libc: Libc | None, python: str) -> tuple[Resource, ...]:
    """The locale in effect and the encoding of text; what cannot be told is left out.

    ``open()`` takes this encoding where none is given, and so do the standard streams, unless another one is named.

    Args:
        tree: an image, or this machine.
        env: the variables that a program starts with.
        libc: the C library; ``None``: another one, as that of macOS.
        python: the version of the interpreter.
    """
    asked = find_locale(tree, env, libc=libc)
    names = {True: (asked.name,), False: ("C",), None: (asked.name, "C")}[asked.there]
    found = [] if asked.there is None else [Resource(kind="locale", value=names[0], path=asked.path)]
    encodings = {_encoding(tree, name, env, libc, python) for name in names}
    text = encodings.pop()
    if text is not None and not encodings:
        streams = _normal(env.get("PYTHONIOENCODING", "").partition(":")[0]) or text
        found.append(
            Resource(kind="encoding", value=text if streams == text else f"{text}, standard streams {streams}")
        )
    return tuple(found)


def find_locale(tree: FileTree, env: Mapping[str, str], *, libc: Libc | None) -> Locale:
    """The locale that the variables choose for characters (LC_CTYPE)."""
    chosen = next((env[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if env.get(name)), None)
    if libc is not None and libc.family == "musl":  # src/locale/locale_map.c: it knows all of them
        fits = chosen is not None and _LOCALE.fullmatch(chosen) and len(chosen) <= _LONGEST_MUSL
        name = chosen if chosen is not None and fits else "C.UTF-8"
        return Locale(name="C" if name == "POSIX" else name, there=True)
    if chosen in (None, "C", "POSIX"):
        return Locale(name="C", there=True)
    match = _LOCALE.fullmatch(chosen)
    if match is None:
        return Locale(name="C", there=True)  # no name of one: nothing has it
    spellings = _spellings(match)
    if libc is None:
        found = tree.stat(_MACOS_FOLDER / match[0] / "LC_CTYPE")
        return Locale(name=match[0], there=found is not None, path=found.path if found else None)
    for name in spellings:
        found = tree.stat(_FOLDER / name / "LC_CTYPE")
        if found is not None:
            return Locale(name=match[0], there=True, path=found.path)
    there = _in_archive(tree, spellings)
    return Locale(name=match[0], there=there, path=_ARCHIVE if there else None)


def parse_archive(data: bytes) -> frozenset[str]:
    """The names of the locales in a ``locale-archive``: ``en_US.utf8``; none where it is no such file. Never raises.

    Follows https://sourceware.org/git/?p=glibc.git;a=blob;f=locale/locarchive.h.
    """
    order = {b"\x09\x01\x02\xde": "<", b"\xde\x02\x01\x09": ">"}.get(data[:4])
    if order is None:
        return frozenset()
    names = set()
    try:
        _magic, _serial, offset, _used, size = struct.Struct(f"{order}5I").unpack_from(data)
        entry = struct.Struct(f"{order}3I")
        for number in range(min(size, _NAMES)):
            _hash, name, record = entry.unpack_from(data, offset + number * entry.size)
            text = data[name : name + _LONGEST].partition(b"\0")[0].decode("ascii", "replace") if record else ""
            if _LOCALE.fullmatch(text):
                names.add(text)
    except struct.error:  # it ends early
        return frozenset(names)
    return frozenset(names)


def _in_archive(tree: FileTree, spellings: tuple[str, ...]) -> bool | None:
    found = tree.stat(_ARCHIVE)
    if found is None:
        return False
    if any(_spellings(match)[-1] == spellings[-1] for match in _generated(tree)):
        return True
    if tree.stat(_ALL_OF_DEBIAN) is not None and spellings[-1].endswith(".utf8"):
        return True
    if found.layer is not None:  # up to 200 MB of an image, which are not kept
        return None
    try:
        return not parse_archive(tree.read(_ARCHIVE, limit=_ARCHIVE_BYTES)).isdisjoint(spellings)
    except FileReadError:
        return None


def _generated(tree: FileTree) -> Iterator[re.Match[str]]:
    """The locales that an administrator has asked for: https://manpages.debian.org/locale.gen.5."""
    try:
        text = tree.read(_GENERATED, limit=_GENERATED_BYTES).decode("utf-8", "replace")
    except FileReadError:
        return
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 2:
            match = _LOCALE.fullmatch(words[0])
            if match is not None:
                yield match


def _spellings(match: re.Match[str]) -> tuple[str, ...]:
    """A name as it is, and with its codeset as glibc writes it: ``en_US.UTF-8``, ``en_US.utf8``."""
    if match["codeset"] is None:
        return (match[0],)
    codeset = re.sub("[^a-z0-9]", "", match["codeset"].lower())
    codeset = f"iso{codeset}" if codeset.isdigit() else codeset
    return match[0], f"{match['language']}.{codeset}{match['rest'] or ''}"


def _encoding(tree: FileTree, locale: str, env: Mapping[str, str], libc: Libc | None, python: str) -> str | None:
    version = _VERSION.match(python)
    if version is None:
        return None
    series = int(version[1]), int(version[2])
    if series < (3, 0):
        return "ascii"
    if series >= (3, 7):
        mode = env.get("PYTHONUTF8")
        if mode == "1" or (mode != "0" and (locale == "C" or series >= (3, 15))):
            return "utf-8"
        if locale == "C" and not env.get("LC_ALL") and env.get("PYTHONCOERCECLOCALE") != "0":
            targets = (find_locale(tree, {"LC_CTYPE": name}, libc=libc) for name in _COERCED)
            if any(one.there and one.name != "C" for one in targets):
                return "utf-8"
    return _of_locale(locale, libc)


def _of_locale(locale: str, libc: Libc | None) -> str | None:
    if locale == "C":
        return "ascii"
    if libc is not None and libc.family == "musl":
        return "utf-8"
    match = _LOCALE.fullmatch(locale)
    return _normal(match["codeset"]) if match is not None and match["codeset"] else None


def _normal(encoding: str) -> str | None:
    """As Python calls it: ``utf-8``, ``iso8859-1``."""
    try:
        return codecs.lookup(encoding).name if encoding and len(encoding) <= _LONGEST else None
    except (LookupError, ValueError):  # ValueError: a NUL
        return None
