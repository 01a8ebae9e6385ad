"""No proxy, login or setting of this machine has a part in these tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from envsync.cache import Cache
from envsync.index.access import Index, IndexSettings
from envsync.index.client import Indexes
from tests.image.registry_client.server import Respond, Server, serving

_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[[Respond], Server]]:
    """Start servers, which end with the test."""
    with ExitStack() as stack:
        yield lambda respond: stack.enter_context(serving(respond))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


class Opener:
    """Opens clients, which end with the test; keeps what they said."""

    def __init__(self, stack: ExitStack) -> None:
        self.said: list[str] = []
        self._stack = stack

    def __call__(
        self,
        *servers: Server,
        settings: IndexSettings | None = None,
        cache: Cache | None = None,
        offline: bool = False,
    ) -> Indexes:
        indexes = tuple(Index(url=f"{server.url}/simple") for server in servers)
        opened = Indexes(
            settings or IndexSettings(indexes=indexes), cache=cache, offline=offline, on_problem=self.said.append
        )
        return self._stack.enter_context(opened)


@pytest.fixture
def opened() -> Iterator[Opener]:
    with ExitStack() as stack:
        yield Opener(stack)
