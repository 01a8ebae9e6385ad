"""Files of a conda prefix, on one that is written here file by file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath

import pytest

from envsync.drift.conda_files import verify_conda
from envsync.drift.finding import Finding, NotCompared
from envsync.model import CondaEnvironment, Distribution, LocalSource, Snapshot
from tests.drift.sides import with_python
from tests.drift.test_conda import package
from tests.factory import distribution, snapshot

FILES = {"bin/tool": b"#!/prefix/bin/python\n", "lib/a.so": b"\x7fELF", "lib/pkg/b.py": b"b = 1\n"}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Prefix:
    def __init__(self, root: Path) -> None:
        self.path = root / "env"
        (self.path / "conda-meta").mkdir(parents=True)
        for name, data in FILES.items():
            self.write(name, data)
        (self.path / "lib/a.so.1").symlink_to("a.so")
        self.write("lib/pkg/__pycache__/b.cpython-39.pyc", b"anything")
        self.entries: list[dict[str, str]] = [
            # The prefix was written into it: the hash of the package's own file is another.
            {"_path": "bin/tool", "sha256": "0" * 64, "sha256_in_prefix": digest(FILES["bin/tool"])},
            {"_path": "lib/a.so", "path_type": "hardlink", "sha256": digest(FILES["lib/a.so"])},
            {"_path": "lib/a.so.1", "path_type": "softlink", "sha256": "1" * 64},
            {"_path": "lib/pkg/b.py", "path_type": "hardlink", "sha256": digest(FILES["lib/pkg/b.py"]).upper()},
            {"_path": "lib/pkg/__pycache__/b.cpython-39.pyc", "path_type": "hardlink", "sha256": "2" * 64},
            {"_path": "bin/made", "path_type": "unix_python_entry_point"},
        ]
        self.record()

    def write(self, name: str, data: bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def record(self, *more: dict[str, str]) -> None:
        paths = {"paths": [*self.entries, *more], "paths_version": 1}
        text = json.dumps({"name": "zlib", "version": "1.2", "build": "h1_0", "paths_data": paths})
        (self.path / "conda-meta/zlib-1.2-h1_0.json").write_text(text)

    def found(self, *installed: Distribution, **options: object) -> tuple[tuple[Finding, ...], tuple[NotCompared, ...]]:
        return verify_conda(self.snapshot(*installed), **{"verify": True, **options})  # type: ignore[arg-type]

    def snapshot(self, *installed: Distribution) -> Snapshot:
        prefix = PurePosixPath(self.path)
        environment = CondaEnvironment(prefix=prefix, packages=(package(),))
        side = snapshot(*installed, source=LocalSource(path=prefix), conda=(environment,))
        return with_python(side, prefix=prefix)


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    return Prefix(tmp_path)


def changed(prefix: Prefix) -> list[str | None]:
    findings, _ = prefix.found()
    return [finding.actual for finding in findings]


def test_nothing_is_changed(prefix: Prefix) -> None:
    assert prefix.found() == ((), ())


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file(prefix: Prefix, name: str) -> None:
    prefix.write(name, FILES[name][:-1] + b"!")
    (finding,), notes = prefix.found(fix="envsync create x")
    assert notes == ()
    assert finding == Finding(
        kind="conda-files-changed",
        scope="python",
        severity="warning",
        subject="zlib",
        expected="4 files as installed",
        actual=f"1 changed: {name}",
        impact="It runs code that is not what was installed.",
        fix="envsync create x",
    )


def test_without_verify_a_note_says_what_was_not_read(prefix: Prefix) -> None:
    prefix.write("lib/a.so", b"other")
    reason = "only whether they are there (--verify reads them all)"
    assert prefix.found(verify=False) == (
        (),
        (NotCompared(subject="contents of conda packages' files", reason=reason),),
    )


def test_a_link_that_is_none(prefix: Prefix) -> None:
    (prefix.path / "lib/a.so.1").unlink()
    prefix.write("lib/a.so.1", FILES["lib/a.so"])
    assert changed(prefix) == ["1 changed: lib/a.so.1"]


def test_a_file_that_is_a_pipe_is_changed_and_not_waited_for(prefix: Prefix) -> None:
    (prefix.path / "lib/a.so").unlink()
    os.mkfifo(prefix.path / "lib/a.so")
    assert changed(prefix) == ["1 changed: lib/a.so"]


def test_missing_files_are_told_by_the_snapshot(prefix: Prefix) -> None:
    (prefix.path / "lib/pkg/b.py").unlink()
    assert prefix.found() == ((), ())


def test_what_a_distribution_of_pips_lists_is_its_own(prefix: Prefix) -> None:
    prefix.write("lib/pkg/b.py", b"b = 2\n")
    prefix.write("lib/pkg-2.dist-info/RECORD", b"pkg/b.py,,\npkg-2.dist-info/RECORD,,\n")
    where = {
        "location": PurePosixPath(prefix.path / "lib"),
        "metadata": PurePosixPath(prefix.path / "lib/pkg-2.dist-info"),
    }
    assert prefix.found(distribution("pkg", "2", **where)) == ((), ())
    (finding,), _ = prefix.found(distribution("pkg", "2", conda="zlib", **where))
    assert finding.actual == "1 changed: lib/pkg/b.py"


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "lib/../../outside", "away/outside"])
def test_nothing_outside_of_the_prefix_is_looked_at(prefix: Prefix, name: str) -> None:
    (prefix.path.parent / "outside").write_text("secret")
    (prefix.path / "away").symlink_to("..")
    prefix.record({"_path": name, "path_type": "hardlink", "sha256": "3" * 64})
    reason = f"the record lists files outside of the environment: {name}"
    assert prefix.found() == ((), (NotCompared(subject="files of zlib", reason=reason),))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"name": 1}', '{"name": "zlib", "paths_data": {"paths": [{}]}}', "\udc80"]
)
def test_a_damaged_record_is_a_note(prefix: Prefix, text: str) -> None:
    (prefix.path / "conda-meta/bad.json").write_text(text, errors="surrogateescape")
    findings, (note,) = prefix.found()
    assert (findings, note.subject) == ((), "files of bad.json")


def test_a_record_without_hashes_is_a_note(prefix: Prefix) -> None:
    prefix.entries = [{"_path": "lib/a.so"}]
    prefix.record()
    note = NotCompared(subject="files of zlib", reason="their records tell no hashes")
    assert prefix.found() == ((), (note,))


def test_ignored_packages_and_other_environments(prefix: Prefix) -> None:
    prefix.write("lib/a.so", b"other")
    assert prefix.found(ignore=frozenset({"zlib"})) == ((), ())
    assert verify_conda(snapshot(), verify=True) == ((), ())


def test_files_of_a_noarch_package_as_conda_records_them(prefix: Prefix) -> None:
    site = "lib/python3.9/site-packages"
    prefix.write(f"{site}/pure.py", b"x = 1\n")
    path = {"_path": "site-packages/pure.py", "path_type": "hardlink", "sha256": digest(b"x = 1\n")}
    record = {"name": "zlib", "noarch": "python", "files": [f"{site}/pure.py"], "paths_data": {"paths": [path]}}
    (prefix.path / "conda-meta/zlib-1.2-h1_0.json").write_text(json.dumps(record))
    assert changed(prefix) == []
    prefix.write(f"{site}/pure.py", b"x = 2\n")
    assert changed(prefix) == [f"1 changed: {site}/pure.py"]


def test_a_file_that_was_hashed_where_it_is_linked_from_is_not_read_again(tmp_path: Path) -> None:
    """What was written since, into another file or into a copy, still counts."""
    prefix = Prefix(tmp_path)
    package, cache = tmp_path / "pkgs/zlib-1.2-h1_0", tmp_path / "pkgs"
    (package / "lib/pkg").mkdir(parents=True)
    for name in ("lib/a.so", "lib/pkg/b.py"):
        (package / name).hardlink_to(prefix.path / name)
    record = prefix.path / "conda-meta/zlib-1.2-h1_0.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"link": {"source": str(package), "type": 1}}))
    (prefix.path / "lib/pkg/b.py").write_bytes(b"edited after it was hashed\n")
    assert prefix.found(hashed=[cache]) == ((), ())
    (finding,) = prefix.found()[0]
    assert finding.actual == "1 changed: lib/pkg/b.py"
    (prefix.path / "lib/pkg/b.py").unlink()
    prefix.write("lib/pkg/b.py", b"put in its place\n")
    prefix.write("bin/tool", b"patched by hand\n")
    (finding,) = prefix.found(hashed=[cache])[0]
    assert finding.actual == "2 changed: bin/tool, lib/pkg/b.py"
