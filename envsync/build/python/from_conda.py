"""An interpreter from the user's conda channels: ``python`` and what it needs, in a prefix of its own in the cache."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from envsync.build.events import Event, Note
from envsync.build.interpreter import LocalPython
from envsync.build.python.check import check_python
from envsync.build.python.source import NotProvidedError, python_folder
from envsync.build.target import exclusive
from envsync.channels import ALIAS, DEFAULT_CHANNELS, DEFAULTS, channel_url
from envsync.conda_config.network import Network, network_variables
from envsync.conda_config.settings import CondaSettings, load_conda_settings
from envsync.conda_config.terms import check_terms
from envsync.errors import BuildError, SolveError, UnsafeValueError, UnsatisfiableError, UsageError
from envsync.model import CondaPackage, Interpreter
from envsync.redaction import printable
from envsync.writing import replace_folder, staged_folder

STAMP = "envsync-python.json"
_LAYOUT = "1"
_VERSION = re.compile(r"3\.[0-9]{1,3}(?:\.[0-9]{1,4}(?:(?:a|b|rc)[0-9]{1,3})?)?")
_PACKAGES = 100
_IF_NONE_IS_NAMED = f"{ALIAS}/conda-forge"
"""Asks for no terms, and has the older versions."""


class _Stamp(Struct, frozen=True, kw_only=True):
    """Says of a placed interpreter where it is from."""

    version: str
    packages: tuple[str, ...]
    """URLs."""


class CondaPython(Struct, frozen=True, kw_only=True):
    """Which interpreter, from which channels, and where it goes."""

    wanted: Interpreter
    """Of the lock."""
    version: str
    """``X.Y.Z``, or ``X.Y`` for the latest of them."""
    cache: Path
    offline: bool = False
    environ: Mapping[str, str] = os.environ
    home: Path

    def placed(self) -> LocalPython | None:
        """The one that an earlier run placed; ``None`` where there is none, or it is not whole."""
        try:
            return self._found(self._place(self._channels(self._settings())))
        except (BuildError, UsageError):
            return None

    def provide(self, on_event: Callable[[Event], None]) -> LocalPython:
        """Choose, fetch and place it, unless it is there.

        Raises:
            NotProvidedError: no channel has it, or may be asked; or it does not run here.
            WriteError: the cache cannot be written.
        """
        if self.wanted.implementation.lower() != "cpython" or not _VERSION.fullmatch(self.version):
            raise NotProvidedError(f"channels are only asked for cpython 3 (expected {printable(self.version)} of it)")
        if "d" in _flags(self.wanted):
            raise NotProvidedError("channels have no debug builds")
        try:
            settings = self._settings()
            channels = self._channels(settings)
            place = self._place(channels)
            with exclusive(place):
                return self._found(place) or self._install(place, channels, settings, on_event)
        except NotProvidedError:
            raise
        except (BuildError, SolveError, UsageError) as error:
            raise NotProvidedError(error.message, hint=error.hint) from error
        except UnsafeValueError as error:
            raise NotProvidedError(f"a channel is damaged or hostile: {error.message}") from error

    def _settings(self) -> CondaSettings:
        return load_conda_settings(self.environ, self.home)

    def _channels(self, settings: CondaSettings) -> tuple[str, ...]:
        named = settings.channels or (_IF_NONE_IS_NAMED,)
        urls = (DEFAULT_CHANNELS[:2] if name == DEFAULTS else (channel_url(name),) for name in named)
        return tuple(dict.fromkeys(url for some in urls for url in some))

    def _place(self, channels: tuple[str, ...]) -> Path:
        from envsync.host import conda_subdir

        parts = (_LAYOUT, conda_subdir(), self.version, _flags(self.wanted), *channels)
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
        return python_folder(self.cache) / f"conda-{key}"

    def _found(self, place: Path) -> LocalPython | None:
        try:
            stamp = msgspec.json.decode((place / STAMP).read_bytes(), type=_Stamp)
            python = self._checked(place)
        except (OSError, msgspec.MsgspecError, NotProvidedError):
            return None
        return python if python.version == stamp.version else None

    def _checked(self, prefix: Path) -> LocalPython:
        path = prefix / "bin" / "python3"
        said = check_python(path)
        if said.implementation != "cpython" or not f"{said.version}.".startswith(f"{self.version}."):
            raise NotProvidedError(
                f"the channel's Python is {said.implementation} {said.version} (expected {self.version})"
            )
        if ("t" in said.flags) != ("t" in _flags(self.wanted)):
            raise NotProvidedError(f"the channel's Python has the ABI {said.abi} (expected {self.wanted.abi})")
        return LocalPython(
            path=path,
            version=said.version,
            implementation=said.implementation,
            abi=said.abi,
            exact=f"{said.version}.".startswith(f"{self.wanted.version}."),
            source="conda",
        )

    def _install(
        self, place: Path, channels: tuple[str, ...], settings: CondaSettings, on_event: Callable[[Event], None]
    ) -> LocalPython:
        from envsync.build.conda.packages import Job, install_packages

        places = {channel: settings.places(channel) for channel in channels}
        check_terms((url for urls in places.values() for url in urls), settings, self.environ, self.home)
        network = msgspec.structs.replace(settings.network, offline=settings.offline or self.offline)
        with network_variables(network):
            packages = self._chosen(places, network)
        check_terms(
            (url for one in packages for url in settings.places(one.channel)), settings, self.environ, self.home
        )
        with staged_folder(place) as staging:
            install_packages(
                Job(
                    packages=packages,
                    prefix=staging,
                    target=place,
                    places=settings.places,
                    network=network,
                    on_event=on_event,
                )
            )
            (staging / "CACHEDIR.TAG").unlink(missing_ok=True)  # of rattler's: environments will need what is here
            python = self._checked(staging)
            stamp = _Stamp(version=python.version, packages=tuple(package.url for package in packages))
            (staging / STAMP).write_bytes(msgspec.json.format(msgspec.json.encode(stamp)) + b"\n")
            replace_folder(staging, place)
        origin = next(one.channel for one in packages if one.name == "python")
        on_event(Note(text=f"Python {python.version} of {origin} was placed in {place}"))
        return msgspec.structs.replace(python, path=place / "bin" / "python3")

    def _chosen(self, places: Mapping[str, tuple[str, ...]], network: Network) -> tuple[CondaPackage, ...]:
        """Python and what it depends on, as channels have them today.

        Raises:
            NotProvidedError: no channel has it.
            SolveError: a channel cannot be read.
        """
        from envsync.build.conda.checks import check_packages
        from envsync.host import conda_subdir
        from envsync.solve.repodata import Repodata

        repodata = Repodata.fetch([_named_python(self.version)], conda_subdir(), places, network, None)
        known = repodata.versions.get("python", frozenset())
        if not any(f"{version}.".startswith(f"{self.version}.") for version in known):
            raise NotProvidedError(f"no Python {self.version} in {', '.join(map(printable, places))}")
        failed: UnsatisfiableError | None = None
        for spec in self._specs():
            try:
                packages = repodata.solve([spec])
            except UnsatisfiableError as error:
                failed = failed or error
                continue
            if len(packages) > _PACKAGES:
                raise NotProvidedError(f"{len(packages)} packages (expected a Python, and at most {_PACKAGES})")
            check_packages(packages)
            return packages
        raise failed or NotProvidedError(f"no Python {self.version}")

    def _specs(self) -> Iterator[str]:
        """What to ask for, in turn: a channel may have builds of PyPy, and free-threaded ones, under the same name."""
        version = f"=={self.version}" if self.version.count(".") > 1 else f"{self.version}.*"
        tag = "cp" + "".join(self.version.split(".")[:2])
        if "t" in _flags(self.wanted):
            yield f"python {version} *_{tag}t"
            return
        yield f"python {version} *_cpython"
        yield f"python {version} *_{tag}"
        yield f"python {version}"


def _flags(wanted: Interpreter) -> str:
    return "".join(sorted(set(re.sub(r"^[a-z]+[0-9_]+", "", wanted.abi or "")) & {"t", "d"}))


def _named_python(version: str) -> CondaPackage:
    """What repodata is asked for."""
    return CondaPackage(name="python", version=version, build="0", channel="", subdir="", url="")
