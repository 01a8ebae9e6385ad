"""What ``envsync show`` says of a real image equals what pip and the engine say of it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from envsync.names import normalized
from tests.end_to_end.program import envsync
from tests.imagekit.engine import docker, run_in, save

pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def project(replica37_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("show")
    pulled = envsync("pull", replica37_image, "--method", "read", cwd=folder)
    assert pulled.status == 0, pulled.said
    return folder


def test_what_each_needs_is_what_pip_says(project: Path, replica37_image: str) -> None:
    shown = envsync("show", "--json", cwd=project)
    assert shown.status == 0, shown.said
    told = json.loads(shown.out)["distributions"]
    names = [one["name"] for one in told]
    needs: dict[str, set[str]] = {}
    name = ""
    for line in run_in(replica37_image, "python", "-m", "pip", "show", *names).splitlines():
        key, _, value = line.partition(": ")
        if key == "Name":
            name = normalized(value)
        if key in ("Requires", "Requires:"):  # of Required-by, pip 19 leaves out what is spelt in another case
            needs[name] = {normalized(one) for one in value.split(", ") if one}
    assert len(needs) == len(told) > 50
    assert {normalized(one["name"]): {need["name"] for need in one["requires"]} for one in told} == needs
    needed = {one for several in needs.values() for one in several}
    assert [one["name"] for one in told if one["top_level"]] == [n for n in names if normalized(n) not in needed]


def test_layers_are_those_of_the_engine(project: Path, replica37_image: str) -> None:
    layers = json.loads(envsync("show", "--json", cwd=project).out)["layers"]
    history = docker("history", "--no-trunc", "--format", "{{json .}}", replica37_image).splitlines()
    created = [json.loads(line) for line in reversed(history)]
    commands = [one["CreatedBy"] for one in created if one["Size"] != "0B"]
    assert [layer["command"] or "" for layer in layers] == [_as_kept(command) for command in commands]
    with tarfile.open(save(replica37_image)) as saved:
        manifest = json.load(_file(saved, "manifest.json"))
        sizes = [saved.getmember(name).size for name in manifest[0]["Layers"]]
    assert [layer["size"] for layer in layers] == sizes


def test_what_people_read_fits_and_is_quick_to_ask(project: Path) -> None:
    for words in ([], ["--all"], ["--tree"], ["--why", "numpy"]):
        shown = envsync("show", *words, cwd=project)
        assert shown.status == 0, shown.said
        assert max(len(line) for line in shown.out.splitlines()) <= 80, shown.out
    assert "pandas" in envsync("show", "--why", "numpy", cwd=project).out


def _as_kept(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= 500 else f"{line[:500]}…"


def _file(archive: tarfile.TarFile, name: str) -> io.BufferedReader:
    found = archive.extractfile(name)
    assert found is not None
    return found  # type: ignore[return-value]
