"""The data that a system gives to programs: locale, time zone, certificates, fonts, and libraries loaded by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

from msgspec.structs import replace

from envsync.catalog import locales, time_zones
from envsync.catalog.bounds import is_path
from envsync.catalog.known_needs import KnownNeed, does_as_well, needs_of, resolve
from envsync.catalog.needed_commands import find_command
from envsync.files import FileTree
from envsync.model import Distribution, Libc, Resource

PATTERNS: tuple[str, ...] = locales.PATTERNS + time_zones.PATTERNS
"""Files whose bytes :func:`find_resources` asks for; of all others it asks only whether they are there."""

FindLibrary = Callable[[str], PurePosixPath | None]
"""Where a loader finds a soname: the real path."""

# What OpenSSL is built for on Fedora and SUSE, on Alpine, Arch and macOS, on Debian.
_CERTIFICATES = (
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
)
# https://github.com/python/cpython/blob/v3.13.0/Lib/mimetypes.py
_MIME_TYPES = (
    "/etc/mime.types",
    "/etc/httpd/mime.types",
    "/etc/httpd/conf/mime.types",
    "/etc/apache/mime.types",
    "/etc/apache2/mime.types",
    "/usr/local/etc/httpd/conf/mime.types",
    "/usr/local/lib/netscape/mime.types",
    "/usr/local/etc/mime.types",
)
_FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts")
_FONT_ENDINGS = (".ttf", ".otf", ".ttc", ".pfb")
_FONT_FOLDERS = 2_000
_FONT_NAMES = 50_000
_NO_HOME = frozenset(map(PurePosixPath, ("/", "/usr", "/usr/local")))


def find_resources(
    tree: FileTree,
    distributions: Sequence[Distribution],
    env: Mapping[str, str],
    *,
    python: str,
    libc: Libc | None,
    find_library: FindLibrary,
) -> tuple[Resource, ...]:
    """What there is, by kind and value, and what there is not, where one of the distributions is known to need it.

    To which OS package something belongs is not looked up; each path is that of a file that one may own.

    Args:
        tree: an image, or this machine.
        distributions: of one environment.
        env: the variables that a program starts with.
        python: the version of the interpreter.
        libc: the C library; ``None``: another one, as that of macOS.
        find_library: see :data:`FindLibrary`.
    """
    needs = tuple(needs_of(tree, distributions))
    resources = list(_libraries(needs, find_library))
    for one in _data(tree, env, python, libc):
        needed_by = tuple(sorted({distribution.name for distribution, need in needs if one.kind in need.data}))
        if one.value is not None or needed_by:
            resources.append(replace(one, needed_by=needed_by))
    return tuple(sorted(resources, key=lambda one: (one.kind, one.value or "", one.name or "")))


def ask_for_resources(
    tree: FileTree,
    needed: Iterable[Resource],
    env: Mapping[str, str],
    *,
    python: str,
    libc: Libc | None,
    find_library: FindLibrary,
) -> tuple[Resource, ...]:
    """The same resources in another tree, or what does as well; what cannot be told there is left out.

    Args:
        needed: what was found in the first tree; each answer has its kind, name and ``needed_by``.
        tree, env, python, libc, find_library: see :func:`find_resources`.
    """
    data = {one.kind: one for one in _data(tree, env, python, libc)}
    answers = []
    for one in needed:
        if one.name is not None:
            paths = (find_library(name) for name in does_as_well(one.name, one.needed_by))
            answers.append(_library(one.name, next((path for path in paths if path is not None), None), one.needed_by))
        elif one.kind in data:
            answers.append(replace(data[one.kind], needed_by=one.needed_by))
    return tuple(answers)


def _data(tree: FileTree, env: Mapping[str, str], python: str, libc: Libc | None) -> Iterator[Resource]:
    """One of each kind that can be told; without a value where there is none."""
    yield from locales.find_text(tree, env, libc=libc, python=python)
    yield from time_zones.find_time(tree, env)
    yield _certificates(tree, env)
    yield _fonts(tree)
    yield _first_file("mime-types", tree, _MIME_TYPES)
    yield _java_home(tree, env)


def _libraries(needs: Sequence[tuple[Distribution, KnownNeed]], find_library: FindLibrary) -> Iterator[Resource]:
    wanted = ((one.name, need.libraries, need.optional_libraries) for one, need in needs)
    for soname, path, needed_by in resolve(wanted, find_library):
        yield _library(soname, path, needed_by)


def _library(soname: str, path: PurePosixPath | None, needed_by: tuple[str, ...]) -> Resource:
    value = path.name if path is not None else None
    return Resource(kind="dynamic-library", name=soname, value=value, path=path, needed_by=needed_by)


def _certificates(tree: FileTree, env: Mapping[str, str]) -> Resource:
    """The file that OpenSSL trusts: https://docs.openssl.org/3.0/man3/SSL_CTX_load_verify_locations/."""
    own = env.get("SSL_CERT_FILE")
    return _first_file("certificates", tree, (own,) if own else _CERTIFICATES)


def _first_file(kind: Literal["certificates", "mime-types"], tree: FileTree, names: Sequence[str]) -> Resource:
    for name in names:
        found = tree.stat(PurePosixPath(name)) if name.startswith("/") and is_path(name) else None
        if found is not None and found.kind == "file":
            return Resource(kind=kind, value=name, path=found.path)
    return Resource(kind=kind)


def _fonts(tree: FileTree) -> Resource:
    """How many files of fonts there are; the path is that of the first one."""
    count, looked_at = 0, 0
    first: PurePosixPath | None = None
    seen: set[PurePosixPath] = set()
    waiting = [PurePosixPath(top) for top in reversed(_FONTS)]
    while waiting and len(seen) < _FONT_FOLDERS:
        found = tree.stat(waiting.pop())
        if found is None or found.kind != "directory" or found.path in seen:
            continue
        seen.add(found.path)
        names = tree.list(found.path)[: _FONT_NAMES - looked_at]
        looked_at += len(names)
        fonts = [name for name in names if name.lower().endswith(_FONT_ENDINGS)]
        count += len(fonts)
        first = first or (found.path / fonts[0] if fonts else None)
        waiting += [found.path / name for name in reversed(names) if "." not in name]
    return Resource(kind="fonts", value=str(count), path=first) if count else Resource(kind="fonts")


def _java_home(tree: FileTree, env: Mapping[str, str]) -> Resource:
    """JAVA_HOME where it is there, else the folder that the command ``java`` is of; the path is that of the command."""
    java = find_command(tree, "java", env)
    named = env.get("JAVA_HOME", "")
    found = tree.stat(PurePosixPath(named)) if named.startswith("/") and is_path(named) else None
    if found is not None and found.kind == "directory":
        return Resource(kind="java-home", value=named, path=java)
    home = java.parent.parent if java is not None and java.parent.name == "bin" else None
    if home is None or home in _NO_HOME:
        return Resource(kind="java-home")
    return Resource(kind="java-home", value=str(home), path=java)
