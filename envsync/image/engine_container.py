"""One container: what it may not do, what it prints, how it ends, and that it is always removed."""

from __future__ import annotations

import base64
import binascii
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import PurePosixPath
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from envsync.errors import EnvsyncError

if TYPE_CHECKING:
    from envsync.image.engine import EngineImage

LABEL = "io.envsync.probe"
"""On every container made here, to find those of a killed envsync: ``docker ps -a --filter label=…``."""

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_GO_LINK, _GO_TYPES = 1 << 27, 0x8F280000
"""Bits of a Go ``FileMode``, by which the engine tells what a file is: https://pkg.go.dev/io/fs#FileMode."""
_MOST_LINKS = 8
_STDERR = 2
_CHUNK = 64 * 1024

Problems = Callable[[str], AbstractContextManager[None]]
Chunk = tuple[bytes | None, bytes | None]
"""Of stdout and of stderr."""


class Isolation(Struct, frozen=True, kw_only=True):
    """What a container may use. The rest is fixed: no network, no capabilities, nothing to write but ``/tmp``."""

    memory: int = 1 << 30
    """Bytes, swap included."""
    pids: int = 64
    cpus: float = 1.0
    """An image that forks without end must leave this machine usable; asking it needs no more than one."""
    scratch: int = 64 << 20
    """Bytes that ``/tmp`` holds."""
    open_files: int = 1024


class Exit(Struct, frozen=True, kw_only=True):
    """How a container ended."""

    status: int
    out_of_memory: bool


class _PathStat(Struct, rename="camel"):
    mode: int
    link_target: str = ""


def _host_options(api: Any, isolation: Isolation, volumes: Mapping[str, str]) -> Any:
    """The ``HostConfig`` of a container that can do no harm.

    ``volumes`` are those that the image declares, by folder: they hold its files as ever, but cannot be written.
    Engines make only volumes with a name so.
    """
    from docker.types import LogConfig, Mount, Ulimit

    return api.create_host_config(
        network_mode="none",
        read_only=True,
        tmpfs={"/tmp": f"rw,noexec,nosuid,nodev,mode=1777,size={isolation.scratch}"},  # noqa: S108 - in the container
        mounts=[Mount(folder, name, read_only=True, labels={LABEL: name}) for folder, name in volumes.items()],
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=isolation.memory,
        memswap_limit=isolation.memory,
        shm_size=16 << 20,
        pids_limit=isolation.pids,
        # A quota, since an engine refuses a number of CPUs above its own.
        cpu_period=100_000,
        cpu_quota=int(isolation.cpus * 100_000),
        ulimits=[
            Ulimit(name="nofile", soft=isolation.open_files, hard=isolation.open_files),
            Ulimit(name="core", soft=0, hard=0),
        ],
        init=True,
        log_config=LogConfig(type="none"),
        restart_policy={"Name": "no"},
    )


def read_frames(read: Callable[[int], bytes]) -> Iterator[Chunk]:
    """Split what an engine sends of a container without a terminal; an incomplete end is dropped.

    Format: https://docs.docker.com/reference/api/engine/ (ContainerAttach, "Stream format").
    """
    while len(header := read(8)) == 8:
        left = int.from_bytes(header[4:], "big")
        while left and (data := read(min(left, _CHUNK))):
            left -= len(data)
            yield (None, data) if header[0] == _STDERR else (data, None)


class Container:
    """A container that was made, and is started by reading its output."""

    def __init__(self, api: Any, problems: Problems, name: str, image: EngineImage) -> None:
        self._api = api
        self._problems = problems
        self.name = name
        env = {variable.name: variable.value for variable in image.config.config.env}
        self._path = env.get("PATH") or _DEFAULT_PATH

    @classmethod
    @contextmanager
    def made(
        cls, api: Any, problems: Problems, image: EngineImage, command: Sequence[str], isolation: Isolation
    ) -> Iterator[Container]:
        """See :meth:`envsync.image.engine.Engine.container`."""
        name = f"envsync-probe-{secrets.token_hex(8)}"
        volumes = {folder: f"{name}-{number}" for number, folder in enumerate(image.volumes)}

        # Threads of their own, which an interrupt of the caller does not reach; the lock keeps a container from
        # being made once it is to be removed.
        lock, abandoned, problems_met = Lock(), Event(), list[EnvsyncError]()

        def make() -> None:
            with lock:
                if not abandoned.is_set():
                    _create(api, name, image, command, _host_options(api, isolation, volumes))

        def remove() -> None:
            abandoned.set()
            with lock:
                _remove(api, name, tuple(volumes.values()))

        def attend(doing: str, work: Callable[[], None]) -> None:
            def attempt() -> None:
                try:
                    with problems(doing):
                        work()
                except EnvsyncError as error:
                    problems_met.append(error)

            thread = Thread(target=attempt, name=name)
            thread.start()
            thread.join()

        try:
            attend(f"making a container of {image.name}", make)
            if not problems_met:
                yield cls(api, problems, name, image)
        finally:
            attend(f"removing a container (docker rm -f -v {name})", remove)
        if problems_met:
            raise problems_met[0]

    def output(self) -> Iterator[Chunk]:
        """Start the container; its output as it appears, until it ends.

        Raises:
            EngineError: it cannot be started.
        """
        # The SDK's own attach leaves its socket open.
        url = self._api._url("/containers/{0}/attach", self.name)
        with self._problems("starting a container"):
            options = {"stream": 1, "stdout": 1, "stderr": 1}
            with closing(self._api.post(url, params=options, stream=True, timeout=None)) as answer:
                self._api._raise_for_status(answer)
                self._api.start(self.name)
                yield from read_frames(answer.raw.read)

    def kill(self) -> None:
        """End it at once; nothing happens when it has ended already."""
        from docker.errors import APIError

        with self._problems("ending a container"):
            try:
                self._api.kill(self.name)
            except APIError as error:
                if error.status_code not in (404, 409):
                    raise

    def wait(self) -> Exit:
        """Wait for its end, which is near."""
        with self._problems("waiting for a container"):
            status = int(self._api.wait(self.name, timeout=30)["StatusCode"])
            state = self._api.inspect_container(self.name)["State"]
        return Exit(status=status, out_of_memory=bool(state.get("OOMKilled")))

    def locate(self, program: str) -> PurePosixPath | None:
        """The file that ``program`` means, as the kernel would find it: real path; ``None`` where there is none."""
        if "/" in program:
            return self._executable(program)
        for folder in self._path.split(":"):
            found = self._executable(f"{folder}/{program}") if folder.startswith("/") else None
            if found is not None:
                return found
        return None

    def _executable(self, path: str) -> PurePosixPath | None:
        for _ in range(_MOST_LINKS):
            stat = self._stat(path)
            if stat is None:
                return None
            if not stat.mode & _GO_LINK:
                regular = not stat.mode & _GO_TYPES
                return PurePosixPath(path) if regular and stat.mode & 0o111 else None
            path = stat.link_target
        return None

    def _stat(self, path: str) -> _PathStat | None:
        # The SDK has no call for HEAD, and its GET would send the whole file.
        with self._problems(f"looking for {path} in a container"):
            answer = self._api.head(self._archive_url(), params={"path": path}, timeout=30)
        try:
            return msgspec.json.decode(
                base64.b64decode(answer.headers.get("X-Docker-Container-Path-Stat", "")), type=_PathStat
            )
        except (msgspec.MsgspecError, binascii.Error):
            return None

    def _archive_url(self) -> str:
        return str(self._api._url("/containers/{0}/archive", self.name))

    def head(self, path: PurePosixPath, size: int) -> bytes:
        """The first ``size`` bytes of a file; empty where they cannot be had."""
        url, plain = self._archive_url(), {"Accept-Encoding": "identity"}
        with (
            self._problems(f"reading {path} in a container"),
            closing(self._api.get(url, params={"path": str(path)}, headers=plain, stream=True, timeout=30)) as answer,
        ):
            try:
                with tarfile.open(fileobj=answer.raw, mode="r|") as archive:
                    member = archive.next()
                    content = archive.extractfile(member) if member and member.isreg() else None
                    return content.read(size) if content else b""
            except tarfile.TarError:
                return b""


def _create(api: Any, name: str, image: EngineImage, command: Sequence[str], options: Any) -> None:
    api.create_container(
        str(image.config.digest),
        entrypoint=[command[0]],
        command=list(command[1:]),
        name=name,
        labels={LABEL: name},
        network_disabled=True,
        healthcheck={"test": ["NONE"]},
        host_config=options,
        use_config_proxy=False,
    )


def _remove(api: Any, name: str, volumes: Sequence[str]) -> None:
    from docker.errors import NotFound

    with suppress(NotFound):
        api.remove_container(name, force=True, v=True)
    for volume in volumes:
        with suppress(NotFound):
            api.remove_volume(volume, force=True)
