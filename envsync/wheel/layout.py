"""Where an installed file belongs in a wheel: the inverse of what installers do.

Spec: https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import PurePosixPath

from msgspec import Struct

from envsync.contents import INSTALLERS_OWN, entry_point_scripts, is_generated
from envsync.model import Distribution, Interpreter
from envsync.names import normalized

_SITE = re.compile(r"(?P<prefix>.*)/lib(?:32|64)?/(?:python|pypy)[0-9.]*[a-z]*/(?:site|dist)-packages")
_SIBLING = re.compile(r"lib(?:32|64)?/(?:python|pypy)[0-9.]*[a-z]*/(?:site|dist)-packages/")
_HEADERS = re.compile(r"include/(?:site/)?(?:python|pypy)[0-9.]*[a-z]*/(?P<name>[^/]+)/(?P<rest>.+)")

DIRECT_URL = "direct_url.json"
"""Kept: pip, uv and installer leave one that is in a wheel, unless they are given the wheel by its own path."""


class Layout(Struct, frozen=True, kw_only=True):
    """The folders of one installed distribution."""

    site: str
    prefix: str
    name: str
    info: str
    """The name of its ``.dist-info`` in the image."""
    stem: str
    """``NAME-VERSION``, in the wheel."""
    generated: frozenset[str] = frozenset()
    """Scripts that installers make of entry points."""

    @classmethod
    def of(cls, distribution: Distribution, interpreter: Interpreter, info: PurePosixPath, stem: str) -> Layout:
        """The folders that belong to the one that holds the metadata."""
        site = str(info.parent)
        match = _SITE.fullmatch(site)
        prefix = str(interpreter.prefix or "")
        if match:
            prefix = match["prefix"]
        elif not prefix or not site.startswith(prefix.rstrip("/") + "/"):
            prefix = site
        return cls(
            site=site,
            prefix=prefix.rstrip("/"),
            name=distribution.name,
            info=info.name,
            stem=stem,
            generated=entry_point_scripts(distribution),
        )

    def absolute(self, recorded: str) -> str:
        """The path that a line of ``RECORD`` means."""
        path = posixpath.normpath(posixpath.join(self.site, recorded))
        return "/" + path.lstrip("/")

    def target(self, path: str) -> str | None:
        """Where an absolute path goes in the wheel; ``None``: an installer's own, which makes it again.

        Raises:
            OutsideError: it is not below the prefix.
        """
        if path.startswith(self.site + "/"):
            return self._library(path[len(self.site) + 1 :])
        if not path.startswith(self.prefix + "/"):
            raise OutsideError
        inner = path[len(self.prefix) + 1 :]
        folder, _, name = inner.partition("/")
        if folder == "bin" and name and "/" not in name:  # uv refuses folders among scripts
            return None if is_generated(name, self.generated) else f"{self.stem}.data/scripts/{name}"
        sibling = _SIBLING.match(inner)
        if sibling:  # pure and compiled files apart, as in lib and lib64
            return self._library(inner[sibling.end() :])
        headers = _HEADERS.fullmatch(inner)
        if headers and normalized(headers["name"]) == normalized(self.name):
            return f"{self.stem}.data/headers/{headers['rest']}"
        return f"{self.stem}.data/data/{inner}"

    def _library(self, inner: str) -> str | None:
        folder, _, rest = inner.partition("/")
        if folder != self.info or not rest:
            return None if self.is_special(inner) else inner
        return self.metadata(rest)

    def metadata(self, name: str) -> str | None:
        """Where a file of the metadata goes; ``None``: an installer's own."""
        return None if name in INSTALLERS_OWN and name != DIRECT_URL else f"{self.stem}.dist-info/{name}"

    def is_special(self, inner: str) -> bool:
        """Whether installers would take a file of ``site-packages`` for something else, were it in the wheel."""
        folder = inner.partition("/")[0]
        return folder in (f"{self.stem}.dist-info", f"{self.stem}.data")


class OutsideError(Exception):
    """A file that no wheel can put there; never leaves this room."""


def is_bytecode(path: str) -> bool:
    """Whether Python made the file of its source."""
    return "/__pycache__/" in f"/{path}"
