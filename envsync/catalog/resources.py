"""The data that a system gives to programs: locale, time zone, certificates, fonts, and libraries loaded by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

from envsync.catalog import locales, time_zones
from envsync.catalog.bounds import is_path
from envsync.catalog.known_needs import KnownNeed, needs_of, resolve
from envsync.catalog.needed_commands import find_command
from envsync.files import FileTree
from envsync.model import Distribution, Libc, Resource

PATTERNS: tuple[str, ...] = locales.PATTERNS + time_zones.PATTERNS
"""Files whose bytes :func:`find_resources` asks for; of all others it asks only whether they are there."""

FindLibrary = Callable[[str], PurePosixPath | None]
"""Where a loader finds a soname: the real path."""

_Needs = Sequence[tuple[Distribution, KnownNeed]]

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

    To which OS package something belongs is not looked up.

    Args:
        tree: an image, or this machine.
        distributions: of one environment.
        env: the variables that a program starts with.
        python: the version of the interpreter.
        libc: the C library; ``None``: another one, as that of macOS.
        find_library: see :data:`FindLibrary`.
    """
    needs = tuple(needs_of(tree, distributions))
    found = (
        *locales.find_text(tree, env, libc=libc, python=python),
        *time_zones.find_time(tree, env),
        _certificates(tree, env),
        _fonts(tree),
        _first_file("mime-types", tree, _MIME_TYPES),
        _java_home(tree, env),
    )
    by_kind = ((one, _needed_by(needs, one.kind)) for one in found)
    resources = [
        Resource(kind=one.kind, value=one.value, path=one.path, needed_by=names)
        for one, names in by_kind
        if one.value is not None or names
    ]
    resources += _libraries(needs, find_library)
    return tuple(sorted(resources, key=lambda one: (one.kind, one.value or "", one.name or "")))


def _needed_by(needs: _Needs, kind: str) -> tuple[str, ...]:
    return tuple(sorted({distribution.name for distribution, need in needs if kind in need.data}))


def _libraries(needs: _Needs, find_library: FindLibrary) -> Iterator[Resource]:
    wanted = ((one.name, need.libraries, need.optional_libraries) for one, need in needs)
    for soname, path, needed_by in resolve(wanted, find_library):
        value = path.name if path is not None else None
        yield Resource(kind="dynamic-library", name=soname, value=value, path=path, needed_by=needed_by)


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
    """How many files of fonts there are; the path is that of the first folder of the system that has one."""
    count, first = 0, None
    seen: set[PurePosixPath] = set()
    for top in _FONTS:
        here = _count_fonts(tree, PurePosixPath(top), seen)
        count += here
        if here and first is None:
            first = PurePosixPath(top)
    return Resource(kind="fonts", value=str(count), path=first) if count else Resource(kind="fonts")


def _count_fonts(tree: FileTree, top: PurePosixPath, seen: set[PurePosixPath]) -> int:
    count, looked_at = 0, 0
    waiting = [top]
    while waiting and len(seen) < _FONT_FOLDERS:
        found = tree.stat(waiting.pop())
        if found is None or found.kind != "directory" or found.path in seen:
            continue
        seen.add(found.path)
        names = tree.list(found.path)[: _FONT_NAMES - looked_at]
        looked_at += len(names)
        fonts = [name for name in names if name.lower().endswith(_FONT_ENDINGS)]
        count += len(fonts)
        waiting += [found.path / name for name in names if "." not in name]
    return count


def _java_home(tree: FileTree, env: Mapping[str, str]) -> Resource:
    """JAVA_HOME where it is there, else the folder that the command ``java`` is of."""
    named = env.get("JAVA_HOME", "")
    found = tree.stat(PurePosixPath(named)) if named.startswith("/") and is_path(named) else None
    if found is not None and found.kind == "directory":
        return Resource(kind="java-home", value=named, path=found.path)
    java = find_command(tree, "java", env)
    home = java.parent.parent if java is not None and java.parent.name == "bin" else None
    if home is None or home in _NO_HOME:
        return Resource(kind="java-home")
    return Resource(kind="java-home", value=str(home), path=home)
