"""How ``pip freeze --all`` spells a distribution: https://pip.pypa.io/en/stable/cli/pip_freeze/.

Where pip takes names, versions and origins from has changed over time: :class:`Spelling` says what one
release does, :func:`freeze_line` gives its line.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, VcsOrigin
from envsync.names import normalized, pep440

_NUMBERS = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?")
_FOLDER = re.compile(r"(?P<name>[^-]+)(?:-(?P<version>[^-]+)(?:-py[^-]+(?:-.+)?)?)?", re.DOTALL)
_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")


class Spelling(Struct, frozen=True, kw_only=True):
    """What the pip of an environment makes of names, versions and origins; by default the newest."""

    backend: Literal["pkg_resources", "importlib"] = "importlib"
    """The library that finds distributions: since pip 22.2 it is ``importlib`` on Python 3.11 and newer."""
    folder_names: bool = False
    """Names come from the folder, with ``-`` for all but letters, digits and dots (before pip 21.2)."""
    folder_versions: bool = True
    """``importlib``: versions come from the folder of a ``.dist-info`` (since pip 24.2)."""
    lowest_first: bool = False
    """``pkg_resources``: of copies in a folder the first by name counts (since pip 23.1), not the newest."""
    direct_urls: bool = True
    """``direct_url.json`` is read (since pip 20.1)."""
    all_hashes: bool = True
    """Of an archive's hashes the first of ``hashes`` is shown (since pip 26.1), not only ``hash``."""
    editables: Literal["never", "link", "all"] = "all"
    """Which are ``-e``, outside of version control: none (before 19.0), ``.egg-link`` (before 21.3), all."""
    raw_links: bool = True
    """An ``.egg-link`` may also be named as the distribution spells itself (since pip 24.0)."""

    @classmethod
    def of(cls, pip: str | None, python: str | None) -> Spelling:
        """What a version of pip does on a version of Python; the newest where one is unknown."""
        release, runs_on = _release(pip), _release(python)
        modern = release >= (22, 2) and runs_on >= (3, 11)
        return cls(
            backend="importlib" if modern else "pkg_resources",
            folder_names=release < (21, 2),
            folder_versions=release >= (24, 2),
            lowest_first=release >= (23, 1),
            direct_urls=release >= (20, 1),
            all_hashes=release >= (26, 1),
            editables="never" if release < (19, 0) else "link" if release < (21, 3) else "all",
            raw_links=release >= (24, 0),
        )


def _release(version: str | None) -> tuple[int, int]:
    match = _NUMBERS.match(version or "")
    return (int(match[1]), int(match[2] or 0)) if match else (10**9, 0)


class FolderName(Struct, frozen=True, kw_only=True):
    """What the name of a ``.dist-info``, ``.egg-info`` or ``.egg`` says."""

    name: str
    """Empty where it begins with a hyphen."""
    version: str | None

    @classmethod
    def parse(cls, filename: str) -> FolderName:
        """Split ``zope.interface-5.0-py3.7.egg-info``; the whole stem is the name where it has no version."""
        match = _FOLDER.match(filename.rpartition(".")[0])
        return cls(name=match["name"], version=match["version"]) if match else cls(name="", version=None)


def safe_name(name: str) -> str:
    """``name`` as setuptools makes it safe: ``prompt_toolkit`` becomes ``prompt-toolkit``."""
    return _UNSAFE.sub("-", name)


def safe_version(version: str) -> str:
    """``version`` as setuptools makes it safe: normal by PEP 440, else with ``-`` for odd characters."""
    return pep440(version) or _UNSAFE.sub("-", version.replace(" ", "."))


def freeze_line(distribution: Distribution) -> str:
    """The line that ``pip freeze --all`` prints for ``distribution`` in its environment, without comments.

    Of an editable inside a version control checkout pip prints the checkout's remote; here it is the folder.
    """
    return distribution.frozen or _plain_line(distribution)


def frozen_unless_plain(distribution: Distribution, line: str) -> Distribution:
    """``distribution`` with the ``line`` that its pip prints, unless the model tells it anyway."""
    return distribution if line == _plain_line(distribution) else replace(distribution, frozen=line)


def _plain_line(distribution: Distribution) -> str:
    """What name, version and origin tell by themselves."""
    name = distribution.name
    match distribution.origin:
        case VcsOrigin(url=url, vcs=vcs, commit=commit, subdirectory=subdirectory):
            return direct_reference(name, f"{vcs}+{url}@{commit}", None, subdirectory)
        case ArchiveOrigin(url=url, hashes=hashes, subdirectory=subdirectory):
            return direct_reference(name, url, hashes[0] if hashes else None, subdirectory)
        case DirectoryOrigin(url=url, editable=True):
            return f"-e {folder_of(url)}"
        case DirectoryOrigin(url=url, subdirectory=subdirectory):
            return direct_reference(name, url, None, subdirectory)
        case None:
            return pinned(name, distribution.version)


def pinned(name: str, version: str) -> str:
    """``name==version``, with ``===`` where PEP 440 does not know the version."""
    return f"{name}=={version}" if pep440(version) else f"{name}==={version}"


def direct_reference(name: str, url: str, archive_hash: str | None, subdirectory: str | None) -> str:
    """``name @ url#fragment``, by https://packaging.python.org/en/latest/specifications/version-specifiers/."""
    fragments = [archive_hash] if archive_hash else []
    if subdirectory:
        fragments.append(f"subdirectory={subdirectory}")
    return f"{name} @ {url}" + ("#" + "&".join(fragments) if fragments else "")


def folder_of(url: str) -> str:
    """The path of a ``file:`` URL; other URLs stay as they are."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return unquote(parts.path) if parts.scheme == "file" and parts.path else url


def canonical_folder_name(folder: FolderName, spelling: Spelling) -> str:
    """The name by which pip knows what it found, before it reads any metadata."""
    return normalized(safe_name(folder.name) if spelling.backend == "pkg_resources" else folder.name)
