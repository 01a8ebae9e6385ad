"""Published lists of conda packages: ``name=version=build`` lines, and a table of what the channel said of each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsync.channels import split_package_url
from envsync.model import CondaPackage
from envsync.official.catalogue import CatalogueError
from envsync.redaction import printable

_SPEC = re.compile(r"([a-z0-9_][a-z0-9_.-]*)=([A-Za-z0-9_.+!]+)=([A-Za-z0-9_.+]+)")
_MD5 = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{1,15}")
_COLUMNS = ("name", "version", "build", "build_number", "channel", "file", "md5", "size", "depends")

Spec = tuple[str, str, str]


def parse_conda_list(text: str, where: str) -> tuple[Spec, ...]:
    """Parse lines of ``name=version=build``; empty lines and lines that begin with ``#`` are skipped.

    Raises:
        CatalogueError: names each line that is something else or repeats a name; or there is none at all.
    """
    found: dict[str, Spec] = {}
    problems = []
    for number, line in _lines(text):
        match = _SPEC.fullmatch(line)
        if match is None:
            problems.append(f"{where}, line {number}: {printable(line)[:80]!r} (expected name=version=build)")
        elif match[1] in found:
            problems.append(f"{where}, line {number}: {match[1]} is there already")
        else:
            found[match[1]] = (match[1], match[2], match[3])
    if problems:
        raise CatalogueError("\n".join(problems))
    if not found:
        raise CatalogueError(f"{where}: no package in it (expected lines of name=version=build)")
    return tuple(found.values())


def parse_records(text: str, where: str) -> tuple[CondaPackage, ...]:
    """Parse a table with tabs, its columns named in the first line; ``depends`` are separated by ``;``. By name.

    Raises:
        CatalogueError: names each line that lacks a column or has an impossible value; or there is none at all.
    """
    rows = _lines(text)
    header = next(rows, (0, ""))[1].split("\t")
    if missing := [column for column in _COLUMNS if column not in header]:
        raise CatalogueError(f"{where}: no column {', '.join(missing)} (expected {', '.join(_COLUMNS)})")
    packages, problems = [], []
    for number, line in rows:
        values = line.split("\t")
        try:
            if len(values) != len(header):
                raise ValueError(f"{len(values)} columns (expected {len(header)})")
            packages.append(_record(dict(zip(header, values, strict=True))))
        except ValueError as error:
            problems.append(f"{where}, line {number}: {error}")
    if problems:
        raise CatalogueError("\n".join(problems))
    if not packages:
        raise CatalogueError(f"{where}: no record in it (expected a line for each package)")
    return tuple(sorted(packages, key=lambda package: package.name))


def conda_packages(text: str, where: str, records: str, records_where: str) -> tuple[CondaPackage, ...]:
    """The packages of a list, with their records.

    Raises:
        CatalogueError: one of both is damaged, or they are not of the same packages.
    """
    listed = set(parse_conda_list(text, where))
    packages = parse_records(records, records_where)
    recorded = {(package.name, package.version, package.build) for package in packages}
    if len(recorded) != len(packages):
        raise CatalogueError(f"{records_where}: a package is there twice")
    if differing := sorted("=".join(spec) for spec in listed ^ recorded):
        raise CatalogueError(f"{records_where}: not of the packages of {where}: {', '.join(differing[:5])}")
    return packages


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered, without comments. A trailing tab is an empty column, so only line ends go."""
    for number, line in enumerate(text.split("\n"), start=1):
        entry = line.strip("\r ")
        if entry and not entry.startswith("#"):
            yield number, entry


def _record(row: dict[str, str]) -> CondaPackage:
    spec = f"{row['name']}={row['version']}={row['build']}"
    if not _SPEC.fullmatch(spec):
        raise ValueError(f"{printable(spec)[:80]!r} (expected name, version and build)")
    for column, grammar in (("build_number", _NUMBER), ("size", _NUMBER), ("md5", _MD5)):
        if not grammar.fullmatch(row[column]):
            raise ValueError(f"{row['name']}: {column} {printable(row[column])[:80]!r}")
    url = f"{row['channel']}/{row['file']}"
    channel, subdir, _ = split_package_url(url)
    return CondaPackage(
        name=row["name"],
        version=row["version"],
        build=row["build"],
        build_number=int(row["build_number"]),
        channel=channel,
        subdir=subdir,
        url=url,
        md5=row["md5"],
        size=int(row["size"]),
        depends=tuple(spec.strip() for spec in row["depends"].split(";") if spec.strip()),
    )
