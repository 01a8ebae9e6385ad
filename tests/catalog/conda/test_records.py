"""Records, history and channels: what conda writes, and what is damaged."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.conda import Condenser, RecordError, find_conda, parse_record
from envsync.catalog.conda.condarc import CondarcError, parse_channels
from envsync.catalog.conda.history import parse_history, parse_pinned
from envsync.catalog.conda.record import condensed
from envsync.files import HostTree
from envsync.model import Interpreter

HASH = "a" * 64


def record(**changes: Any) -> dict[str, Any]:
    """As conda 4.6 wrote it, shortened."""
    entry: dict[str, Any] = {
        "name": "six",
        "version": "1.12.0",
        "build": "py37_0",
        "build_number": 0,
        "channel": "https://repo.anaconda.com/pkgs/main/linux-64",
        "subdir": "linux-64",
        "url": "https://repo.anaconda.com/pkgs/main/linux-64/six-1.12.0-py37_0.tar.bz2",
        "md5": "B" * 32,
        "depends": ["python >=3.7,<3.8.0a0"],
        "constrains": [],
        "files": ["lib/six.py", "lib/__pycache__/six.cpython-37.pyc"],
        "paths_data": {
            "paths_version": 1,
            "paths": [
                {"_path": "lib/six.py", "path_type": "hardlink", "sha256": HASH, "sha256_in_prefix": "c" * 64},
                {"_path": "lib/__pycache__/six.cpython-37.pyc", "path_type": "pyc_file"},
                {"_path": "bin/six", "path_type": "unix_python_entry_point"},
            ],
        },
    }
    return entry | changes


def noarch(*paths: str, files: tuple[str, ...]) -> dict[str, Any]:
    """A ``noarch: python`` package."""
    entries = [{"_path": path, "path_type": "hardlink", "sha256": HASH} for path in paths]
    data = {"paths_version": 1, "paths": [*entries, {"_path": PYC, "path_type": "pyc_file"}]}
    url = "https://repo.anaconda.com/pkgs/main/noarch/six-1.12.0-py37_0.conda"
    return record(noarch="python", subdir="noarch", url=url, files=[*files, PYC], paths_data=data)


SITE = "lib/python3.7/site-packages"
PYC = f"{SITE}/__pycache__/six.cpython-37.pyc"
PLACED = (f"{SITE}/six.py", f"{SITE}/six-1.dist-info/RECORD", "bin/six", "share/six")
BY_CONDA = noarch(
    "site-packages/six.py", "site-packages/six-1.dist-info/RECORD", "python-scripts/six", "share/six", files=PLACED
)
"""conda tells of files where the package has them; ``files`` is right, as is the byte code's path."""
BY_RATTLER = noarch(*PLACED, files=PLACED)
BY_CONDA_ALONE = {**BY_CONDA, "files": []}


@pytest.mark.parametrize("written", [BY_CONDA, BY_RATTLER, BY_CONDA_ALONE], ids=["conda", "rattler", "without files"])
@pytest.mark.parametrize("shorten", [bytes, condensed], ids=["whole", "condensed"])
def test_files_of_a_noarch_package_are_where_they_were_put(written: dict[str, Any], shorten: Any) -> None:
    found = parse_record(shorten(json.dumps(written).encode()))
    assert found.files == PLACED
    assert found.sha256 == {f"{SITE}/six-1.dist-info/RECORD": HASH}
    assert found.package.paths == parse_record(json.dumps(BY_RATTLER).encode()).package.paths


@pytest.mark.parametrize("path", ["share/d/", "share/d/.", "./x", "a//b", "a/../b", "../x", "..", ".", "/x", ""])
def test_paths_that_are_written_in_another_way_are_left_out(path: str) -> None:
    """A container would find at them what a list of names does not tell."""
    one = record(paths_data={"paths": [{"_path": path}, {"_path": "lib/six.py"}]})
    assert parse_record(json.dumps(one).encode()).files == ("lib/six.py",)


def test_other_packages_have_their_files_where_they_say() -> None:
    generic = {**noarch("site-packages/x", files=(f"{SITE}/x",)), "noarch": "generic"}
    assert parse_record(json.dumps(generic).encode()).files == ("site-packages/x",)
    nowhere = {**noarch("site-packages/x", files=()), "files": []}
    nowhere["paths_data"]["paths"].pop()
    assert parse_record(json.dumps(nowhere).encode()).files == ("site-packages/x",)


def test_a_record_of_conda() -> None:
    found = parse_record(json.dumps(record()).encode())
    package = found.package
    assert (package.name, package.version, package.build, package.subdir) == ("six", "1.12.0", "py37_0", "linux-64")
    assert package.channel == "https://repo.anaconda.com/pkgs/main"
    assert package.md5 == "b" * 32
    assert package.depends == ("python >=3.7,<3.8.0a0",)
    assert found.files == ("lib/six.py",)
    assert found.sha256 == {}
    assert package.paths is not None


def test_the_hash_of_a_record_is_that_in_the_prefix() -> None:
    path = "lib/six-1.12.0.dist-info/RECORD"
    paths = [{"_path": path, "sha256": HASH, "sha256_in_prefix": "c" * 64}]
    assert parse_record(json.dumps(record(paths_data={"paths": paths})).encode()).sha256 == {path: "c" * 64}


def test_a_condensed_record_says_the_same_in_fewer_bytes() -> None:
    data = json.dumps(record(license="BSD" * 1000), indent=2).encode()
    shorter = condensed(data)
    assert len(shorter) < len(data) / 4
    assert parse_record(shorter) == parse_record(data)
    old = record(paths_data=None)
    del old["paths_data"]
    assert parse_record(condensed(json.dumps(old).encode())) == parse_record(json.dumps(old).encode())


def test_what_is_no_record_is_not_condensed() -> None:
    for data in (b"", b"{", b"[]", b"\xff" * 9, b'{"name": 1}', b'{"name": "a", "version": "\\ud800", "build": "0"}'):
        assert condensed(data) == data


def test_a_condenser_shortens_records_up_to_a_total() -> None:
    condenser = Condenser(total=100)
    assert condenser("/opt/conda/conda-meta/history", 1) is None
    assert condenser("/opt/conda/x/six-1-0.json", 1) is None
    shorten = condenser("/opt/conda/conda-meta/six-1.12.0-py37_0.json", 99)
    assert shorten is not None
    assert shorten(b"no record") == b"no record"
    assert condenser("/opt/conda/conda-meta/six-1.12.0-py37_0.json", 2) is None
    full = Condenser(kept=8)("/opt/conda/conda-meta/six-1.12.0-py37_0.json", 9)
    assert full is not None
    assert full(b"no record") is None


@pytest.mark.parametrize("data", [b'{"files": [' + b'"",' * 1_600_000 + b'""]}', b"[" + b"{}," * 160_000 + b"{}]"])
def test_a_record_of_more_files_than_any_package_has(data: bytes) -> None:
    with pytest.raises(RecordError) as caught:
        parse_record(data)
    assert caught.value.message == "lists more files than any honest package has"


def test_where_the_prefix_is_does_not_change_what_the_files_are() -> None:
    other = record()
    other["paths_data"]["paths"][0]["sha256_in_prefix"] = "d" * 64
    one, two = (parse_record(json.dumps(entry).encode()).package for entry in (record(), other))
    assert one.paths == two.paths
    other["paths_data"]["paths"][0]["sha256"] = "e" * 64
    assert parse_record(json.dumps(other).encode()).package.paths != one.paths


def test_a_token_does_not_stay_and_an_old_record_without_url_is_completed() -> None:
    token = record(url="https://u:p@h.example/t/tk-1/c/linux-64/six-1.12.0-py37_0.tar.bz2")
    assert (
        parse_record(json.dumps(token).encode()).package.url == "https://h.example/c/linux-64/six-1.12.0-py37_0.tar.bz2"
    )
    old = record(url=None, paths_data=None, fn="six-1.12.0-py37_0.tar.bz2", channel="defaults/linux-64")
    del old["paths_data"]
    found = parse_record(json.dumps(old).encode())
    assert found.package.url.endswith("/linux-64/six-1.12.0-py37_0.tar.bz2")
    assert found.files == ("lib/six.py",)
    assert found.package.paths is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a b"}, "the name “a b” is none"),
        ({"name": "../x"}, "the name “../x” is none"),
        ({"version": "1\n- evil"}, "the version “1\\\\n- evil” is none"),
        ({"build": ""}, "the build “” is none"),
        ({"url": "https://h.example/six"}, "nothing tells where the package is from"),
        ({"subdir": "osx-64"}, "its subdir “osx-64” is not that of its URL"),
        ({"depends": 1}, "no record of conda's"),
    ],
)
def test_what_makes_no_sense_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse_record(json.dumps(record(**changes)).encode())
    assert caught.value.message.startswith(message.replace("\\\\", "\\"))


def test_paths_that_leave_the_prefix_are_no_files_of_it() -> None:
    paths = [{"_path": path, "sha256": HASH} for path in ("../../etc/passwd", "/etc/passwd", "lib/ok", "a/../../b", "")]
    found = parse_record(json.dumps(record(paths_data={"paths": paths})).encode())
    assert found.files == ("lib/ok",)


@given(st.binary(max_size=200))
def test_any_bytes_raise_the_own_error_only(data: bytes) -> None:
    with pytest.raises(RecordError):
        parse_record(data)


@given(
    st.dictionaries(st.sampled_from(sorted(record())), st.recursive(st.none() | st.text() | st.integers(), st.lists))
)
def test_any_field_raises_the_own_error_only(changes: dict[str, Any]) -> None:
    data = json.dumps(record(**changes)).encode()
    try:
        found = parse_record(data)
    except RecordError:
        with pytest.raises(RecordError):
            parse_record(condensed(data))
        return
    assert parse_record(condensed(data)) == found
    assert "\n" not in found.package.name + found.package.version + found.package.build + found.package.url


def test_history_as_conda_reads_it() -> None:
    text = b"""==> 2019-04-10 10:00:00 <==
# cmd: constructor
# update specs: ['python=3.7', 'numpy']
+defaults::python-3.7.3-h0371630_0
==> 2020-01-01 00:00:00 <==
# install specs: ["numpy=1.16", "conda-forge::pandas[version='>=1']"]
# remove specs: ['scipy', 'python']
"""
    assert (
        parse_history(text) == ("conda-forge::pandas[version=", "numpy=1.16") or parse_history(text)[-1] == "numpy=1.16"
    )
    assert "python=3.7" not in parse_history(text)
    assert parse_pinned(b"numpy 1.16.*  # why\n\n# all\n") == ("numpy 1.16.*",)


@given(st.binary(max_size=300))
def test_history_never_raises(data: bytes) -> None:
    parse_history(b"# update specs: " + data)
    parse_pinned(data)
    with contextlib.suppress(CondarcError):
        parse_channels(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"channels: 5", "channels: no list of names"),
        (b"a: [", "no YAML"),
        (b"[" * 60 + b"]" * 60, "nested deeper, or with more aliases, than any honest file"),
        (b"a: " + b"1:" * 300 + b"1.5", "no YAML that can be read"),
        (b"channels: ['a b']", "channels: a b: neither"),
    ],
)
def test_a_condarc_that_is_none(data: bytes, message: str) -> None:
    with pytest.raises(CondarcError) as caught:
        parse_channels(data)
    assert caught.value.message.startswith(message)


def make_prefix(tmp_path: Path, *records: dict[str, Any]) -> Path:
    meta = tmp_path / "env" / "conda-meta"
    meta.mkdir(parents=True)
    for number, entry in enumerate(records):
        name = f"{entry['name']}-{entry['version']}-{entry['build']}{number or ''}.json"
        (meta / name).write_text(json.dumps(entry))
    return tmp_path / "env"


def reasons(prefix: Path) -> list[str]:
    path = PurePosixPath(prefix)
    _, _, skipped = find_conda(HostTree(), [path], [Interpreter(version="3.7.3", prefix=path)])
    return [one.reason for one in skipped]


def test_two_records_of_one_package_and_no_history_are_said(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path, record(), record(version="1.13.0"))
    found = reasons(prefix)
    assert "a second record of six, beside 1.12.0 py37_0: not counted" in found
    assert "not there: which packages were asked for is not known" in found


def test_a_damaged_record_does_not_hide_the_others(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path, record())
    (prefix / "conda-meta" / "broken-1-0.json").write_text("{")
    (prefix / "conda-meta" / "history").write_text("")
    path = PurePosixPath(prefix)
    environments, _, skipped = find_conda(HostTree(), [path], [Interpreter(version="3.7.3", prefix=path)])
    assert [package.name for package in environments[0].packages] == ["six"]
    assert environments[0].packages[0].missing == ("lib/six.py",)
    assert [one.subject for one in skipped] == ["broken-1-0.json"]


def test_a_record_that_was_edited_by_hand_is_taken_and_said(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path, record())
    (prefix / "conda-meta" / "history").write_text("")
    place = prefix / "conda-meta" / "six-1.12.0-py37_0.json"
    place.write_text(json.dumps(record(version="1.13.0", md5="no hash", size=-1, depends=["a\nb", "python"])))
    path = PurePosixPath(prefix)
    (environment,), _, skipped = find_conda(HostTree(), [path], [Interpreter(version="3.7.3", prefix=path)])
    (package,) = environment.packages
    assert (package.version, package.md5, package.size, package.depends) == ("1.13.0", None, None, ("python",))
    assert [one.reason for one in skipped] == ["its name is not that of the package which it describes"]
