"""What lies beside an sdist that is built inside the environment: build tools, and what it needs but does not ask for.

They are put into a folder of their own, ahead of the environment's distributions and never among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envsync.build.known_builds import KnownBuild, requirement_name
from envsync.build.plan import FromIndex, Installable
from envsync.names import normalized

_PROVIDERS = {
    "Cython": "Cython",
    "cffi": "cffi",
    "flit": "flit",
    "flit_core": "flit-core",
    "hatchling": "hatchling",
    "hatch_vcs": "hatch-vcs",
    "jupyter_packaging": "jupyter-packaging",
    "maturin": "maturin",
    "mesonpy": "meson-python",
    "numpy": "numpy",
    "packaging": "packaging",
    "pbr": "pbr",
    "pdm": "pdm-backend",
    "pkg_resources": "setuptools<81",
    "pkgconfig": "pkgconfig",
    "poetry": "poetry-core",
    "pybind11": "pybind11",
    "pypandoc": "pypandoc",
    "scikit_build_core": "scikit-build-core",
    "setuptools_rust": "setuptools-rust",
    "setuptools_scm": "setuptools-scm",
    "six": "six",
    "skbuild": "scikit-build",
    "toml": "toml",
    "versioneer": "versioneer",
}
"""Module → requirement: only these are ever fetched for a module that a build misses. Its name alone tells nothing of
who owns a distribution of that name."""


def build_tools(python: str, wanted: Iterable[Installable], *, dated: bool = False) -> tuple[str, ...]:
    """Requirements of the tools that old sdists take for granted and that are not ``wanted`` themselves.

    ``dated``: the newest as of a date are meant, which need no other limit.
    """
    minor = tuple(int(number) for number in python.split(".")[:2])
    if dated:
        tools = {"setuptools": "setuptools", "wheel": "wheel"}
    else:
        # The last setuptools that still knows use_2to3 and friends; 3.12 and later only run with newer ones.
        tools = {"setuptools": "setuptools<58" if minor < (3, 12) else "setuptools<81", "wheel": "wheel<0.46"}
    have = {normalized(part.name) for part in wanted}
    return tuple(requirement for name, requirement in tools.items() if name not in have)


def known_requirements(
    part: Installable, wanted: Iterable[Installable], known: Iterable[KnownBuild]
) -> tuple[str, ...]:
    """What the builds of this release are known to need, without what the lock's own versions satisfy."""
    found = [text for one in known if one.fits(part.name, part.version) for text in one.requires]
    return tuple(text for text in dict.fromkeys(found) if not is_met(text, wanted))


def is_met(requirement: str, wanted: Iterable[Installable]) -> bool:
    """Whether one of the lock's distributions satisfies ``requirement``."""
    from packaging.requirements import Requirement
    from packaging.version import InvalidVersion

    name, specifier = requirement_name(requirement), Requirement(requirement).specifier
    try:
        return any(
            normalized(part.name) == name and specifier.contains(part.version, prereleases=True) for part in wanted
        )
    except InvalidVersion:
        return False


def provider(module: str | None) -> str | None:
    """The requirement that provides a module of the usual build tools; ``None`` of any other."""
    return _PROVIDERS.get(module or "")


def constraints(wanted: Iterable[Installable], requirements: Sequence[str]) -> tuple[str, ...]:
    """The lock's own versions, for what ``requirements`` in turn depend on."""
    asked = {requirement_name(text) for text in requirements}
    return tuple(
        f"{part.name}=={part.version}"
        for part in wanted
        if isinstance(part, FromIndex) and normalized(part.name) not in asked
    )
