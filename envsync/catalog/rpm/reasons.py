"""Why a package is there, as the programs that call rpm remember it.

dnf: https://github.com/rpm-software-management/libdnf/blob/dnf-4-master/libdnf/transaction/sql/create_tables.sql;
dnf 5: https://github.com/rpm-software-management/dnf5/blob/main/libdnf5/system/state.cpp; zypper: ``AutoInstalled``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import msgspec
from msgspec.structs import replace

from envsync.catalog.bounds import Notes
from envsync.catalog.rpm.header import StoreError
from envsync.catalog.rpm.sqlite import Database, Row, Value
from envsync.files import FileReadError, FileTree
from envsync.model import OsPackage, Skipped

_DNF = "/var/lib/dnf/history.sqlite"
_DNF5 = "/usr/lib/sysimage/libdnf5/packages.toml"
_ZYPPER = "/var/lib/zypp/AutoInstalled"

PATTERNS: tuple[str, ...] = (
    r"/var/lib/dnf/history\.sqlite",
    r"/usr/lib/sysimage/libdnf5/packages\.toml",
    _ZYPPER,
)

Explicit = Callable[[OsPackage], bool | None]

_DONE = 1
_LEAVES = (3, 5, 7, 10)
"""Actions that tell what was replaced by another version."""
_REMOVE = 8
_REASONS: dict[Value, bool] = {1: False, 2: True, 3: False, 4: False, 5: True}
"""Dependency, user, to be cleaned up, weak dependency, group."""
_REASONS5 = {"User": True, "External User": True, "Group": True, "Dependency": False, "Weak Dependency": False}


def with_reasons(tree: FileTree, packages: tuple[OsPackage, ...], notes: Notes) -> tuple[OsPackage, ...]:
    """The packages, marked as asked for or not where it is known."""
    for place, parse in ((_DNF5, parse_dnf5), (_DNF, parse_dnf), (_ZYPPER, parse_zypper)):
        info = tree.stat(PurePosixPath(place))
        if info is not None and info.size:
            try:
                explicit = parse(tree.read(PurePosixPath(place)))
            except (FileReadError, StoreError) as error:
                notes.add(Skipped(subject="why OS packages are there", place=place, reason=error.message))
            else:
                return tuple(replace(p, explicit=explicit(p)) if p.manager == "rpm" else p for p in packages)
    return packages


def parse_dnf(data: bytes) -> Explicit:
    """Of ``history.sqlite`` of dnf: what the last transaction that a package had a part in says.

    Raises:
        StoreError: it is damaged.
    """
    database = Database(data)
    names = {item: (name, arch) for item, name, arch in _rows(database, "rpm", 1, 2, 6)}
    done = {number for number, state in _rows(database, "trans", 0, 9) if state == _DONE}
    last: dict[tuple[Value, Value], bool | None] = {}
    # Transactions and what they did are kept in the order in which they were.
    for transaction, item, action, reason in _rows(database, "trans_item", 2, 3, 5, 6):
        if transaction in done and item in names and action not in _LEAVES:
            last[names[item]] = None if action == _REMOVE else _REASONS.get(reason)
    return lambda package: last.get((package.name, package.architecture))


def _rows(database: Database, table: str, *columns: int) -> Iterator[Row]:
    for row in database.rows(table):
        if len(row) <= max(columns):
            raise StoreError(f"a table {table} with too few columns")
        yield tuple(row[column] for column in columns)


def parse_dnf5(data: bytes) -> Explicit:
    """Of ``packages.toml`` of dnf 5.

    Raises:
        StoreError: it is damaged.
    """
    try:
        told = msgspec.toml.decode(data, type=_Dnf5).packages
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError("it is no packages.toml of dnf 5") from error

    def explicit(package: OsPackage) -> bool | None:
        entry = told.get(f"{package.name}.{package.architecture}")
        return _REASONS5.get(entry.reason) if entry is not None else None

    return explicit


def parse_zypper(data: bytes) -> Explicit:
    """Of ``AutoInstalled`` of zypper: the names of what nobody asked for."""
    lines = data.decode("utf-8", "replace").splitlines()
    names = {line.strip() for line in lines if not line.startswith("#")}
    return lambda package: package.name not in names


class _Package(msgspec.Struct):
    reason: str = ""


class _Dnf5(msgspec.Struct):
    packages: dict[str, _Package]
