"""Fetching conda packages and linking them into a prefix, by rattler: https://conda.github.io/rattler/py-rattler/.

Nothing is solved. Package files come from a cache that pixi and rattler-build share, else from a channel; either way
they are what the lock's hash says.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envsync.build.conda.failure import Failure, build_error, explain, shown
from envsync.build.conda.open_files import enough_open_files
from envsync.build.events import Event, Waiting
from envsync.channels import without_credentials
from envsync.conda_config.network import Network, make_client, network_variables
from envsync.errors import BuildError
from envsync.model import CondaPackage

if TYPE_CHECKING:
    from rattler import PackageCache, RepoDataRecord

PATIENCE = 120.0
"""Seconds in which nothing at all happens."""
_TICK = 0.1
_CALM = 3
_SETTLED = 100
"""Looks, each half a tick after the one before: how many find nothing new, and how many at most."""
_ELSEWHERE = frozenset({"gone", "refused", "server", "network", "hash", "damaged"})
"""Failures that another place for the same channel may not have."""

Places = Callable[[str], tuple[str, ...]]
"""The URL of a channel, as records have it, to those that its packages are fetched from, in order."""


class Job(Struct, frozen=True, kw_only=True):
    """What to install, and where."""

    packages: tuple[CondaPackage, ...]
    prefix: Path
    """An empty folder."""
    target: Path
    """The path that files of the packages shall take for their prefix."""
    places: Places
    network: Network = Network()
    patience: float = PATIENCE
    on_event: Callable[[Event], None]


def install_packages(job: Job) -> tuple[Path, ...]:
    """Make the prefix hold exactly these packages.

    Link scripts of packages are not run: they are programs of whoever made the package. Every file of the package
    cache is hashed before it is linked; a package of which one is not as it was is fetched again.

    Returns:
        The folders of the package cache, from which packages were linked.

    Raises:
        BuildError: names the package, its URL and the cause.
    """
    check_hashes(job.packages)
    channels = dict.fromkeys(package.channel for package in job.packages)
    chosen = {channel: list(job.places(channel)) for channel in channels}
    while True:
        try:
            with network_variables(job.network), enough_open_files(len(job.packages)):
                asyncio.run(_install(job, {channel: places[0] for channel, places in chosen.items()}))
        except _FailedError as error:
            failed = error.failure.package
            # What came in is in the cache: only what is missing is asked for again, elsewhere.
            if failed is None or error.failure.kind not in _ELSEWHERE or len(chosen[failed.channel]) < 2:
                place = chosen[failed.channel][0] if failed is not None else ""
                raise build_error(error.failure, without_credentials(place) if place else "", cache_folder()) from None
            chosen[failed.channel].pop(0)
        else:
            return cache_folders(job.packages)


def check_hashes(packages: Iterable[CondaPackage]) -> None:
    """Refuse packages that nothing could be compared with.

    Raises:
        BuildError: names all of them.
    """
    unknown = [package.name for package in packages if package.md5 is None and package.sha256 is None]
    if unknown:
        raise BuildError(
            f"{shown(unknown)}: the lock has no hash of the package, so that nobody could tell it from another",
            hint="conda takes it unchecked: --backend conda",
        )


class _FailedError(Exception):
    """Carries a failure out of the event loop."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


async def _install(job: Job, places: Mapping[str, str]) -> None:
    import rattler
    from rattler.exceptions import InstallerError, LinkError, TransactionError

    from envsync.build.conda.reporter import Reporter

    reporter = Reporter(len(job.packages), job.on_event)  # type: ignore[abstract]  # mypy takes a docstring for no body
    _tell_of_lock(cache_folder(), job.on_event)
    records = [_record(package) for package in job.packages]
    cache = _package_cache(job.packages)
    if job.network.offline:
        await _check_cached(records, cache)
    installing = asyncio.ensure_future(
        rattler.install(
            records,
            job.prefix,
            installed_packages=[],
            execute_link_scripts=False,
            show_progress=False,
            client=make_client(places, job.network),
            reporter=reporter,
            alternative_target_prefix=job.target,
            package_cache=cache,
        )
    )
    done = False
    try:
        while not (await asyncio.wait({installing}, timeout=_TICK))[0]:
            reporter.tell()
            if time.monotonic() - reporter.moved > job.patience:
                what = f"; waiting for {shown(reporter.coming)}" if reporter.coming else ""
                raise _FailedError(Failure(kind="stalled", cause=f"nothing happened for {job.patience:g} s{what}"))
        error = installing.exception()
        # The class of a panic has no module to import it from.
        if (
            isinstance(error, (InstallerError, LinkError, TransactionError, OSError))
            or type(error).__name__ == "RustPanic"
        ):
            raise _FailedError(explain(str(error), job.packages)) from error
        installing.result()
        done = True
    finally:
        if not done:
            installing.cancel()
            _settle(job.prefix)
    reporter.tell()


def _settle(prefix: Path) -> None:
    """Empty a prefix in which rattler's threads, once something failed, still end what they had begun."""
    calm = 0
    for _ in range(_SETTLED):
        if not prefix.is_dir():
            return
        try:
            left = list(prefix.iterdir())
        except OSError:  # what failed may be that too many files are open
            time.sleep(_TICK / 2)
            continue
        calm = 0 if left else calm + 1
        if calm > _CALM:
            return
        for entry in left:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    entry.unlink()
        time.sleep(_TICK / 2)


def _record(package: CondaPackage) -> RepoDataRecord:
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    record = PackageRecord(
        package.name,
        package.version,
        BuildString(package.build),
        package.build_number,
        package.subdir,
        noarch=package.noarch,
        depends=list(package.depends),
        constrains=list(package.constrains),
        sha256=bytes.fromhex(package.sha256) if package.sha256 else None,
        md5=bytes.fromhex(package.md5) if package.md5 else None,
        size=package.size,
    )
    return RepoDataRecord(record, package.url.rpartition("/")[2], package.url, package.channel)


# --- the cache ---------------------------------------------------------------------------------------


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where rattler keeps package files, unpacked: ``RATTLER_CACHE_DIR``, else in the user's folder of caches."""
    if named := environ.get("RATTLER_CACHE_DIR"):
        return Path(named).absolute() / "pkgs"
    home = Path(environ.get("HOME") or "/")
    caches = Path(environ.get("XDG_CACHE_HOME", ""))
    if platform == "darwin":
        caches = home / "Library/Caches"
    elif not caches.is_absolute():
        caches = home / ".cache"
    return caches / "rattler" / "cache" / "pkgs"


def cache_folders(packages: Iterable[CondaPackage]) -> tuple[Path, ...]:
    """rattler's own cache, and before it a folder by MD5 for each package of which no other hash is known.

    What is in the cache is told by name, version, build and SHA-256 there: a package that has only an MD5, as those
    of before 2018, would be taken from it whatever its bytes were.
    """
    shared = cache_folder()
    return *(shared.with_name("pkgs-md5") / md5 for _, md5 in _known_by_md5(packages)), shared


def _known_by_md5(packages: Iterable[CondaPackage]) -> list[tuple[CondaPackage, str]]:
    return [(one, one.md5) for one in packages if one.sha256 is None and one.md5 is not None]


def _package_cache(packages: Sequence[CondaPackage]) -> PackageCache:
    from rattler import MatchSpec
    from rattler.package_cache import PackageCache, PackageCacheLayer, ValidationMode

    *by_md5, shared = map(PackageCacheLayer, cache_folders(packages))
    layers = [
        layer.with_filter(MatchSpec(f"{package.name} =={package.version} {package.build}"))
        for layer, (package, _) in zip(by_md5, _known_by_md5(packages), strict=True)
    ]
    mode = ValidationMode.full()
    return PackageCache.from_layers([layer.with_validation_mode(mode) for layer in (*layers, shared)])


async def _check_cached(records: Sequence[RepoDataRecord], cache: PackageCache) -> None:
    index = await cache.index()
    absent = sorted(record.name.normalized for record in records if not index.contains_record(record))
    if absent:
        raise BuildError(
            f"{shown(absent)}: not in the package cache, and the network is not to be used",
            hint="offline of .condarc, or CONDA_OFFLINE, says so: run it once without.",
        )


def _tell_of_lock(folder: Path, on_event: Callable[[Event], None]) -> None:
    """Say so where another program holds the cache: rattler waits for it in silence."""
    try:
        with (folder / ".cache.lock").open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        on_event(Waiting(what=f"the package cache {folder}, which another program holds"))
    except OSError:
        pass
