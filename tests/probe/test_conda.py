"""A conda prefix, described by old and new Pythons as it is read."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from pathlib import Path, PurePosixPath

import pytest

from envsync.catalog import conda
from envsync.files import HostTree
from envsync.model import Interpreter
from envsync.probe.answered import CondaAnswer
from envsync.probe.conda import find_conda
from tests.probe.asking import VERSIONS, find, pyenv_python

HASH = "a" * 64


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "env"
    meta = folder / "conda-meta"
    meta.mkdir(parents=True)
    (folder / "lib").mkdir()
    (folder / "lib" / "here.py").write_text("x = 1\n")
    (folder / "lib" / "dangling").symlink_to("nowhere")
    names = ["lib/here.py", "lib/dangling", "lib/gone-\u00e9.py"]
    entry = {"version": "1.0", "build": "0", "files": names}
    old = {**entry, "name": "old", "url": "https://conda.example/c/noarch/old-1.0-0.conda"}
    paths = [{"_path": name, "sha256": HASH, "sha256_in_prefix": HASH, "size_in_bytes": 1} for name in names]
    new = {
        **entry,
        "name": "new",
        "url": "https://conda.example/c/noarch/new-1.0-0.conda",
        "paths_data": {"paths": paths},
    }
    for record in (old, new):
        (meta / f"{record['name']}-1.0-0.json").write_text(json.dumps(record))
    (meta / "broken-1-0.json").write_text("{")
    (meta / "history").write_text("# update specs: ['new', 'old']\n")
    (folder / ".condarc").write_text("channels: [https://u:secret@conda.example/c]\n")
    return folder


@pytest.mark.parametrize("minor", VERSIONS)
def test_it_is_described_as_it_is_read(minor: str, prefix: Path) -> None:
    path = PurePosixPath(prefix)
    interpreters = [Interpreter(version="3.7.3", prefix=path)]
    asked = find_conda(find(pyenv_python(minor), prefix.parent).conda, interpreters, ())
    assert asked == conda.find_conda(HostTree(), [path], interpreters)
    (environment,), _, skipped = asked
    assert {package.name: package.missing for package in environment.packages} == {
        "new": ("lib/gone-\u00e9.py",),
        "old": ("lib/gone-\u00e9.py",),
    }
    assert environment.channels == ("https://conda.example/c",)
    assert [one.subject for one in skipped] == ["broken-1-0.json"]


@pytest.mark.parametrize("minor", VERSIONS)
def test_an_environment_has_the_channels_of_the_conda_that_made_it(minor: str, prefix: Path) -> None:
    other = prefix / "envs" / "other"
    shutil.copytree(prefix / "conda-meta", other / "conda-meta")
    (prefix / ".condarc").write_text("channels: [zebra, https://conda.example/c]\n")
    path = PurePosixPath(other)
    interpreters = [Interpreter(version="3.7.3", prefix=path)]
    asked = find_conda(find(pyenv_python(minor), other.parent).conda, interpreters, ())
    assert asked == conda.find_conda(HostTree(), [path], interpreters)
    (environment,), _, _ = asked
    assert environment.channels == ("zebra", "https://conda.example/c")


def test_a_condarc_beyond_all_bounds_is_noted_and_not_parsed(prefix: Path) -> None:
    (prefix / ".condarc").write_text("channels: [conda-forge]\n" + "#" * 100_000)
    interpreters = [Interpreter(version="3.7.3", prefix=PurePosixPath(prefix))]
    _, _, skipped = find_conda(find(pyenv_python("3.11"), prefix.parent).conda, interpreters, ())
    assert any("larger than 65536 bytes" in one.reason for one in skipped)


def test_what_is_no_file_is_not_waited_for(prefix: Path) -> None:
    os.mkfifo(prefix / "conda-meta" / "pipe-1-0.json")
    os.mkfifo(prefix / "conda-meta" / "pinned")
    interpreters = [Interpreter(version="3.7.3", prefix=PurePosixPath(prefix))]
    _, _, skipped = find_conda(find(pyenv_python("3.11"), prefix.parent).conda, interpreters, ())
    found = {(one.subject, one.reason) for one in skipped}
    assert ("pipe-1-0.json", "not sent, or damaged, or too large") in found
    assert any(subject == "pinned" and "not a regular file" in reason for subject, reason in found)


def test_a_record_of_far_too_many_files_costs_the_container_nothing(prefix: Path) -> None:
    (prefix / "conda-meta" / "many-1-0.json").write_bytes(b"[" + b"{}," * 5_000_000 + b"{}]")
    interpreters = [Interpreter(version="3.7.3", prefix=PurePosixPath(prefix))]
    _, _, skipped = find_conda(find(pyenv_python("3.11"), prefix.parent).conda, interpreters, ())
    assert ("many-1-0.json", "lists more files than any honest package has") in {
        (one.subject, one.reason) for one in skipped
    }


def answer(prefix: str = "/opt/conda", **records: bytes) -> CondaAnswer:
    return CondaAnswer(prefix=prefix, records=records, absent=(), files={})


def test_records_that_unpack_to_gigabytes_are_left_out() -> None:
    bomb = zlib.compress(bytes(31 << 20), 9)
    larger = zlib.compress(bytes(33 << 20), 9)
    sent = answer(**{f"r{number:03}": bomb for number in range(100)}, x=larger, y=b"no zlib")
    ((environment,), _, skipped) = find_conda([sent], [], ())
    assert environment.packages == ()
    reasons = [one.reason for one in skipped]
    assert sum(reason.startswith("no record of conda's") for reason in reasons) == 17
    assert reasons.count("not sent, or damaged, or too large") == 85


def test_more_prefixes_and_records_than_any_image_has() -> None:
    many = answer("/p", **{f"r{number}": b"" for number in range(5001)})
    environments, _, skipped = find_conda([many, *(answer(f"/{n}") for n in range(250))], [], ())
    assert len(environments) == 200
    reasons = {one.reason for one in skipped}
    assert "more conda environments than any honest image has: 200 are described" in reasons
    assert "/p/conda-meta: more records than any honest image has: 5000 are read" in reasons


@pytest.mark.parametrize("minor", VERSIONS)
def test_files_of_noarch_packages_are_looked_for_where_conda_put_them(minor: str, prefix: Path) -> None:
    """conda's own records tell in ``paths_data`` where the package has its files."""
    site = "lib/python3.7/site-packages"
    (prefix / site).mkdir(parents=True)
    (prefix / site / "there.py").write_text("")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "there").write_text("")
    paths = ["site-packages/there.py", "site-packages/gone.py", "python-scripts/there", "python-scripts/gone"]
    record = {
        "name": "pure",
        "version": "1",
        "build": "py_0",
        "noarch": "python",
        "url": "https://conda.example/c/noarch/pure-1-py_0.conda",
        "files": [f"{site}/there.py", f"{site}/gone.py", "bin/there", "bin/gone"],
        "paths_data": {"paths": [{"_path": path, "path_type": "hardlink", "sha256": HASH} for path in paths]},
    }
    (prefix / "conda-meta" / "pure-1-py_0.json").write_text(json.dumps(record))
    path = PurePosixPath(prefix)
    interpreters = [Interpreter(version="3.7.3", prefix=path)]
    asked = find_conda(find(pyenv_python(minor), prefix.parent).conda, interpreters, ())
    assert asked == conda.find_conda(HostTree(), [path], interpreters)
    ((pure,),) = ([p for p in one.packages if p.name == "pure"] for one in asked[0])
    assert pure.missing == ("bin/gone", f"{site}/gone.py")
