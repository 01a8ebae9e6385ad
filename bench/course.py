"""What contests share: their course, and what one of them comes out as."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.measure import TURN, Contender, Result
from bench.replica import ROOT, Replica
from tests.imagekit.pushing import push
from tests.imagekit.registries import open_registry

BIN = Path(sys.executable).parent
ENVSYNC = BIN / "envsync"
DRIFT_OR_NONE = frozenset({0, 1})
OWN_LAYERS = 2
"""How many of the replica's layers the tag ``base`` lacks: what a new version of an image changes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """One job; the first result is envsync's."""

    key: str
    job: str
    aim: Callable[[Result, Result], str]
    """What was aimed for against this contender, and whether it was reached."""
    results: Sequence[Result]


class Course:
    """A folder with all that the contests need: caches, a lock, an environment and a registry."""

    def __init__(self, folder: Path, replica: Replica) -> None:
        self.folder = folder
        self.replica = replica
        self.project = folder / "project"
        self.locks = self.project / "lockfiles"
        self.reading = folder / "reading"
        """The project of what is pulled only to be timed."""
        self.cache = folder / "envsync-cache"
        nobody = folder / "docker-config"  # no logins, and no program that keeps them
        for path in (self.project, self.reading, nobody):
            path.mkdir(parents=True, exist_ok=True)
        self.env = {
            "DOCKER_CONFIG": str(nobody),
            "ENVSYNC_CACHE_DIR": str(self.cache),
            "UV_CACHE_DIR": str(folder / "uv-cache"),
            "PIP_CACHE_DIR": str(folder / "pip-cache"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            "SYFT_REGISTRY_INSECURE_USE_HTTP": "true",
        }

    @property
    def archive(self) -> str:
        """The archive that is only read, as envsync and syft take it."""
        return f"docker-archive:{self.replica.large}"

    @property
    def lock(self) -> Path:
        """The lock directory of the replica."""
        return next(self.locks.rglob("snapshot.json")).parent

    def remove(self, *paths: Path) -> None:
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def registry(self) -> Iterator[str]:
        """A registry on loopback with the replica: ``127.0.0.1:PORT/replica``, tags ``1`` and ``base``.

        Raises:
            MissingToolError: ``docker-registry`` is not installed.
        """
        with open_registry(self.folder / "registry") as registry:
            for tag, lowest in (("1", None), ("base", -OWN_LAYERS)):
                push(self.replica.large, registry.address, "replica", tag, lowest=lowest)
            yield f"{registry.address}/replica"

    def locked(self) -> Contender:
        """Makes the lock that other contests begin with."""
        return Contender(
            name="envsync pull",
            commands=[[ENVSYNC, "pull", f"docker-archive:{self.replica.archive}"]],
            prepare=partial(self.remove, self.locks),
            cwd=self.project,
            env=self.env,
            allowed=DRIFT_OR_NONE,
        )

    def pulled(
        self,
        source: str,
        *options: str,
        name: str = "envsync pull",
        cache: Path | None = None,
        prepare: Callable[[], object] = lambda: None,
    ) -> Contender:
        """Reads an image, only to be timed; with the course's cache unless with one of its own."""

        def anew() -> None:
            prepare()
            self.remove(self.reading / "lockfiles")

        return Contender(
            name=name,
            commands=[[ENVSYNC, "pull", source, "--wheels", "none", *options]],
            prepare=anew,
            cwd=self.reading,
            env={**self.env, "ENVSYNC_CACHE_DIR": str(cache or self.cache)},
            allowed=DRIFT_OR_NONE,
        )

    def scanned(self, source: str) -> Contender:
        """Reads an image with syft."""
        command: list[str | Path] = [BIN / "syft", "scan", source, "--quiet", "--output", "json"]
        return Contender(name="syft", commands=[command], cwd=self.reading, env=self.env)

    def floor(self, source: str | Path) -> Contender:
        """Reads an image without keeping anything."""
        command: list[str | Path] = [sys.executable, "-m", "bench.floor", source]
        return Contender(name="floor", commands=[command], cwd=ROOT)

    def created(self, target: Path) -> Contender:
        return Contender(
            name="envsync create",
            commands=[[ENVSYNC, "create", target, "--image", self.lock, "--python", self.replica.python]],
            prepare=partial(self.remove, target.parent if target.name == TURN else target),
            cwd=self.project,
            env=self.env,
            allowed=DRIFT_OR_NONE,
        )


def verdict(aim: str, reached: bool) -> str:
    return f"{aim}: {'yes' if reached else 'no'}"


def size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.0f} MB"
