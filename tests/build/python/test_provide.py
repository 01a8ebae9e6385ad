"""Interpreters that this machine lacks, as far as a test can hide them: from uv, from a channel, from the image."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from envsync.build.events import Event, Note
from envsync.build.python.provide import PythonOptions, provide_interpreter
from envsync.build.python.source import NotProvidedError
from envsync.build.python.uv_python import from_uv
from envsync.cache import Cache
from envsync.errors import InterpreterNotFoundError
from envsync.model import Interpreter, Snapshot
from envsync.reference import Platform
from tests.build.making import lock, make, run_python
from tests.build.python.downloads import offer
from tests.build.python.folder_image import FolderImage
from tests.imagekit.conda_channel import Served, channel_folder, serve
from tests.imagekit.machine import pyenv_python


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter on PATH, of pyenv or of uv, and no channel that answers."""
    for name in list(os.environ):
        if name.startswith(("UV_", "CONDA", "MAMBA", "XDG_")):
            monkeypatch.delenv(name)
    for name in ("home", "bin"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "no-pyenv"))
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "rattler"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("CONDA_CHANNELS", "http://127.0.0.1:1/none")


@pytest.fixture(scope="session")
def prefix() -> Path:
    """Where this machine really has a Python 3.9."""
    return pyenv_python("3.9")


@pytest.fixture(scope="session")
def channel() -> Path:
    return channel_folder()


@pytest.fixture(scope="session")
def folder(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> FolderImage:
    return FolderImage(tmp_path_factory.mktemp("folder"), prefix)


@pytest.fixture
def served(channel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with serve(channel) as server:
        monkeypatch.setenv("CONDA_CHANNELS", f"{server.url}/main")
        yield server


def _lock(version: str, **fields: object) -> Snapshot:
    found = lock(python=version)
    return msgspec.structs.replace(found, interpreters=(Interpreter(version=version, **fields),))  # type: ignore[arg-type]


def _notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


def test_uv_downloads_what_is_not_here(prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version, url = prefix.name, offer(tmp_path, prefix)
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", url)
    events: list[Event] = []
    python = provide_interpreter(_lock(version, abi="cp39"), PythonOptions(cache=tmp_path), events.append)
    assert (python.version, python.exact, python.source) == (version, True, "uv")
    assert python.path.is_relative_to(tmp_path / "uv")
    assert _notes(events) == [f"Python {version} was downloaded by uv"]
    assert not list((tmp_path / "home").rglob("python3*"))
    again = provide_interpreter(_lock(version), PythonOptions(), events.append)
    assert again == msgspec.structs.replace(python, source="machine")
    other = provide_interpreter(_lock("3.9.99"), PythonOptions(requested="auto"), events.append)
    assert (other.version, other.exact) == (version, False)
    for requested in (version, "3.9"):
        named = provide_interpreter(_lock("3.10.1"), PythonOptions(requested=requested), events.append)
        assert (named.version, named.exact) == (version, False)
    assert len(_notes(events)) == 1


@pytest.mark.parametrize(
    ("variables", "changes", "reason"),
    [
        ({"UV_PYTHON_DOWNLOADS": "never"}, {}, "UV_PYTHON_DOWNLOADS=never: uv is not to download any"),
        ({"UV_PYTHON_DOWNLOADS": "manual"}, {}, "UV_PYTHON_DOWNLOADS=manual: uv is not to download any"),
        ({"UV_NO_MANAGED_PYTHON": "1"}, {}, "UV_NO_MANAGED_PYTHON: uv is not to download any"),
        (
            {"UV_PYTHON_PREFERENCE": "only-system"},
            {},
            "UV_PYTHON_PREFERENCE=only-system: uv is not to download any",
        ),
        ({}, {"patch": 1}, "uv python install {0}: No download found for request: cpython-{0}-"),
        ({}, {"sha256": "0" * 64}, "uv python install {0}: Failed to install .*: Hash mismatch for "),
    ],
)
def test_why_uv_has_none(
    prefix: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    changes: dict[str, object],
    reason: str,
) -> None:
    version, url = prefix.name, offer(tmp_path, prefix, **changes)
    for name, value in {"UV_PYTHON_DOWNLOADS_JSON_URL": url, **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NotProvidedError, match=f"^{reason.format(re.escape(version))}"):
        from_uv(Interpreter(version=version), version)


def test_uv_is_only_asked_for_cpython() -> None:
    with pytest.raises(NotProvidedError, match=re.escape("uv is only asked for cpython (the image has pypy)")):
        from_uv(Interpreter(version="3.9.18", implementation="pypy"), "3.9.18")


def test_a_channel_has_what_uv_may_not_download(
    prefix: Path, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    version = prefix.name
    events: list[Event] = []
    options = PythonOptions(cache=tmp_path / "cache")
    python = provide_interpreter(_lock(version, abi="cp39"), options, events.append)
    place = python.path.parents[1]
    assert (python.version, python.exact, python.source) == (version, True, "conda")
    assert (place.parent, place.name[:6]) == (tmp_path / "cache" / "pythons", "conda-")
    assert _notes(events) == [f"Python {version} of {served.url}/main was placed in {place}"]
    asked = len(served.paths)
    assert provide_interpreter(_lock(version, abi="cp39"), options, events.append) == python
    assert len(served.paths) == asked
    # What is not whole is placed anew.
    (place / "bin" / "python3.9").unlink()
    assert provide_interpreter(_lock(version, abi="cp39"), options, events.append) == python
    named = provide_interpreter(
        _lock("3.10.1"), PythonOptions(requested="3.9", cache=tmp_path / "cache"), events.append
    )
    assert (named.version, named.exact, named.source) == (version, False, "conda")


def test_every_source_says_why_it_has_none(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(InterpreterNotFoundError) as caught:
        provide_interpreter(_lock("3.9.99"), PythonOptions(cache=tmp_path / "cache"), print)
    assert caught.value.message.splitlines() == [
        "Python 3.9.99: not on this machine, nor any other 3.9 (found: none)",
        "  uv: UV_PYTHON_DOWNLOADS=never: uv is not to download any",
        f"  conda: no Python 3.9.99 in {served.url}/main",
        "  image: the lock does not say for which platform the image is",
    ]
    assert "pyenv install 3.9.99" in (caught.value.hint or "")
    with pytest.raises(InterpreterNotFoundError) as caught:
        provide_interpreter(_lock("3.9.99"), PythonOptions(requested="3.9.98"), print)
    assert caught.value.message.splitlines() == [
        "--python 3.9.98: no such interpreter on this machine (found: none)",
        "  uv: UV_PYTHON_DOWNLOADS=never: uv is not to download any",
        "  conda: there is no cache to place it in",
    ]
    assert list((tmp_path / "cache" / "pythons").iterdir()) == []


@pytest.mark.parametrize(
    ("channels", "fields", "reason"),
    [
        ("defaults", {}, "the terms of service of Anaconda are not accepted"),
        ("http://127.0.0.1:1/none", {}, "http://127.0.0.1:1/none: cannot be read for linux-64"),
        ("not a channel", {}, "not a channel: neither the name nor the URL of a channel"),
        ("conda-forge", {"abi": "cp39d"}, "channels have no debug builds"),
        ("conda-forge", {"implementation": "pypy"}, "channels are only asked for cpython 3"),
    ],
)
def test_why_channels_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: str, fields: dict[str, object], reason: str
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("CONDA_CHANNELS", channels)
    with pytest.raises(InterpreterNotFoundError, match=f"\n  conda: .*{re.escape(reason)}"):
        provide_interpreter(_lock("3.9.18", **fields), PythonOptions(cache=tmp_path), print)


def test_offline_asks_no_channel(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(InterpreterNotFoundError, match="\n  conda: "):
        provide_interpreter(_lock("3.9.18"), PythonOptions(cache=tmp_path, offline=True), print)
    assert served.paths == []


def test_the_image_alone_may_be_meant(tmp_path: Path) -> None:
    with pytest.raises(InterpreterNotFoundError, match=r"^--python image: there is no cache to place it in"):
        provide_interpreter(_lock("3.9.18"), PythonOptions(requested="image"), print)
    with pytest.raises(InterpreterNotFoundError, match=r"^--python image: the lock does not say for which platform"):
        provide_interpreter(_lock("3.9.18"), PythonOptions(requested="image", cache=tmp_path), print)
    with pytest.raises(InterpreterNotFoundError, match="environments of Python 2 cannot be made"):
        provide_interpreter(_lock("2.7.18"), PythonOptions(cache=tmp_path), print)


def test_an_environment_of_an_interpreter_that_had_to_be_placed(
    prefix: Path, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    target = tmp_path / ".venv"
    options = PythonOptions(cache=tmp_path / "cache")
    built = make(_lock(prefix.name), target, pythons=options)
    assert (built.python.source, built.python.version) == ("conda", prefix.name)
    assert run_python(target, "-c", "import sys; print(sys.base_prefix)").strip() == str(built.python.path.parents[1])
    again = make(_lock(prefix.name), target, pythons=options)
    assert (again.python, again.installed) == (built.python, 0)
    (kept,) = Cache(tmp_path / "cache").clear().kept
    assert (kept.path, kept.environments) == (built.python.path.parents[1], (target,))
    assert run_python(target, "-c", "print(1)") == "1\n"
    shutil.rmtree(target)
    assert Cache(tmp_path / "cache").clear().kept == ()


def test_the_images_own_comes_last_and_is_kept(
    folder: FolderImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("CONDA_CHANNELS", "defaults")
    events: list[Event] = []
    options = PythonOptions(cache=tmp_path / "cache", open_image=folder.open)
    python = provide_interpreter(folder.lock(), options, events.append)
    assert (python.source, python.exact, python.version) == ("image", True, folder.version)
    place = python.path.parents[1]
    note = f"the image's own Python, copied to {place}, runs on this machine, outside of any container"
    assert _notes(events) == [note]
    events.clear()
    again = PythonOptions(cache=tmp_path / "cache")
    assert provide_interpreter(folder.lock(), again, events.append) == python
    assert events == [Note(text=note)]


def test_another_version_of_this_machine_is_used_and_the_exact_one_named(
    folder: FolderImage, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(prefix / "bin"))
    lock = folder.lock()
    other = msgspec.structs.replace(lock, interpreters=(msgspec.structs.replace(lock.python, version="3.9.99"),))
    events: list[Event] = []
    options = PythonOptions(cache=tmp_path, open_image=folder.open)
    python = provide_interpreter(other, options, events.append)
    assert (python.version, python.exact, python.source) == (prefix.name, False, "machine")
    exact = "the image's own, Python 3.9.99, can be had with --python image"
    assert _notes(events) == [f"Python {prefix.name} of this machine is used; {exact}"]
    events.clear()
    for chosen in (
        msgspec.structs.replace(options, requested="3.9"),
        msgspec.structs.replace(options, open_image=None),
        msgspec.structs.replace(options, cache=None),
    ):
        assert provide_interpreter(other, chosen, events.append) == python
    elsewhere = msgspec.structs.replace(other, platform=Platform.parse("linux/s390x"))
    assert provide_interpreter(elsewhere, options, events.append) == python
    assert events == []


def test_every_reason_of_an_image_that_is_not_at_hand(
    folder: FolderImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("CONDA_CHANNELS", "defaults")
    with pytest.raises(InterpreterNotFoundError) as caught:
        provide_interpreter(folder.lock(), PythonOptions(cache=tmp_path), print)
    assert caught.value.message.splitlines()[-1] == "  image: the image is not at hand"
