"""A package index that has lost, since the image was pulled, what the lock proves to be from it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.program import envsync
from tests.image.registry_client.server import Reply, Request, serving
from tests.imagekit import demo
from tests.imagekit.sdists import index_url

pytestmark = pytest.mark.network

LOST = "six"
PLACE = "/simple/six/"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the lock of an archive, all of whose wheels are in the cache."""
    folder = tmp_path_factory.mktemp("project")
    demo.write_demo(folder / "demo.tar")
    words = ("docker-archive:demo.tar", "--wheels", "all")
    pulled = envsync("pull", *words, cwd=folder, ENVSYNC_CACHE_DIR=str(folder / "cache"))
    assert pulled.status == 0, pulled.said
    return folder


@pytest.fixture
def poor() -> Iterator[str]:
    """The address of an index that has all but one project, which it knows nothing of."""

    def respond(request: Request) -> Reply:
        if found := re.fullmatch(r"/simple/([a-z0-9-]+)/", request.path):
            if found[1] == LOST:
                return Reply(status=404)
            return Reply(status=302, headers={"Location": f"{index_url()}/{found[1]}/"})
        return Reply(status=404)

    with serving(respond) as server:
        yield f"{server.url}/simple"


def test_the_image_gives_what_the_index_has_no_longer(project: Path, poor: str, tmp_path: Path) -> None:
    variables = {"ENVSYNC_CACHE_DIR": str(project / "cache"), "UV_DEFAULT_INDEX": poor}
    made = envsync("create", tmp_path / "env", cwd=project, **variables)
    assert made.status == 0, made.said
    assert re.search(r"six-1\.17\.0-\S+\.whl: the index .*: asking the indexes what there is instead", made.err)
    assert "11 of 11 byte-identical" in made.err or "10 of 10 byte-identical" in made.err, made.said
    assert (next((tmp_path / "env").rglob("six-1.17.0.dist-info")) / "envsync.json").is_file()


def test_without_the_image_it_is_left_out(project: Path, poor: str, tmp_path: Path) -> None:
    variables = {"ENVSYNC_CACHE_DIR": str(project / "cache"), "UV_DEFAULT_INDEX": poor}
    made = envsync("create", tmp_path / "env", "--from", "index", cwd=project, **variables)
    assert made.status == 1, made.said
    assert "six 1.17.0" in made.err
    assert "no index that is configured here has it" in " ".join(made.err.split())
    assert next((tmp_path / "env").rglob("requests-2.32.3.dist-info")).is_dir()
    strict = envsync("create", tmp_path / "other", "--from", "index", "--strict", cwd=project, **variables)
    assert strict.status == 2, strict.said
    assert not (tmp_path / "other").exists()


def test_an_index_that_has_all_is_not_asked_first(project: Path, tmp_path: Path) -> None:
    """Pages that only envsync would ask for are not asked for: uv alone does."""
    asked: list[str] = []

    def respond(request: Request) -> Reply:
        asked.append(f"{request.headers.get('User-Agent', '')} {request.path}")
        return Reply(status=302, headers={"Location": f"{index_url()}/{request.path.split('/')[2]}/"})

    shutil.copytree(project / "lockfiles", tmp_path / "lockfiles")
    with serving(respond) as server:
        variables = {"ENVSYNC_CACHE_DIR": str(tmp_path / "cache"), "UV_DEFAULT_INDEX": f"{server.url}/simple"}
        made = envsync("create", "env", cwd=tmp_path, **variables)
        assert made.status == 0, made.said
    assert asked
    assert not [line for line in asked if "envsync" in line]
