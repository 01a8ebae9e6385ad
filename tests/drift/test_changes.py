"""Files changed since installation, on distributions written here file by file."""

from __future__ import annotations

import hashlib
import os
from base64 import urlsafe_b64encode
from pathlib import Path, PurePosixPath

import pytest
from msgspec.structs import replace

from envsync.drift.changes import find_changes
from envsync.drift.finding import Finding, NotCompared
from envsync.model import LocalSource, Snapshot, VcsOrigin
from tests.drift.sides import with_python
from tests.factory import distribution, snapshot

FILES = {
    "foo/__init__.py": b"x = 1\n",
    "foo/data, one.txt": b"one",
    "foo/b.py": b"",
    "../../../bin/foo": b"#!/bin/sh\n",
    "foo-1.0.dist-info/METADATA": b"Name: foo\nVersion: 1.0\n",
}
QUICK = NotCompared(subject="contents of files", reason="only size and time (--verify reads them all)")


def record_line(name: str, data: bytes) -> str:
    digest = urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    quoted = f'"{name}"' if "," in name else name
    return f"{quoted},sha256={digest},{len(data)}\n"


class Environment:
    def __init__(self, root: Path) -> None:
        self.prefix = root / "env"
        self.site = self.prefix / "lib/python3.9/site-packages"
        self.info = self.site / "foo-1.0.dist-info"
        for name, data in FILES.items():
            path = Path(os.path.normpath(self.site / name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.record("".join(record_line(name, data) for name, data in FILES.items()))
        self.distribution = distribution("foo", location=PurePosixPath(self.site), metadata=PurePosixPath(self.info))

    def record(self, text: str) -> None:
        text += "foo/__pycache__/b.cpython-39.pyc,,\nfoo-1.0.dist-info/RECORD,,\n"
        (self.info / "RECORD").write_text(text)

    @property
    def snapshot(self) -> Snapshot:
        side = snapshot(self.distribution, source=LocalSource(path=PurePosixPath(self.prefix)))
        prefix = PurePosixPath(self.prefix)
        return with_python(side, prefix=prefix, base_prefix=PurePosixPath("/usr"))

    def found(self, *, verify: bool = False) -> tuple[tuple[Finding, ...], tuple[NotCompared, ...]]:
        return find_changes(self.snapshot, verify=verify)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def test_nothing_changed(environment: Environment) -> None:
    assert environment.found() == ((), (QUICK,))
    assert environment.found(verify=True) == ((), ())


def test_missing_and_other_size(environment: Environment) -> None:
    (environment.site / "foo/__init__.py").unlink()
    (environment.prefix / "bin/foo").unlink()
    (environment.site / "foo/b.py").write_bytes(b"y = 2\n")
    assert environment.found()[0] == (
        Finding(
            kind="distribution-modified",
            scope="python",
            severity="error",
            subject="foo",
            expected="5 files as installed",
            actual="2 missing: ../../../bin/foo, foo/__init__.py; 1 changed: foo/b.py",
            impact="What imports or runs the missing files fails.",
            fix=f"uv pip install --python {environment.prefix} --no-deps --reinstall --no-cache foo==1.0",
        ),
    )


def test_the_record_in_a_conda_package_tells_nothing(environment: Environment) -> None:
    """conda writes the prefix into files after their RECORD was made."""
    (environment.prefix / "bin/foo").write_bytes(b"#!/a/longer/prefix/bin/python\n")
    assert len(environment.found()[0]) == 1
    environment.distribution = replace(environment.distribution, conda="foo")
    assert environment.found(verify=True) == ((), ())


def test_an_edit_of_the_same_size_is_found_by_its_time(environment: Environment) -> None:
    path = environment.site / "foo/__init__.py"
    path.write_bytes(b"x = 2\n")
    later = (environment.info / "RECORD").stat().st_mtime + 60
    os.utime(path, (later, later))
    os.utime(environment.site / "foo/data, one.txt", (later, later))
    ((finding,), notes) = environment.found()
    assert (finding.severity, finding.actual) == ("warning", "1 changed: foo/__init__.py")
    assert finding.impact == "It runs code that is not what was installed."
    assert notes == (QUICK,)


def test_verify_reads_every_file(environment: Environment) -> None:
    path = environment.site / "foo/data, one.txt"
    path.write_bytes(b"two")
    early = (environment.info / "RECORD").stat().st_mtime - 60
    os.utime(path, (early, early))
    assert environment.found() == ((), (QUICK,))
    ((finding,), notes) = environment.found(verify=True)
    assert finding.actual == "1 changed: foo/data, one.txt"
    assert notes == ()


def test_bytecode_does_not_count(environment: Environment) -> None:
    compiled = environment.site / "foo/__pycache__/b.cpython-39.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"anything")
    assert environment.found(verify=True) == ((), ())


def test_only_the_first_names_are_told(environment: Environment) -> None:
    environment.record("".join(record_line(f"gone/{number}.py", b"") for number in range(9)))
    ((finding,), _) = environment.found()
    assert finding.actual == "9 missing: gone/0.py, gone/1.py, gone/2.py and 6 more"


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../../../../outside.txt", "foo/../../../../../../etc/passwd", "../../../../env2/x"],
)
def test_files_outside_of_the_environment_are_not_followed(environment: Environment, name: str) -> None:
    environment.record(record_line(name, b"never this"))
    told = NotCompared(subject="files of foo", reason=f"RECORD lists files outside of the environment: {name}")
    assert environment.found(verify=True) == ((), (told,))


def test_a_distribution_without_record(environment: Environment) -> None:
    (environment.info / "RECORD").unlink()
    told = NotCompared(subject="files of foo", reason="installed without RECORD")
    assert environment.found() == ((), (told,))


def test_a_damaged_record(environment: Environment) -> None:
    environment.record("foo/b.py\n")
    ((), notes) = environment.found()
    assert notes == (
        NotCompared(subject="files of foo", reason="RECORD line 1: 1 fields (expected path, hash and size)"),
    )


def test_a_hash_that_nobody_should_trust_is_not_computed(environment: Environment) -> None:
    environment.record("foo/b.py,md5=AAAA,0\nfoo/__init__.py,nonsense=AAAA,6\n")
    assert environment.found(verify=True) == ((), ())


def test_a_file_in_the_place_of_a_folder_is_missing(environment: Environment) -> None:
    environment.record(record_line("foo/b.py/c.py", b""))
    ((finding,), _) = environment.found()
    assert finding.actual == "1 missing: foo/b.py/c.py"


def test_what_is_no_file_is_changed_and_never_opened(environment: Environment) -> None:
    (environment.site / "foo/b.py").unlink()
    os.mkfifo(environment.site / "foo/b.py")
    (environment.site / "foo/__init__.py").unlink()
    (environment.site / "foo/__init__.py").mkdir()
    ((finding,), _) = environment.found(verify=True)
    assert finding.actual == "2 changed: foo/__init__.py, foo/b.py"


def test_names_that_are_no_text_or_do_not_print(environment: Environment) -> None:
    (environment.info / "RECORD").write_bytes(b"foo/\xff.py,,\nfoo/\x1b.py,,\n")
    ((finding,), _) = environment.found()
    assert finding.actual == r"2 missing: foo/\x1b.py, foo/\udcff.py"


def test_scripts_of_a_user_site_are_inside(environment: Environment) -> None:
    """A user site lies outside of the interpreter's prefix, and its scripts beside its ``lib``."""
    side = with_python(environment.snapshot, prefix=PurePosixPath("/usr/local"))
    assert find_changes(side, verify=True) == ((), ())


def test_ignored(environment: Environment) -> None:
    (environment.site / "foo/b.py").unlink()
    assert find_changes(environment.snapshot, ignore=frozenset({"foo"})) == ((), ())


def test_where_it_came_from_decides_what_to_type(environment: Environment) -> None:
    (environment.site / "foo/b.py").unlink()
    origin = VcsOrigin(url="https://h/foo.git", vcs="git", commit="a" * 40)
    environment.distribution = replace(environment.distribution, origin=origin)
    ((finding,), _) = environment.found()
    assert finding.fix is not None
    assert finding.fix.endswith(f" --no-cache 'foo @ git+https://h/foo.git@{'a' * 40}'")


def test_a_file_of_two_distributions_is_right_as_either_has_it(environment: Environment) -> None:
    """td-pyspark and td-pyspark-ea are such a pair: the one that was installed last has its files there."""
    mine = b"x = 'of bar'\n"
    (environment.site / "foo/__init__.py").write_bytes(mine)
    info = environment.site / "bar-1.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text(record_line("foo/__init__.py", mine) + "bar-1.0.dist-info/RECORD,,\n")
    other = distribution("bar", location=PurePosixPath(environment.site), metadata=PurePosixPath(info))
    both = with_python(environment.snapshot, distributions=(environment.distribution, other))
    note = NotCompared(subject="files of foo", reason="1 shared with bar, whose own are in place")
    assert find_changes(both) == ((), (note, QUICK))
    assert find_changes(both, verify=True) == ((), (note,))
    (environment.site / "foo/__init__.py").write_bytes(b"x = 'of nobody'\n")
    assert [finding.subject for finding in find_changes(both)[0]] == ["bar", "foo"]
