"""Whatever is wrong: exit code 2, one clear error with the next step, nothing lost and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from envsync.lock.store import write_lock
from envsync.model import SCHEMA_VERSION
from tests.build.making import BASE_PYTHON, lock
from tests.cli.archives import installed, write_archive
from tests.end_to_end.program import Result, environment, envsync
from tests.imagekit.archive import ImageSpec, write_oci_layout
from tests.imagekit.demo import interpreter_files
from tests.imagekit.layer import File

SIX = installed("six", "1.16.0")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "image.tar", SIX)


def refused(result: Result, *texts: str) -> None:
    assert result.status == 2, result.said
    assert result.out == ""
    assert result.err.count("error: ") == 1, result.said
    assert "Traceback" not in result.err
    assert "internal" not in result.err
    for text in texts:
        assert text in result.err, result.said


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["pull"], "pull: needs one IMAGE, or --all"),
        (["pull", "a:1", "--all"], "pull: needs one IMAGE, or --all"),
        (["pull", "Acme/App:1"], "'App' is not a repository name"),
        (["pull", "acme/app:1", "--platform", "amd64"], "platform 'amd64': expected os/architecture[/variant]"),
        (["pull", "docker-archive:nowhere.tar"], "nowhere.tar: "),
        (["pull", "oci:nowhere"], "nowhere: "),
        (["pull", "registry:acme/app:1", "--method", "run"], "--method run starts the image, which needs an engine"),
        (["pull", "registry:127.0.0.1:99999/app:1"], "'127.0.0.1:99999' is not a registry host"),
        (
            ["pull", "registry:127.0.0.1:1/app:1"],
            "http://127.0.0.1:1: 127.0.0.1:1 cannot be reached: connection refused",
        ),
        (["pull", "127.0.0.1:1/app@sha256:12"], "digest 'sha256:12': not of the form"),
        (["create", ".venv"], "no lock here"),
        (["create"], "create: expected one of ENV, the folder of the environment, --name NAME, and --update-base"),
        (["create", ".c", "--name", "c"], "create: expected one of ENV"),
        (["create", ".c", "--update-base"], "create: expected one of ENV"),
        (["pull", "a:1", "--wheels", "none", "--wheelhouse", "w"], "--wheelhouse: not with --wheels none"),
        (["create", ".c", "--json"], "--json: only with --plan"),
        (["create", "--plan", "--update-base"], "--plan: not with --update-base, of which conda makes the plan"),
        (["create", "--plan", "--name", "c"], "--plan: not with --name, of which conda makes the plan"),
        (
            ["create", ".c", "--as-of", "yesterday"],
            "--as-of yesterday: no date (expected one such as 2019-07-16, or 2019-07-16T12:00:00Z)",
        ),
        (["create", ".c", "--as-of", "9999-01-01"], "lies in the future (expected when the image was made)"),
        (["create", ".c", "--yes"], "--yes: only with --update-base, as nothing else asks"),
        (
            ["create", "--update-base", "--channel", "https://a.example.org/main"],
            "--channel: not with --update-base: your conda takes packages from where its own configuration says",
        ),
        (
            ["create", "--update-base", "--python", "3.1"],
            "--python: not with --update-base: Python is one of the lock's packages",
        ),
        (["create", "--update-base", "--backend", "uv"], "--backend uv: cannot update base (expected conda or mamba)"),
        (["create", "--name", "base"], "--name base: reserved (expected a name of its own)"),
        (["create", "--name", "a/b"], "--name a/b: not the name of an environment"),
        (["diff"], "no environment is active, and there is none at .venv or .conda"),
        (["diff", "./nowhere/"], "nowhere"),
        (["diff", "a" * 300], "a" * 300),
        (["diff", "./" + "a" * 300, "b"], "no such file or folder"),
        (["create", ".venv", "--image", "a" * 300], "a" * 300),
        (["pull", "a" * 300], "a" * 300),
        (["create", ".venv", "--image", "docker-archive:nowhere.tar"], "nowhere.tar: "),
    ],
)
def test_arguments_that_cannot_be_meant(words: list[str], text: str, tmp_path: Path) -> None:
    refused(envsync(*words, cwd=tmp_path), text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["frobnicate"], ["pull", "--frobnicate"], ["diff", "--only", "moon"]])
def test_usage_errors_exit_with_2(words: list[str], tmp_path: Path) -> None:
    result = envsync(*words, cwd=tmp_path)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: ")
    assert "Error" in result.err


def test_no_engine(tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "ENVSYNC_CACHE_DIR": str(tmp_path / "cache")}
    refused(envsync("pull", "docker:acme/app:1", cwd=tmp_path, **nowhere), "none is running", "docker-archive:")
    refused(envsync("pull", "acme/app:1", "--method", "run", cwd=tmp_path, **nowhere), "none is running")
    # Without a method, the registry is asked instead.
    refused(envsync("pull", "127.0.0.1:1/app:1", cwd=tmp_path, **nowhere), "127.0.0.1:1 cannot be reached")
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_archive(archive: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.tar"
    with archive.open("rb") as whole:
        short.write_bytes(whole.read(3_000_000))
    refused(envsync("pull", f"docker-archive:{short}", cwd=tmp_path), "short.tar")
    assert [p.name for p in tmp_path.iterdir()] == ["short.tar"]


def test_a_layer_with_another_digest(archive: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar"
    data = bytearray(archive.read_bytes())
    position = data.index(b"Name: six")
    data[position : position + 9] = b"Name: sex"
    damaged.write_bytes(data)
    refused(envsync("pull", f"docker-archive:{damaged}", cwd=tmp_path), "damaged.tar", "sha256:")
    assert [p.name for p in tmp_path.iterdir()] == ["damaged.tar"]


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7 nothing of the sort" * 100, b"\x00" * 4096, b"PK\x03\x04" + b"0" * 999]
)
def test_not_an_archive(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    refused(envsync("pull", f"docker-archive:{file}", cwd=tmp_path), str(file))
    refused(envsync("pull", f"oci-archive:{file}", cwd=tmp_path), str(file))


def test_an_archive_cannot_be_run(archive: Path, tmp_path: Path) -> None:
    for method in ("run", "both"):
        result = envsync("pull", f"docker-archive:{archive}", "--method", method, cwd=tmp_path)
        refused(result, f"--method {method} starts the image", "docker load")


def test_a_tag_and_a_platform_that_a_layout_does_not_have(tmp_path: Path) -> None:
    write_oci_layout(tmp_path / "layout", ImageSpec(layers=[[File(path="x", data=b"")]], tags=["one"]))
    refused(envsync("pull", "oci:layout:two", cwd=tmp_path), "two", "one")
    refused(envsync("pull", "oci:layout:one", "--platform", "linux/s390x", cwd=tmp_path), "linux/amd64")


def test_no_python_in_the_image(tmp_path: Path) -> None:
    write_oci_layout(tmp_path / "layout", ImageSpec(layers=[[File(path="bin/sh", data=b"")]], tags=["one"]))
    refused(envsync("pull", "oci:layout:one", cwd=tmp_path), "no Python")


def test_an_interpreter_that_is_not_there(archive: Path, tmp_path: Path) -> None:
    result = envsync("pull", f"docker-archive:{archive}", "--interpreter", "/opt/python", cwd=tmp_path)
    refused(result, "/opt/python")


@pytest.mark.parametrize(
    "name", ["evil\n--index-url=http://evil/", "-r", "a==1 --pre", "a;b", "a b", "\x1b[2Jsix", "six\u202e"]
)
def test_a_name_that_would_inject_is_refused(name: str, tmp_path: Path) -> None:
    files = installed("six", "1.16.0")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".replace("\n--", "\n --")
    files[0] = File(path=files[0].path, data=metadata.encode())
    write_archive(tmp_path / "image.tar", files)
    result = envsync("pull", "docker-archive:image.tar", cwd=tmp_path)
    refused(result)
    assert "\x1b" not in result.err
    assert "\u202e" not in result.err
    assert [p.name for p in tmp_path.iterdir()] == ["image.tar"]


@pytest.fixture
def pulled(archive: Path, tmp_path: Path) -> Path:
    assert envsync("pull", f"docker-archive:{archive}", cwd=tmp_path).status == 0
    return tmp_path / "lockfiles" / "acme" / "job" / "1"


def test_a_lock_of_a_newer_schema(pulled: Path, tmp_path: Path) -> None:
    document = json.loads((pulled / "snapshot.json").read_text())
    document["schema"] = SCHEMA_VERSION + 1
    (pulled / "snapshot.json").write_text(json.dumps(document))
    result = envsync("create", ".venv", cwd=tmp_path)
    refused(result, f"written by a newer envsync: schema {SCHEMA_VERSION + 1}", "Upgrade envsync")


def test_a_damaged_lock(pulled: Path, tmp_path: Path) -> None:
    text = (pulled / "snapshot.json").read_text()
    for damage in (text[:-40], text.replace('"version": "', '"version": 1, "was": "', 1), ""):
        (pulled / "snapshot.json").write_text(damage)
        refused(envsync("create", ".venv", cwd=tmp_path), "snapshot.json: damaged: ", "envsync pull")
        refused(envsync("diff", "acme/job:1", "acme/job:1", cwd=tmp_path), "snapshot.json: damaged: ")


def test_a_place_that_cannot_be_written(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "lockfiles").write_text("a file")
    refused(envsync("pull", f"docker-archive:{archive}", "-L", "lockfiles/in", cwd=tmp_path), "cannot be written")
    assert (tmp_path / "lockfiles").read_text() == "a file"


def test_a_target_that_is_not_ours(pulled: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    before = contents(tmp_path)
    refused(envsync("create", "mine", cwd=tmp_path), "mine", "envsync did not make")
    refused(envsync("create", "file", cwd=tmp_path), "file")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "theirs"], check=True)
    refused(envsync("create", "theirs", cwd=tmp_path), "theirs", "envsync did not make")
    shutil.rmtree(tmp_path / "theirs")
    assert contents(tmp_path) == before


def test_no_interpreter_fits(pulled: Path, tmp_path: Path) -> None:
    result = envsync("create", ".venv", "--python", "3.2", cwd=tmp_path)
    refused(result, "3.2")
    result = envsync("create", ".venv", "--python", "/nowhere/python", cwd=tmp_path)
    refused(result, "/nowhere/python")
    assert not (tmp_path / ".venv").exists()


def test_no_network_for_the_index(pulled: Path, tmp_path: Path) -> None:
    variables = {"UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
    refused(envsync("create", ".venv", cwd=tmp_path, **variables), "six")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lockfiles"]


@pytest.mark.network
def test_a_distribution_that_the_index_does_not_have(tmp_path: Path) -> None:
    write_archive(tmp_path / "image.tar", SIX, installed("six-of-nowhere-at-all", "4.5"))
    assert envsync("pull", "docker-archive:image.tar", cwd=tmp_path).status == 0
    result = envsync("create", ".venv", cwd=tmp_path)
    assert result.status == 1, result.said
    assert "- six-of-nowhere-at-all 4.5: not there" in result.err
    assert "no index that is configured here has it; not repacked from the image" in " ".join(result.err.split())
    assert next((tmp_path / ".venv").glob("lib/python3.*/site-packages/six.py")).is_file()


def test_several_locks_are_ambiguous_unless_one_was_pulled_last(pulled: Path, tmp_path: Path) -> None:
    other = pulled.with_name("2")
    shutil.copytree(pulled, other)
    text = (other / "snapshot.json").read_text().replace("acme/job:1", "acme/job:2")
    (other / "snapshot.json").write_text(text)
    refused(envsync("create", ".venv", cwd=tmp_path), "2 locks", "--image acme/job:1", "--image acme/job:2")


def test_settings_that_cannot_be_meant(pulled: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.envsync]\nonly = ["moon"]\nignored = ["x"]\n')
    result = envsync("diff", "acme/job:1", "acme/job:1", cwd=tmp_path)
    refused(result, "pyproject.toml: tool.envsync.only", "tool.envsync.ignored: unknown key")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_what_was_there(stop: signal.Signals, pulled: Path, tmp_path: Path) -> None:
    before = contents(tmp_path / "lockfiles")
    words = [sys.executable, "-m", "envsync", "create", ".venv"]
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an index that never answers
        variables = {"UV_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/simple", "UV_NO_CACHE": "1"}
        process = subprocess.Popen(words, cwd=tmp_path, env=environment(**variables), stderr=subprocess.PIPE, text=True)
        silent.settimeout(20)
        connection, _ = silent.accept()
        process.send_signal(stop)
        _, said = process.communicate(timeout=30)
        connection.close()
    assert process.returncode == 2, said
    assert "interrupted; what was there before is unchanged" in said
    assert "Traceback" not in said
    assert contents(tmp_path / "lockfiles") == before
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")) == ["lockfiles"]


def test_a_closed_pipe_is_no_crash(pulled: Path, tmp_path: Path) -> None:
    words = f"{sys.executable} -m envsync images --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", words], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_the_interpreter_files_are_not_empty() -> None:
    """What the archives of this module are made of is real."""
    assert any(os.fspath(entry.path).endswith("lib/os.py") or "os.py" in entry.path for entry in interpreter_files())


@pytest.mark.network
def test_a_failed_build_is_left_out_and_says_why(tmp_path: Path) -> None:
    project = tmp_path / "no-flux-capacitor-1.0"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
        '[project]\nname = "no-flux-capacitor"\nversion = "1.0"\n'
    )
    (project / "b.py").write_text("def build_wheel(*_): raise RuntimeError('no flux capacitor')\nbuild_sdist = None\n")
    with tarfile.open(tmp_path / "no_flux_capacitor-1.0.tar.gz", "w:gz") as archive:
        archive.add(project, "no-flux-capacitor-1.0")
    write_lock(tmp_path / "lock", lock("no-flux-capacitor==1.0"))
    links = {"UV_FIND_LINKS": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "cache")}
    result = envsync("create", ".venv", "--image", "lock", "--python", BASE_PYTHON, cwd=tmp_path, **links)
    assert result.status == 1, result.said
    assert "- no-flux-capacitor 1.0: not there" in result.err
    assert "its build failed: RuntimeError: no flux capacitor" in " ".join(result.err.split())
    assert (tmp_path / ".venv").is_dir()
