"""Channels and a solver, by rattler: https://conda.github.io/rattler/py-rattler/."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from envsync.channels import TOKEN, split_package_url, ungrammatical, without_credentials
from envsync.conda_config.network import Network, make_client, without_user
from envsync.drift.match import matches_version
from envsync.errors import SolveError, UnsatisfiableError
from envsync.model import CondaPackage
from envsync.redaction import printable
from envsync.redaction import without_credentials as redacted
from envsync.solve.platforms import virtual_packages
from envsync.solve.wish import nearest_python

if TYPE_CHECKING:
    from rattler import Gateway, GenericVirtualPackage, RepoDataRecord
    from rattler.platform import Subdir

T = TypeVar("T")

_PATIENCE = datetime.timedelta(minutes=10)
_MOMENT = 0.02
"""Seconds."""
_SHOWN = 3_000
"""Characters of a solver's explanation, which may be a page for each of hundreds of packages."""


def solver() -> str:
    """Name and version of the solver."""
    return f"rattler {installed_version('py-rattler')}"


class Repodata:
    """What channels have of some packages for one platform."""

    def __init__(
        self, gateway: Gateway, subdir: str, sources: dict[str, str], favoured: Sequence[RepoDataRecord]
    ) -> None:
        self._gateway = gateway
        self._subdir = subdir
        self._sources = sources
        self._favoured = favoured
        self.versions: dict[str, frozenset[str]] = {}

    @classmethod
    def fetch(
        cls,
        packages: Sequence[CondaPackage],
        subdir: str,
        places: Mapping[str, tuple[str, ...]],
        network: Network,
        cache: Path | None,
    ) -> Repodata:
        """Ask channels, of each the first of its places that answers, which versions of ``packages`` they have.

        Raises:
            SolveError: names the channel that cannot be read.
        """
        # An index of shards may name another place, which would be sent the login: CEP 16.
        open_to_all = all(without_user(place) == place for found in places.values() for place in found)
        kinds = (True, False) if open_to_all else (False,)
        gateways = [_gateway(places, network, cache, shards=shards) for shards in kinds]
        sources: dict[str, str] = {}
        records: list[RepoDataRecord] = []
        names = sorted(filter(_is_name, {package.name for package in packages}))
        for channel, its_places in places.items():
            place, found = _first(gateways, channel, its_places, subdir, names)
            if place not in sources:  # of two channels with one mirror the first counts, as for conda
                sources[place] = channel
                records += found
        versions: dict[str, set[str]] = {}
        for record in records:
            versions.setdefault(record.name.normalized, set()).add(str(record.version))
        repodata = cls(gateways[0], subdir, sources, _favoured(packages, records, _python(packages, versions)))
        repodata.versions = {name: frozenset(found) for name, found in versions.items()}
        return repodata

    def solve(self, specs: Sequence[str]) -> tuple[CondaPackage, ...]:
        """Packages that meet ``specs``, of those that the image has too in its versions where that can be.

        Raises:
            UnsatisfiableError: there are none.
            SolveError: a channel cannot be read, or has a package that is none.
        """
        import rattler
        from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

        try:
            records = _done(
                rattler.solve(
                    list(self._sources),
                    list(specs),
                    gateway=self._gateway,
                    platforms=_platforms(self._subdir),
                    locked_packages=list(self._favoured),
                    virtual_packages=_machine(self._subdir),
                    timeout=_PATIENCE,
                    channel_relations="disabled",
                )
            )
        except SolverError as error:
            raise UnsatisfiableError(
                f"{self._subdir}: no solution: {self._plain(str(error))}",
                hint=f"No set of packages of the channels fits {self._subdir}. Pull without this --platform.",
            ) from error
        except InvalidMatchSpecError as error:
            raise UnsatisfiableError(f"{self._subdir}: {self._plain(str(error))} (expected a match spec)") from error
        except GatewayError as error:
            raise _unread(", ".join(self._sources.values()), self._subdir, self._plain(str(error))) from error
        return tuple(sorted((self._package(record) for record in records), key=lambda package: package.name))

    def _plain(self, text: str) -> str:
        for place in sorted(self._sources, key=len, reverse=True):
            text = text.replace(place, self._sources[place])
        return _shown(text)

    def _package(self, record: RepoDataRecord) -> CondaPackage:
        url = str(record.url)
        if place := longest_start(self._sources, url):
            channel = self._sources[place]
            return package_of(record, channel, channel + url.removeprefix(place))
        # A channel may keep its files elsewhere: https://github.com/conda/ceps/blob/main/cep-0015.md
        hidden = {TOKEN.sub("/t/********", place): channel for place, channel in self._sources.items()}
        name = str(record.channel).rstrip("/")
        return package_of(record, hidden.get(name, redacted(name)), url)


def package_of(record: RepoDataRecord, channel: str, url: str) -> CondaPackage:
    """What a channel says of a package, once it is known to be of the form that it must have.

    Raises:
        SolveError: it is not.
    """
    name, version, build = record.name.normalized, str(record.version), str(record.build)
    wrong = ungrammatical(name, version, build)
    texts = (*record.depends, *record.constrains)
    if wrong is None and not all(text.isascii() and text.isprintable() for text in texts):
        wrong = ("dependency", next(text for text in texts if not (text.isascii() and text.isprintable())))
    try:
        plain = "/".join(split_package_url(url))
        if not plain.startswith(("http://", "https://")):  # no channel leads into the file system of whoever pulls
            raise ValueError(plain)
    except ValueError:
        wrong, plain = wrong or ("URL", redacted(without_credentials(url))), ""
    if wrong is not None:
        raise SolveError(
            f"{printable(channel)}: package {printable(name)[:200]!r}: {wrong[0]} {printable(wrong[1])[:200]!r}",
            hint="The channel is damaged or hostile: tell whoever keeps it.",
        )
    noarch: Literal["python", "generic"] | None = (
        "python" if record.noarch.python else "generic" if record.noarch.generic else None
    )
    return CondaPackage(
        name=name,
        version=version,
        build=build,
        build_number=record.build_number,
        channel=channel,
        subdir=plain.split("/")[-2],
        url=plain,
        md5=record.md5.hex() if record.md5 else None,
        sha256=record.sha256.hex() if record.sha256 else None,
        size=record.size,
        noarch=noarch,
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
    )


def _first(
    gateways: list[Gateway], channel: str, places: Sequence[str], subdir: str, names: Sequence[str]
) -> tuple[str, list[RepoDataRecord]]:
    """The first of the places of a channel that answers, with its records; gateways that it does not answer go."""
    from rattler.exceptions import GatewayError

    failed: GatewayError | None = None
    for place in (without_user(place).rstrip("/") for place in places):
        # Asked again for its index of shards, a server may answer 304, which rattler takes for a failure.
        while True:
            try:
                return place, _query(gateways[0], place, subdir, names)
            except GatewayError as error:
                failed = error
                if "repodata_shards" not in str(error) or len(gateways) == 1:
                    break
                del gateways[0]
    text = str(failed)
    for place in places:
        text = text.replace(without_user(place).rstrip("/"), channel)
    raise _unread(channel, subdir, _shown(text)) from failed


def _query(gateway: Gateway, place: str, subdir: str, names: Sequence[str]) -> list[RepoDataRecord]:
    answer = _done(
        gateway.query([place], _platforms(subdir), list(names), recursive=False, channel_relations="disabled")
    )
    return [record for group in answer for record in group]


def _done(coroutine: Coroutine[object, object, T]) -> T:
    """What a coroutine of rattler's gives.

    Its threads let go of Python a moment later. An interpreter that ends in between crashes, after all was done.
    """

    async def settled() -> T:
        try:
            return await coroutine
        finally:
            await asyncio.sleep(_MOMENT)

    return asyncio.run(settled())


def _gateway(places: Mapping[str, tuple[str, ...]], network: Network, cache: Path | None, *, shards: bool) -> Gateway:
    from rattler import Gateway, SourceConfig

    every = {without_user(place).rstrip("/"): place.rstrip("/") for found in places.values() for place in found}
    return Gateway(
        cache_dir=cache,
        default_config=SourceConfig(
            sharded_enabled=shards, cache_action="force-cache-only" if network.offline else "cache-or-fetch"
        ),
        client=make_client(every, network),
    )


def _platforms(subdir: str) -> list[Subdir]:
    from rattler.platform import Subdir

    return [Subdir(subdir), Subdir("noarch")]


def _machine(subdir: str) -> list[GenericVirtualPackage]:
    from rattler import GenericVirtualPackage, PackageName, Version
    from rattler.package import BuildString

    parts = ((name, *value.partition(" ")) for name, value in virtual_packages(subdir).items())
    return [
        GenericVirtualPackage(PackageName(name), Version(version), BuildString(build or "0"))
        for name, version, _, build in parts
    ]


def _is_name(name: str) -> bool:
    """Whether rattler, which is asked by it, reads it as a name: not so ``x.conda``."""
    from rattler import MatchSpec
    from rattler.exceptions import InvalidMatchSpecError

    try:
        return str(MatchSpec(name, strict=True)) == name
    except InvalidMatchSpecError:
        return False


def longest_start(places: Iterable[str], url: str) -> str | None:
    """The place that ``url`` is below; of a channel and one inside of it, the latter."""
    return max((place for place in places if url.startswith(f"{place}/")), key=len, default=None)


def _python(packages: Iterable[CondaPackage], versions: Mapping[str, set[str]]) -> str | None:
    """The version of Python that the image's packages will be solved with."""
    image = next((package.version for package in packages if package.name == "python"), None)
    return None if image is None else nearest_python(image, versions.get("python", set()))


def _favoured(
    packages: Iterable[CondaPackage], records: Iterable[RepoDataRecord], python: str | None
) -> list[RepoDataRecord]:
    """Of each package the record in the image's version: for its Python, of its build, else the latest one.

    Earlier channels come first.
    """
    image = {package.name: package for package in packages}
    best: dict[str, RepoDataRecord] = {}
    for record in records:
        package = image.get(record.name.normalized)
        if package is None or str(record.version) != package.version:
            continue
        kept = best.get(package.name)
        if kept is None or (
            kept.channel == record.channel and _rank(record, package.build, python) > _rank(kept, package.build, python)
        ):
            best[package.name] = record
    return list(best.values())


def _rank(record: RepoDataRecord, build: str, python: str | None) -> tuple[bool, bool, int]:
    return python is None or _accepts(record, python), str(record.build) == build, record.build_number


def _accepts(record: RepoDataRecord, python: str) -> bool:
    specs = (spec.split() for spec in record.depends)
    return all(matches_version(spec[1], python) is not False for spec in specs if spec[:1] == ["python"] and spec[1:])


def _unread(channel: str, subdir: str, reason: str) -> SolveError:
    first, *causes = reason.split("\nCaused by: ")
    reason = f"{first}: {causes[-1]}" if causes else first  # those between say which URL was asked
    return SolveError(
        f"{printable(channel)}: cannot be read for {subdir}: {reason}",
        hint="Is this machine online, and the channel still there? Pulling without this --platform needs no channel.",
    )


def _shown(text: str) -> str:
    """What rattler says, fit for a terminal, line by line, without credentials."""
    plain = TOKEN.sub("/t/withheld", redacted(text)).strip()[:_SHOWN]
    return "\n".join(printable(line) for line in plain.splitlines())
