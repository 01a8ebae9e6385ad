"""The local container engine: its images, and containers in which nothing can do harm.

The one module that talks to an engine, through the Docker SDK: https://docker-py.readthedocs.io.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from envsync.errors import EngineError
from envsync.image.engine_container import LABEL, Container, Isolation
from envsync.image.engine_problems import about_connection, about_pull, in_words, no_such_platform
from envsync.image.manifest import parse_env
from envsync.image.protocol import ConfigFile, LayerProgress
from envsync.model import ImageConfig
from envsync.reference import Digest, ImageName, Platform

__all__ = ["LABEL", "Container", "Engine", "EngineImage", "Isolation", "connect"]

_TIMEOUT = 60
_SOCKET = "/var/run/docker.sock"
"""What the SDK connects to where ``DOCKER_HOST`` names nothing."""


class _Config(Struct, rename="pascal"):
    env: list[str] | None = None
    user: str | None = None
    working_dir: str | None = None
    volumes: dict[str, Any] | None = None


class _RootFs(Struct, rename="pascal"):
    layers: list[str] | None = None


class _Inspected(Struct, rename="pascal"):
    """https://docs.docker.com/reference/api/engine/ (ImageInspect)."""

    id: str
    os: str
    architecture: str
    variant: str | None = None
    created: str | None = None
    repo_digests: list[str] | None = None
    config: _Config | None = None
    root_fs: _RootFs | None = msgspec.field(default=None, name="RootFS")


class _ProgressDetail(Struct):
    current: int | None = None
    total: int | None = None


class _PullEvent(Struct):
    status: str = ""
    id: str | None = None
    error: str | None = None
    progress_detail: _ProgressDetail | None = msgspec.field(default=None, name="progressDetail")


class EngineImage:
    """An image that the engine holds."""

    def __init__(self, engine: Engine, name: ImageName, inspected: _Inspected) -> None:
        self._engine = engine
        self.name = str(name)
        self.digest = _repository_digest(name, inspected.repo_digests or ())
        """Of the manifest or index in the registry of ``name``; ``None`` where the image never came from there."""
        self.config = _config_file(inspected)
        declared = inspected.config.volumes if inspected.config else None
        self.volumes = tuple(sorted(declared or ()))
        """Folders that the image declares as volumes."""

    def save(self) -> AbstractContextManager[IO[bytes]]:
        """The image as ``docker save`` gives it: a tar, seekable, in a file without a name.

        Raises:
            EngineError: the engine fails, or the temporary folder is full.
        """
        return self._engine.saved(self.config.digest)

    def save_to(self, file: IO[bytes]) -> None:
        """Write what ``docker save`` gives to ``file``.

        Raises:
            EngineError: the engine fails, or the file cannot be written.
        """
        self._engine.save(self.config.digest, file)


class Engine:
    """A connection to a container engine."""

    def __init__(self, api: Any, address: str) -> None:
        self._api = api
        self._address = address

    def close(self) -> None:
        """Release the connection."""
        self._api.close()

    def find(
        self,
        name: ImageName,
        platform: Platform | None = None,
        *,
        pull: bool = True,
        on_progress: Callable[[LayerProgress], None] | None = None,
    ) -> EngineImage:
        """The image called ``name``, pulled where the engine lacks it or has it for another platform.

        Args:
            name: repository and tag or digest.
            platform: the platform asked for; ``None``: the engine's choice.
            pull: whether it may be pulled.
            on_progress: called as the layers arrive.

        Raises:
            EngineError: there is no such image, not for that platform, its registry needs a login or is out of reach.
        """
        found = self._inspect(name)
        if found is not None and (platform is None or platform.accepts(found.config.platform)):
            return found
        if pull:
            try:
                self._pull(name, platform, on_progress)
            except EngineError as error:
                if found is None or platform is None:
                    raise
                detail = f"the engine has it only for {found.config.platform}, and it cannot be pulled for another"
                raise no_such_platform(name, platform, detail) from error
            found = self._inspect(name)
        if found is None:
            raise EngineError(f"{name}: not in the engine", hint=f"docker pull {name}")
        if platform is not None and not platform.accepts(found.config.platform):
            raise no_such_platform(name, platform, f"it is made for {found.config.platform}")
        return found

    def _inspect(self, name: ImageName) -> EngineImage | None:
        from docker.errors import NotFound

        reference = f"{name.familiar}@{name.digest}" if name.digest else str(name)
        with self.problems(f"looking for {name}"):
            try:
                answer = self._api.inspect_image(reference)
            except NotFound:
                return None
        try:
            return EngineImage(self, name, msgspec.convert(answer, _Inspected))
        except msgspec.ValidationError as error:
            raise EngineError(f"container engine: its description of {name}: {in_words(str(error))}") from error

    def _pull(
        self,
        name: ImageName,
        platform: Platform | None,
        on_progress: Callable[[LayerProgress], None] | None,
    ) -> None:
        from docker.errors import APIError

        with self.problems(f"pulling {name}"), self._patience():
            try:
                events = self._api.pull(
                    name.familiar,
                    tag=name.digest or name.tag,
                    platform=str(platform) if platform else None,
                    stream=True,
                    decode=True,
                )
                problems = [about_pull(name, platform, text) for text in _follow(events, on_progress)]
            except APIError as error:
                raise about_pull(name, platform, str(error.explanation or error)) from error
        if problems:
            raise problems[0]

    @contextmanager
    def saved(self, digest: Digest) -> Iterator[IO[bytes]]:
        """See :meth:`EngineImage.save`."""
        with tempfile.TemporaryFile(prefix="envsync-") as file:
            self.save(digest, file)
            file.seek(0)
            yield file

    def save(self, digest: Digest, file: IO[bytes]) -> None:
        """See :meth:`EngineImage.save_to`."""
        with self.problems(f"saving image {digest.short}"), self._patience():
            for chunk in self._api.get_image(str(digest)):
                try:
                    file.write(chunk)
                except OSError as error:
                    raise EngineError(
                        f"image {digest.short}: cannot be stored: {error.strerror}",
                        hint="A folder with more room can be named with the environment variable TMPDIR.",
                    ) from error

    def container(
        self, image: EngineImage, command: Sequence[str], isolation: Isolation
    ) -> AbstractContextManager[Container]:
        """A container of ``image`` that is ready to run ``command``, and is removed at the end whatever happens.

        Raises:
            EngineError: the engine refuses to make, or to remove, it.
        """
        return Container.made(self._api, self.problems, image, command, isolation)

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """No limit: an engine says nothing while it collects the layers of a large image to send them."""
        usual, self._api.timeout = self._api.timeout, None
        try:
            yield
        finally:
            self._api.timeout = usual

    @contextmanager
    def problems(self, doing: str) -> Iterator[None]:
        """Turn what the SDK raises into :class:`EngineError`; ``doing`` tells what was tried."""
        from docker.errors import APIError, DockerException, StreamParseError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except APIError as error:
            words = in_words(str(error.explanation or error))
            raise EngineError(f"container engine: {doing}: {words}") from error
        except (DockerException, StreamParseError, HTTPError, OSError) as error:
            raise about_connection(self._address, error) from error


def may_run() -> bool:
    """Whether an engine is named, or there is a socket where one usually is: asking it costs far more than this."""
    return bool(os.environ.get("DOCKER_HOST")) or Path(_SOCKET).exists()


def connect(environment: Mapping[str, str] | None = None, *, timeout: float = _TIMEOUT) -> Engine:
    """Connect to the engine that Docker's own command would use: ``DOCKER_HOST``, context, default socket.

    Args:
        environment: variables to go by instead of those of this process.
        timeout: seconds for one answer of the engine; pulling and saving take as long as they take.

    Raises:
        EngineError: none is running, or it refuses.
    """
    import docker

    variables = os.environ if environment is None else environment
    address = variables.get("DOCKER_HOST") or "its default address"
    try:
        client = docker.from_env(timeout=timeout, environment=variables)
    except (docker.errors.DockerException, OSError, ValueError) as error:
        raise about_connection(address, error) from error
    return Engine(client.api, address)


def _follow(events: Iterable[object], on_progress: Callable[[LayerProgress], None] | None) -> Iterator[str]:
    """Pass on how far layers are; what is yielded are complaints."""
    for raw in events:
        try:
            event = msgspec.convert(raw, _PullEvent)
        except msgspec.ValidationError:
            continue  # a kind of event of a newer engine
        if event.error is not None:
            yield event.error
        elif on_progress and event.id and not event.status.startswith("Pulling from"):
            detail = event.progress_detail or _ProgressDetail()
            on_progress(LayerProgress(id=event.id, status=event.status, current=detail.current, total=detail.total))


def _repository_digest(name: ImageName, digests: Sequence[str]) -> Digest | None:
    found = [ImageName.parse(text) for text in digests if "<none>" not in text]
    here = [d.digest for d in found if (d.registry, d.repository) == (name.registry, name.repository) and d.digest]
    return name.digest if name.digest in here else next(iter(here), None)


def _config_file(inspected: _Inspected) -> ConfigFile:
    config = inspected.config or _Config()
    layers = inspected.root_fs.layers if inspected.root_fs else None
    # Go's zero time stands for a date that the config lacks.
    created = None if (inspected.created or "").startswith("0001-01-01") else inspected.created or None
    return ConfigFile(
        digest=Digest(inspected.id),
        platform=Platform(os=inspected.os, architecture=inspected.architecture, variant=inspected.variant or None),
        created=created,
        config=ImageConfig(env=parse_env(config.env or ()), user=config.user or "", workdir=config.working_dir or ""),
        diff_ids=tuple(Digest(layer) for layer in layers or ()),
    )
