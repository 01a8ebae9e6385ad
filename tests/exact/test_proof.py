from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.errors import PackageIndexError
from envsync.exact.listing import Contents
from envsync.exact.proof import Found, candidates, expanded, find_file, recorded_contents, tags_of
from envsync.index import IndexFile
from envsync.model import Distribution, EntryPoint
from envsync.record import RecordError
from tests.factory import distribution

SHA = "a" * 64


def wheel(filename: str, **fields: object) -> IndexFile:
    values = {
        "project": "acme",
        "url": f"https://index.example/{filename}",
        "index": "https://index.example/simple",
        "hashes": (f"sha256={SHA}",),
        **fields,
    }
    return IndexFile(filename=filename, **values)  # type: ignore[arg-type]


PURE = wheel("acme-1.0-py3-none-any.whl")
ACME = distribution("acme", tags=("py3-none-any",))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def record(files: Mapping[str, bytes]) -> bytes:
    lines = [
        f"{path},sha256={urlsafe_b64encode(sha256(data)).rstrip(b'=').decode()},{len(data)}"
        for path, data in files.items()
    ]
    return "\n".join([*lines, "acme-1.0.dist-info/RECORD,,", ""]).encode()


def contents(
    files: Mapping[str, bytes], *, recorded: Mapping[str, bytes] | None = None, missing: tuple[str, ...] = ()
) -> Contents:
    was = files if recorded is None else recorded
    return Contents(
        actual={path: sha256(data) for path, data in files.items()},
        recorded={path: sha256(data) for path, data in was.items()},
        missing=missing,
    )


FILES = {"acme.py": b"1", "acme-1.0.dist-info/METADATA": b"Name: acme"}


class Members:
    """What is in wheels, by file name; counts what is asked."""

    def __init__(self, **wheels: Mapping[str, bytes]) -> None:
        self.wheels = dict(wheels)
        self.asked: list[str] = []

    def of(self, file: IndexFile, wanted: Callable[[str], bool]) -> Mapping[str, bytes]:
        self.asked.append(file.filename)
        if file.filename not in self.wheels:
            raise PackageIndexError(f"{file.filename}: 404")
        return {name: data for name, data in self.wheels[file.filename].items() if wanted(name)}


def members(files: Mapping[str, bytes], filename: str = PURE.filename, **more: bytes) -> Members:
    held = {**files, "acme-1.0.dist-info/RECORD": record(files), **more}
    return Members(**{filename: held})


def find(held: Members, found: Contents | None, *wheels: IndexFile, one: Distribution = ACME) -> Found:
    return find_file(one, found, wheels or (PURE,), held.of)


# --- tags and candidates -----------------------------------------------------------------------------


def test_tags_of_names() -> None:
    assert tags_of("a-1-py2.py3-none-any.whl") == {"py2-none-any", "py3-none-any"}
    assert tags_of("a-1-7-cp39-abi3-linux_x86_64.whl") == {"cp39-abi3-linux_x86_64"}
    assert tags_of("a-1.tar.gz") == tags_of("a-1.whl") == frozenset()
    assert expanded("py3-none") == frozenset()


@given(st.text(max_size=40))
def test_any_name_has_tags_or_none(name: str) -> None:
    assert isinstance(tags_of(name), frozenset)


def names(one: Distribution, *files: str) -> list[str]:
    return [file.filename for file in candidates(one, map(wheel, files))]


def test_the_wheel_of_the_very_tags_comes_first() -> None:
    one = distribution("a", tags=("cp39-cp39-manylinux_2_17_x86_64", "cp39-cp39-manylinux2014_x86_64"))
    exact = "a-1-cp39-cp39-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    some = "a-1-cp39-cp39-manylinux_2_17_x86_64.whl"
    level = "a-1-cp39-cp39-manylinux1_x86_64.whl"
    others = ("a-1-cp310-cp310-manylinux_2_17_x86_64.whl", "a-1-cp39-cp39-manylinux_2_17_aarch64.whl", "a-1.tar.gz")
    assert names(one, level, *others, some, exact) == [exact, some, level]


def test_a_wheel_that_auditwheel_renamed_kept_its_linux_tag() -> None:
    one = distribution("a", tags=("cp37-cp37m-linux_x86_64",))
    assert names(one, "a-1-cp37-cp37m-manylinux1_x86_64.whl") == ["a-1-cp37-cp37m-manylinux1_x86_64.whl"]


def test_compressed_tags_within_the_metadata_are_understood() -> None:
    one = distribution("a", tags=("py2.py3-none-any",))
    assert names(one, "a-1-py2.py3-none-any.whl") == ["a-1-py2.py3-none-any.whl"]


def test_without_tags_there_are_no_candidates_and_never_more_than_four() -> None:
    assert names(distribution("a"), "a-1-py3-none-any.whl") == []
    many = [f"a-1-{build}-py3-none-any.whl" for build in range(9)]
    assert len(names(ACME, *many)) == 4


# --- proof -------------------------------------------------------------------------------------------


def test_equal_records_are_a_proof() -> None:
    found = find(members(FILES), contents(FILES))
    assert found.reason == ""
    assert found.file is not None
    assert (found.file.filename, found.file.sha256, found.file.proof) == (PURE.filename, SHA, "proved")
    assert found.file.url == PURE.url


def test_a_wheel_with_other_files_is_not_it() -> None:
    found = find(members({**FILES, "acme.py": b"2"}), contents(FILES))
    assert found == Found(reason=f"the index's {PURE.filename} has other files")


def test_the_right_one_of_several() -> None:
    second = wheel("acme-1.0-2-py3-none-any.whl", hashes=("sha256=" + "b" * 64,))
    held = members({**FILES, "acme.py": b"2"})
    held.wheels |= members(FILES, second.filename).wheels
    found = find(held, contents(FILES), PURE, second)
    assert found.file is not None
    assert found.file.sha256 == "b" * 64


def test_a_patched_file_does_not_hide_where_it_came_from() -> None:
    found = find(members(FILES), contents({**FILES, "acme.py": b"patched"}, recorded=FILES))
    assert found.file is not None
    assert (found.file.proof, found.patched) == ("proved", ("acme.py",))


def test_a_wheel_whose_record_is_wrong_of_its_own_files() -> None:
    held = members(FILES)
    held.wheels[PURE.filename] = {**held.wheels[PURE.filename], "acme.py": b"what it really has"}
    found = find(held, contents({**FILES, "acme.py": b"what it really has"}, recorded=FILES))
    assert found.file is not None
    assert found.patched == ()
    assert found.file.note == "its RECORD is wrong of 1 of its own files"


def test_yanked_is_told() -> None:
    for yanked, note in (("bad", "yanked: bad"), ("", "yanked")):
        found = find(members(FILES), contents(FILES), wheel(PURE.filename, yanked=yanked))
        assert found.file is not None
        assert found.file.note == note


def test_what_cannot_be_read_is_inferred_from_the_very_tags() -> None:
    found = find(Members(), contents(FILES))
    assert found.file is not None
    assert (found.file.proof, found.file.note) == ("inferred", f"not proved: {PURE.filename}: 404")


def test_other_tags_are_not_enough_to_infer() -> None:
    other = wheel("acme-1.0-py2.py3-none-any.whl")
    found = find(Members(), contents(FILES), other)
    assert found == Found(reason=f"no file of the index can be told to be it: {other.filename}: 404")


def test_without_a_record_nothing_is_read() -> None:
    held = members(FILES)
    found = find(held, None)
    assert held.asked == []
    assert found.file is not None
    assert (found.file.proof, found.file.note) == ("inferred", "not proved: the image has no RECORD of it")


@pytest.mark.parametrize("hashes", [(), ("md5=" + "0" * 32,), ("sha256=" + "0" * 40,)])
def test_an_index_without_sha256(hashes: tuple[str, ...]) -> None:
    plain = wheel(PURE.filename, hashes=hashes)
    assert find(members(FILES), contents(FILES), plain).reason == f"the index tells no SHA-256 of {PURE.filename}"
    assert find(Members(), contents(FILES), plain).file is None


def test_files_of_this_machine_have_no_url_and_signatures_are_left_out() -> None:
    for url, kept in (("file:///wheels/x.whl", None), ("https://a.example/x.whl?sig=1", "https://a.example/x.whl")):
        found = find(members(FILES), contents(FILES), wheel(PURE.filename, url=url))
        assert found.file is not None
        assert found.file.url == kept


def test_no_wheel_at_all() -> None:
    assert find_file(ACME, contents(FILES), (), Members().of) == Found(reason="no index has a wheel of its tags")


# --- the RECORD of a wheel ---------------------------------------------------------------------------


def test_data_and_scripts_are_where_installers_put_them() -> None:
    one = distribution("acme", entry_points=(EntryPoint(group="console_scripts", name="run", value="acme:run"),))
    files = {
        "acme-1.0.data/scripts/tool": b"#!python\n",
        "acme-1.0.data/scripts/run": b"",
        "acme-1.0.data/data/share/x": b"x",
        "acme-1.0.data/purelib/more.py": b"m",
    }
    found = recorded_contents(one, {"acme-1.0.dist-info/RECORD": record(files)})
    assert found == {"bin/tool": sha256(b"#!python\n"), "share/x": sha256(b"x"), "more.py": sha256(b"m")}


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ({}, "0 files called RECORD in the wheel (expected one)"),
        (
            {"a-1.dist-info/RECORD": b"", "b-1.dist-info/RECORD": b""},
            "2 files called RECORD in the wheel (expected one)",
        ),
        ({"a-1.dist-info/RECORD": b"a.py,md5=00,1\n"}, "RECORD of the wheel: no SHA-256 of a.py"),
        ({"a-1.dist-info/RECORD": b"a.py,,\n"}, "RECORD of the wheel: no SHA-256 of a.py"),
    ],
)
def test_records_that_prove_nothing(held: Mapping[str, bytes], text: str) -> None:
    with pytest.raises(RecordError) as caught:
        recorded_contents(ACME, held)
    assert caught.value.message == text


@given(st.binary(max_size=300))
def test_any_record_is_understood_or_refused(data: bytes) -> None:
    try:
        found = recorded_contents(ACME, {"acme-1.0.dist-info/RECORD": data})
    except RecordError:
        return
    assert not any(PurePosixPath(path).is_absolute() or ".." in path.split("/") for path in found)
