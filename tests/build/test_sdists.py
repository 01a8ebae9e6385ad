"""Sdists of before PEP 517, built by uv from an index on the loopback device that knows upload times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from envsync.build.events import Event, Line, Note
from envsync.build.marker import read_marker
from envsync.errors import BuildError
from envsync.model import Distribution, VcsOrigin
from tests.build.dated import DatedIndex, dated_index, legacy_sdist
from tests.build.making import freeze, leftovers, lock, make, site_packages, tree
from tests.build.wheels import Index, sdist, serve, wheel

THEN = datetime(2019, 7, 16, tzinfo=timezone.utc)
BUILD_META = '''
import io, os, runpy, sys, zipfile

version = {version!r}

def get_requires_for_build_wheel(config_settings=None):
    """What setup.py asks for: as setuptools does, by running it."""
    return _run()["setup_requires"]

def build_wheel(directory, config_settings=None, metadata_directory=None):
    made = _run()
    stem = made["name"] + "-1.0"
    with zipfile.ZipFile(os.path.join(directory, stem + "-py3-none-any.whl"), "w") as archive:
        archive.writestr(made["name"] + ".py", "built_with = " + repr((version, made["note"])))
        archive.writestr(stem + ".dist-info/METADATA", "Name: %(name)s\\nVersion: 1.0\\n" % made)
        archive.writestr(stem + ".dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\n")
        archive.writestr(stem + ".dist-info/RECORD", "")
    return stem + "-py3-none-any.whl"

def _run():
    import setuptools
    setuptools.made = None
    sys.path.insert(0, os.getcwd())
    runpy.run_path("setup.py", run_name="__main__")
    return setuptools.made

class __legacy__:
    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    build_wheel = staticmethod(build_wheel)
'''
"""Stands in for setuptools, so that no other index is needed: its ``setup`` remembers what it was called with."""
SETUP = """
made = None

def setup(name, version, setup_requires=(), note=""):
    global made
    made = {"name": name, "setup_requires": list(setup_requires), "note": note}
"""


def setuptools(version: str) -> tuple[str, bytes]:
    files = {"setuptools/__init__.py": SETUP, "setuptools/build_meta.py": BUILD_META.format(version=version)}
    return wheel("setuptools", version, files)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatedIndex]:
    """The only index that uv knows, with apple 1.0, and setuptools of 2019 and of today."""
    with dated_index() as made:
        made.add(wheel("apple", "1.0"), "2018-01-01")
        made.add(setuptools("41.0"), "2019-05-01")
        made.add(setuptools("80.0"), "2025-05-01")
        made.add(wheel("wheel", "0.33"), "2019-05-01")
        monkeypatch.setenv("UV_DEFAULT_INDEX", made.url)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        monkeypatch.setenv("UV_HTTP_TIMEOUT", "5")
        yield made


def setup(name: str, *, before: str = "", requires: str = "()", note: str = "''") -> tuple[str, bytes]:
    text = f"{before}\nfrom setuptools import setup\nsetup({name!r}, '1.0', setup_requires={requires}, note={note})\n"
    return legacy_sdist(name, "1.0", text)


def built_with(env: Path, module: str) -> str:
    text = (site_packages(env) / f"{module}.py").read_text()
    return text.removeprefix("built_with = ")


@pytest.fixture
def pypandoc(index: DatedIndex) -> None:
    """Two releases; the newer one lacks what the setup.py of pyspark 2.4.3 calls."""
    index.add(wheel("pypandoc", "1.4", {"pypandoc.py": "def convert(*paths):\n    return 'text'\n"}), "2017-04-12")
    index.add(wheel("pypandoc", "1.8", {"pypandoc.py": "def convert_file(*paths):\n    return 'text'\n"}), "2022-04-08")


def of_pypandoc(name: str) -> tuple[str, bytes]:
    text = (
        f"import pypandoc\nfrom setuptools import setup\nsetup({name!r}, '1.0', note=pypandoc.convert('README.md'))\n"
    )
    return legacy_sdist(
        name, "1.0", text, {"pyproject.toml": '[build-system]\nrequires = ["setuptools", "pypandoc"]\n'}
    )


def test_build_requirements_are_those_of_the_date(index: DatedIndex, pypandoc: None, tmp_path: Path) -> None:
    index.add(of_pypandoc("spark"), "2019-05-07")
    built = make(lock("spark==1.0", "apple==1.0"), tmp_path / "today")
    (lacking,) = built.not_reproducible
    assert (lacking.name, lacking.version) == ("spark", "1.0")
    assert lacking.reason == "its build failed: AttributeError: module 'pypandoc' has no attribute 'convert'"
    built = make(lock("spark==1.0", "apple==1.0"), tmp_path / "then", as_of=THEN)
    assert built.not_reproducible == ()
    assert freeze(tmp_path / "then") == ["apple==1.0", "spark==1.0"]
    assert built_with(tmp_path / "then", "spark") == "('41.0', 'text')"


def test_a_known_case_is_built_without_a_date(index: DatedIndex, pypandoc: None, tmp_path: Path) -> None:
    """known_builds.toml says which pypandoc pyspark needs; the lock's, which is another one, stays in place."""
    index.add(of_pypandoc("pyspark"), None)
    index.add(setuptools("57.5"), "2021-09-01")
    make(lock("pyspark==1.0", "pypandoc==1.8"), tmp_path / "env")
    assert built_with(tmp_path / "env", "pyspark") == "('57.5', 'text')"
    assert freeze(tmp_path / "env") == ["pypandoc==1.8", "pyspark==1.0"]


def test_what_the_lock_has_is_supplied_to_a_build_that_does_not_ask_for_it(index: DatedIndex, tmp_path: Path) -> None:
    """With tools of the date, beside the environment: nothing of them stays in it."""
    index.add(setup("fig", before="import apple", note="apple.version"), "2019-01-01")
    events: list[Event] = []
    make(lock("fig==1.0", "apple==1.0"), tmp_path / "env", as_of=THEN, on_event=events.append)
    assert freeze(tmp_path / "env") == ["apple==1.0", "fig==1.0"]
    assert built_with(tmp_path / "env", "fig") == "('41.0', '1.0')"
    assert Line(text="fig 1.0 does not build in isolation: building it inside the environment") in events
    assert not [path for path in site_packages(tmp_path / "env").iterdir() if "setuptools" in path.name]
    again = make(lock("fig==1.0", "apple==1.0"), tmp_path / "env", as_of=THEN)
    assert (again.installed, again.unchanged) == (0, 2)


def test_a_known_build_tool_that_nobody_asks_for_is_supplied(index: DatedIndex, tmp_path: Path) -> None:
    """Of the date as well. A module that is no build tool's is not looked up: anybody could own its name."""
    for version, day in (("0.29", "2019-06-01"), ("3.0", "2023-07-17")):
        index.add(wheel("Cython", version, {"Cython/__init__.py": f"version = {version!r}\n"}), day)
    index.add(wheel("stranger", "1.0"), "2019-01-01")
    index.add(setup("fig", before="import Cython", note="Cython.version"), "2019-01-01")
    index.add(setup("guava", before="import stranger"), "2019-01-01")
    built = make(lock("fig==1.0", "guava==1.0"), tmp_path / "env", as_of=THEN)
    assert built_with(tmp_path / "env", "fig") == "('41.0', '0.29')"
    assert [(one.name, one.reason) for one in built.not_reproducible] == [
        ("guava", "its build failed: ModuleNotFoundError: No module named 'stranger'")
    ]


def test_tools_that_no_longer_run_give_way_to_those_of_today(index: DatedIndex, tmp_path: Path) -> None:
    broken = {"setuptools/__init__.py": "raise ImportError('not on this Python')\n", "setuptools/build_meta.py": ""}
    index.add(wheel("setuptools", "41.1", broken), "2019-06-01")
    index.add(setup("fig"), "2019-01-01")
    events: list[Event] = []
    make(lock("fig==1.0"), tmp_path / "env", as_of=THEN, on_event=events.append)
    assert built_with(tmp_path / "env", "fig") == "('80.0', '')"
    text = "fig 1.0: built with today's build requirements; with those of 2019-07-16T00:00:00Z it fails"
    assert Note(text=text) in events


def test_what_never_builds_is_left_out_and_the_rest_is_completed(index: DatedIndex, tmp_path: Path) -> None:
    target = tmp_path / "env"
    index.add(setup("fig", before="print('first\\x1b[31m line')\nraise RuntimeError('no way')"), "2019-01-01")
    index.add(setup("grape"), "2019-01-01")
    snapshot = lock("fig==1.0", "apple==1.0", "grape==1.0", "nowhere==3.1.0.dev98")
    built = make(snapshot, target, as_of=THEN)
    assert freeze(target) == ["apple==1.0", "grape==1.0"]
    assert built.names == ("apple", "grape")
    fig, nowhere = built.not_reproducible
    assert (fig.name, fig.reason) == ("fig", "its build failed: RuntimeError: no way")
    assert "RuntimeError: no way" in fig.output
    assert "\x1b" not in fig.output
    assert "os-packages.txt" in fig.hint
    assert (nowhere.name, nowhere.reason) == ("nowhere", "the index has no distribution of this name")
    assert "private index" in nowhere.hint
    marker = read_marker(target)
    assert marker is not None
    assert marker.not_reproducible == built.not_reproducible


def test_it_is_tried_again_only_when_something_changed_that_could_help(
    index: DatedIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, programs = tmp_path / "env", tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    code = "import subprocess; subprocess.run(['/bin/sh', '-c', 'fig_config'], check=True)"
    index.add(setup("fig", before=code), "2019-01-01")
    snapshot = lock("fig==1.0", "apple==1.0")
    built = make(snapshot, target, as_of=THEN)
    assert [one.reason for one in built.not_reproducible] == ["its build failed: fig_config is missing"]
    inode = target.stat().st_ino
    again = make(snapshot, target, as_of=THEN)
    assert (again.installed, again.not_reproducible) == (0, built.not_reproducible)
    assert target.stat().st_ino == inode

    (programs / "fig_config").write_text("#!/bin/sh\n")
    (programs / "fig_config").chmod(0o755)
    built = make(snapshot, target, as_of=THEN)
    assert (built.installed, built.not_reproducible) == (1, ())
    assert freeze(target) == ["apple==1.0", "fig==1.0"]


def test_strict_is_all_or_nothing(index: DatedIndex, tmp_path: Path) -> None:
    target = tmp_path / "env"
    index.add(setup("fig", before="raise RuntimeError('no way')"), "2019-01-01")
    make(lock("apple==1.0"), target)
    before = tree(target)
    with pytest.raises(BuildError) as caught:
        make(lock("apple==1.0", "fig==1.0"), target, as_of=THEN, strict=True)
    assert caught.value.message == "fig 1.0: its build failed: RuntimeError: no way"
    assert "RuntimeError: no way" in caught.value.output
    assert tree(target) == before
    assert leftovers(target) == []

    make(lock("apple==1.0", "fig==1.0"), target, as_of=THEN)
    with pytest.raises(BuildError, match=r"^fig 1\.0: its build failed"):
        make(lock("apple==1.0", "fig==1.0"), target, as_of=THEN, strict=True)


def test_an_index_that_has_nothing_at_all_is_an_error(index: DatedIndex, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^nothing 2\.0: the index has no distribution of this name"):
        make(lock("nowhere==1.0", "nothing==2.0"), tmp_path / "env", as_of=THEN)
    assert not (tmp_path / "env").exists()


def test_a_pin_counts_whenever_it_was_uploaded(index: DatedIndex, tmp_path: Path) -> None:
    """The date may be wrong, or not told: only what builds ask for is held to it."""
    index.add(wheel("berry", "1.0"), "2024-01-01")
    index.add(wheel("cherry", "1.0"), None)
    index.add(setup("fig"), "2024-01-01")
    index.add(wheel("six", "1.0"), "2024-01-01")
    make(lock("berry==1.0", "cherry==1.0", "fig==1.0", "six==1.0"), tmp_path / "env", as_of=THEN)
    assert freeze(tmp_path / "env") == ["berry==1.0", "cherry==1.0", "fig==1.0", "six==1.0"]
    assert built_with(tmp_path / "env", "fig") == "('41.0', '')"


def test_an_index_without_upload_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dated_index() as index:
        index.add(wheel("apple", "1.0"), None)
        index.add(setuptools("80.0"), None)
        index.add(setup("fig"), None)
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        events: list[Event] = []
        make(lock("apple==1.0", "fig==1.0"), tmp_path / "env", as_of=THEN, on_event=events.append)
    assert built_with(tmp_path / "env", "fig") == "('80.0', '')"
    text = "built with today's build requirements, not as of 2019-07-16T00:00:00Z: the index gives no dates"
    assert Note(text=text) in events


def test_files_that_are_damaged_are_built_anew_the_same_way(index: DatedIndex, tmp_path: Path) -> None:
    """Around uv's cache, which has the file that was edited."""
    index.add(setup("fig", before="import apple", note="apple.version"), "2019-01-01")
    target = tmp_path / "env"
    snapshot = lock("fig==1.0", "apple==1.0")
    make(snapshot, target, as_of=THEN)
    (site_packages(target) / "fig.py").write_text("edited\n")
    make(snapshot, target, as_of=THEN, damaged=frozenset({"fig"}))
    assert built_with(target, "fig") == "('41.0', '1.0')"


def test_the_pip_backend_leaves_out_and_completes_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same ways, but for the date, which pip knows nothing of."""
    folder = tmp_path / "index"
    folder.mkdir()
    with serve(folder) as address:
        index = Index(folder, address)
        index.add(wheel("apple", "1.0"), sdist("fig", "1.0", before="import apple"))
        index.add(sdist("guava", "1.0", before="raise RuntimeError('no way')"))
        index.add(wheel("setuptools", "57.5"), wheel("wheel", "0.40"))
        for name, value in {
            "INDEX_URL": index.url,
            "CONFIG_FILE": os.devnull,
            "CACHE_DIR": str(tmp_path / "c"),
        }.items():
            monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        snapshot = lock("fig==1.0", "apple==1.0", "guava==1.0", "nowhere==1.0")
        events: list[Event] = []
        target = tmp_path / "env"
        built = make(snapshot, target, backend="pip", as_of=THEN, on_event=events.append)
        assert freeze(target) == ["apple==1.0", "fig==1.0"]
        guava, nowhere = built.not_reproducible
        assert (guava.name, guava.reason) == ("guava", "its build failed: RuntimeError: no way")
        assert "RuntimeError: no way" in guava.output
        assert nowhere.reason == "the index has no distribution of this name that fits this interpreter"
        assert Note(text="sdists are built with today's build requirements: only uv has those of a date") in events
        again = make(snapshot, target, backend="pip", as_of=THEN)
        assert (again.installed, again.not_reproducible) == (0, built.not_reproducible)
        with pytest.raises(BuildError, match=r"^nowhere 1\.0: the index has no distribution of this name"):
            make(snapshot, target, backend="pip", strict=True)
        gone = VcsOrigin(url="http://127.0.0.1:9/x.git", vcs="git", commit="1" * 40)
        built = make(lock("apple==1.0", Distribution(name="quince", version="1.0", origin=gone)), target, backend="pip")
        (quince,) = built.not_reproducible
        assert quince.reason.startswith("git cannot get its commit: unable to access 'http://127.0.0.1:9/")
        assert "git clone" in quince.output
        assert freeze(target) == ["apple==1.0"]
