"""How ``pip freeze --all`` spells an installed distribution: https://pip.pypa.io/en/stable/cli/pip_freeze/."""

from __future__ import annotations

from msgspec import Struct

from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, Origin, VcsOrigin


class Spelling(Struct, frozen=True, kw_only=True):
    """What the pip of an environment makes of names, versions and origins."""

    backend: str = "importlib"
    """``pkg_resources`` or ``importlib``: where it takes names and versions from."""

    @classmethod
    def of(cls, pip: str | None, python: str | None) -> Spelling:
        """The rules of one version of pip on one version of Python; ``None``: unknown, so the newest rules."""
        return cls()


def freeze_line(distribution: Distribution) -> str:
    """The line that ``pip freeze --all`` prints for ``distribution``, without comments."""
    return _reference(distribution.name, distribution.origin) or f"{distribution.name}=={distribution.version}"


def _reference(name: str, origin: Origin | None) -> str | None:
    """A direct reference by PEP 440, built as pip does; ``None`` for an index."""
    fragments: list[str] = []
    match origin:
        case None:
            return None
        case VcsOrigin():
            url = f"{origin.vcs}+{origin.url}@{origin.commit}"
        case ArchiveOrigin():
            url = origin.url
            fragments = list(origin.hashes[:1])
        case DirectoryOrigin(editable=True):
            from urllib.parse import unquote

            return f"-e {unquote(origin.url.removeprefix('file://'))}"
        case DirectoryOrigin():
            url = origin.url
    if origin.subdirectory:
        fragments.append("subdirectory=" + origin.subdirectory)
    return f"{name} @ {url}" + ("#" + "&".join(fragments) if fragments else "")
