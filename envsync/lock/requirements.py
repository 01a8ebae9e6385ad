"""``requirements.txt``, ``constraints.txt`` and ``os-packages.txt``: a snapshot's lines for other tools.

The format of the first two is https://pip.pypa.io/en/stable/reference/requirements-file-format/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from envsync.catalog.freeze import freeze_line
from envsync.errors import UnsafeValueError
from envsync.lock.graph import Graph, build_graph
from envsync.model import (
    ArchiveOrigin,
    DirectoryOrigin,
    Distribution,
    ImageSource,
    ListSource,
    LocalSource,
    Snapshot,
    VcsOrigin,
)
from envsync.redaction import printable

_SAFE_LINE = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:={2,3}[A-Za-z0-9.!+_*~-]+| @ (?:[a-z]+\+)?[a-z]+://[!-~]+)"
)


_VARIABLES_AS_USER = re.compile(r"://[^/@]*\$\{[^/@]*@")
"""``https://${USER}:${TOKEN}@host``: pip would fill in the reader's variables and send them to the image's host."""


def render_constraints(snapshot: Snapshot) -> str:
    """Every distribution, pinned: the lines of ``pip freeze --all``, origins inside the image as comments.

    Raises:
        UnsafeValueError: a name, version or URL would be more than one requirement.
    """
    what = "# Every distribution, as `pip freeze --all` prints it there."
    lines = [*header(snapshot), *_conda_note(snapshot), _NONE if _only_conda_is_known(snapshot) else what]
    owners = _owners(snapshot)
    for distribution in _by_name(snapshot.distributions):
        lines += pinned(distribution, owners)
    return "\n".join(lines) + "\n"


def render_requirements(snapshot: Snapshot) -> str:
    """The distributions that no other one needs, pinned; what no index can have is commented out.

    Raises:
        UnsafeValueError: a name, version or URL would be more than one requirement.
    """
    graph = build_graph(snapshot)
    owners = _owners(snapshot)
    local = {name: d for name, d in graph.distributions.items() if is_a_folder(d)}
    lines = [
        *header(snapshot),
        *_conda_note(snapshot),
        *_what_is_listed(snapshot),
        "#     pip install -r requirements.txt -c constraints.txt",
        *_conflict_notes(graph),
    ]
    for name in graph.roots(frozenset(graph.distributions) - local.keys()):
        lines += pinned(graph.distributions[name], owners)
    if local:
        lines += [
            "#",
            "# Not on any index, so commented out: these were installed from a folder inside the image.",
        ]
    for distribution in _by_name(local.values()):
        lines.append(f"# {_name_and_version(distribution)}  # {origin_comment(distribution)}")
    return "\n".join(lines) + "\n"


def render_os_packages(snapshot: Snapshot) -> str:
    """``name version architecture``, sorted."""
    packages = snapshot.os_packages or ()
    return "".join(f"{package.name} {package.version} {package.architecture}\n" for package in packages)


def exists_only_in_image(distribution: Distribution) -> bool:
    """Whether the recorded origin is a path inside the image, of no use anywhere else."""
    match distribution.origin:
        case DirectoryOrigin():
            return True
        case ArchiveOrigin(url=url) | VcsOrigin(url=url):
            return url.lower().startswith("file:")
    return False


def is_a_folder(distribution: Distribution) -> bool:
    """Whether no index can have it: installed from a folder, and not by conda, whose folder was its builder's."""
    if distribution.conda is not None:
        return False
    return exists_only_in_image(distribution) and not isinstance(distribution.origin, ArchiveOrigin)


def safe_requirement(line: str, distribution: Distribution) -> str:
    """``line``, once it is known to be one requirement and nothing else.

    Raises:
        UnsafeValueError: it is not.
    """
    if _SAFE_LINE.fullmatch(line) and "${" not in line and "@-" not in line:
        return line
    place = distribution.metadata or distribution.location
    raise UnsafeValueError(
        f"{printable(str(place or distribution.name))}: the distribution {printable(distribution.name)!r} "
        f"gives the unsafe requirement {printable(line)!r}",
        hint="Nothing was written. The image is damaged or hostile: its metadata would add lines or options.",
    )


def _by_name(distributions: Iterable[Distribution]) -> list[Distribution]:
    return sorted(distributions, key=lambda d: (d.name.lower(), d.name))


def _owners(snapshot: Snapshot) -> Mapping[str, str]:
    """Name of a conda package -> ``name=version=build``."""
    environment = snapshot.conda_environment
    packages = environment.packages if environment else ()
    return {package.name: f"{package.name}={package.version}={package.build}" for package in packages}


def pinned(distribution: Distribution, owners: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """The requirement that pins a distribution, after comments of one line each.

    Raises:
        UnsafeValueError: see :func:`safe_requirement`.
    """
    if distribution.conda is not None and exists_only_in_image(distribution):
        owner = owners.get(distribution.conda, distribution.conda)
        return [f"# of the conda package {printable(owner)}", _name_and_version(distribution)]
    if exists_only_in_image(distribution):
        return [f"# {origin_comment(distribution)}", _name_and_version(distribution)]
    return [safe_requirement(_VARIABLES_AS_USER.sub("://", freeze_line(distribution)), distribution)]


def _name_and_version(distribution: Distribution) -> str:
    without_origin = msgspec.structs.replace(distribution, origin=None, frozen=None)
    return safe_requirement(freeze_line(without_origin), distribution)


def origin_comment(distribution: Distribution) -> str:
    """Where in the image a distribution was installed from, on one line."""
    match distribution.origin:
        case ArchiveOrigin(url=url, hashes=hashes):
            proof = f" {' '.join(hashes)}" if hashes else ""
            return f"{distribution.name} was installed in the image from {printable(url)}{printable(proof)}"
        case VcsOrigin(url=url, vcs=vcs, commit=commit):
            return f"{distribution.name} was installed in the image from {printable(f'{vcs}+{url}@{commit}')}"
        case DirectoryOrigin(url=url, editable=editable):
            how = "editable, from" if editable else "from"
            return f"{distribution.name} was installed in the image {how} {printable(url)}"
    return distribution.name


def _what_is_listed(snapshot: Snapshot) -> list[str]:
    if _only_conda_is_known(snapshot):
        return [_NONE]
    if isinstance(snapshot.source, ListSource):
        return ["# All of them: a list does not tell which ones the others need. With constraints.txt:"]
    return ["# The distributions that no other one needs. Use it together with constraints.txt:"]


_NONE = "# The list tells nothing of what pip finds there: no line follows."


def _only_conda_is_known(snapshot: Snapshot) -> bool:
    return isinstance(snapshot.source, ListSource) and bool(snapshot.conda) and not snapshot.distributions


def _conda_note(snapshot: Snapshot) -> list[str]:
    if snapshot.conda_environment is None:
        return []
    return ["# A conda environment: its conda packages are in environment.yml, explicit.txt and conda-lock.yml."]


def _conflict_notes(graph: Graph) -> list[str]:
    if not graph.conflicts:
        return []
    return [
        "#",
        "# This set contradicts itself, in the image already (see `pip check` there), so that a resolver",
        "# may refuse it; `envsync create` and `pip install --no-deps -r constraints.txt` do not ask one:",
        *(f"#     {printable(str(conflict))}" for conflict in graph.conflicts),
    ]


def header(snapshot: Snapshot) -> list[str]:
    """Comments that say what image a file is of."""
    match snapshot.source:
        case ImageSource() as source:
            digest = source.digest or source.config_digest
            lines = [f"# {printable(source.reference)} ({digest})"]
        case ListSource() as source:
            lines = [
                f"# {printable(source.reference)}, from a published list, not from the image:",
                f"#     {printable(source.url)} ({printable(source.date)})",
                *(f"# Doubtful: {printable(f'{d.name} {d.value}: {d.note}')}" for d in source.doubts),
                # Of a conda image these tell what the list stands for, which may be its base alone.
                *(f"# Note: {printable(note)}" for note in source.notes if snapshot.conda),
            ]
        case LocalSource() as source:
            lines = [f"# {printable(str(source.path))}"]
    return [*lines, f"# Python {printable(snapshot.python.version)}. Written by envsync; do not edit."]
