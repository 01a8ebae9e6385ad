"""Real images, an engine, an index and a browser for all tests.

Tests marked ``engine``, ``network``, ``registry`` or ``browser`` are skipped, with the reason, where there is none.
``.ci/run`` sets ``ENVSYNC_REQUIRE_ENGINE=1`` and its like for the others: there, what is missing is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import pytest

from tests.imagekit import recipes, wheels
from tests.imagekit.browser import browser_problem
from tests.imagekit.engine import engine_problem
from tests.imagekit.machine import KitError, MissingToolError
from tests.imagekit.projects import served_folder
from tests.imagekit.registries import registry_problem
from tests.imagekit.server import PORT_VARIABLE, Server

_SERVER = pytest.StashKey[Server]()


@cache
def network_problem() -> str | None:
    """Why the package index cannot be used; ``None`` where it answers."""
    trial = ("install", "--dry-run", "--no-deps", "--ignore-installed", "--no-cache-dir", "six==1.16.0")
    try:
        wheels.pip(*trial, timeout=60)
    except KitError as error:
        return f"no package index answers: {str(error).splitlines()[-1]}"
    return None


_PROBLEMS = {
    "engine": (engine_problem, "ENVSYNC_REQUIRE_ENGINE"),
    "network": (network_problem, "ENVSYNC_REQUIRE_NETWORK"),
    "registry": (registry_problem, "ENVSYNC_REQUIRE_REGISTRY"),
    "browser": (browser_problem, "ENVSYNC_REQUIRE_BROWSER"),
}


def pytest_configure(config: pytest.Config) -> None:
    """Listen where the ``origins`` image looks; parallel workers find the port in the environment."""
    if hasattr(config, "workerinput") or PORT_VARIABLE in os.environ:
        return
    try:
        server = Server(served_folder())
    except MissingToolError:
        return
    config.stash[_SERVER] = server
    os.environ[PORT_VARIABLE] = str(server.port)


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(_SERVER, None)
    if server is not None:
        server.close()
        del os.environ[PORT_VARIABLE]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Parallel workers must find the same names, and bytes made when a module is imported may differ."""
    return argname if isinstance(val, bytes) else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, (problem_of, variable) in _PROBLEMS.items():
        if item.get_closest_marker(name) is None:
            continue
        problem = problem_of()
        if problem and os.environ.get(variable) == "1":
            pytest.fail(f"{problem} ({variable}=1 demands one)", pytrace=False)
        if problem:
            pytest.skip(problem)


@pytest.fixture(scope="session")
def image() -> Callable[[str], str]:
    """The tag of one of :data:`tests.imagekit.recipes.RECIPES`, built when a test first asks for it."""

    def tag_of(name: str) -> str:
        problem = engine_problem()
        if problem:
            pytest.skip(problem)
        if name == "origins" and PORT_VARIABLE not in os.environ:
            pytest.skip("git is not installed, or the ports that the origins image needs are taken")
        try:
            return recipes.image(name)
        except MissingToolError as error:
            pytest.skip(str(error))

    return tag_of


def _fixture(name: str) -> Callable[[Callable[[str], str]], str]:
    @pytest.fixture(scope="session", name=f"{name}_image")
    def tag(image: Callable[[str], str]) -> str:
        return image(name)

    return tag


slim_image = _fixture("slim")
old37_image = _fixture("old37")
venv_image = _fixture("venv")
debian_system_image = _fixture("debian_system")
debian_python_image = _fixture("debian_python")
user_site_image = _fixture("user_site")
py27_image = _fixture("py27")
nopip_image = _fixture("nopip")
conda_image = _fixture("conda")
conda_channel_image = _fixture("conda_channel")
inconsistent_image = _fixture("inconsistent")
relayered_image = _fixture("relayered")
origins_image = _fixture("origins")
nopython_image = _fixture("nopython")
replica37_image = _fixture("replica37")
odd_image = _fixture("odd")
proved_image = _fixture("proved")
