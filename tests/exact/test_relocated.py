"""Modules that were changed to find their libraries count as the image's, unless somebody else changed them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from envsync.build.python.from_image import from_image
from envsync.exact.fidelity import host_digests, measure
from envsync.exact.relocated import NAME, Relocated, as_in_the_image, encode_relocated, parse_relocated
from envsync.files import HostTree
from envsync.model import Snapshot
from envsync.reference import Digest
from envsync.standard_library import standard_library
from tests.build.python.folder_image import PLACE, FolderImage
from tests.factory import distribution, snapshot
from tests.imagekit.machine import pyenv_python

SHA = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> FolderImage:
    return FolderImage(tmp_path_factory.mktemp("image"), pyenv_python("3.9"))


@pytest.fixture
def placed(image: FolderImage, tmp_path: Path) -> Path:
    python = from_image(image.lock(), cache=tmp_path, open_image=image.open, on_event=lambda _event: None)
    return python.path.parents[1]


def with_library(folder: Path, *, known: bool) -> Snapshot:
    path = PurePosixPath(folder / "lib" / "python3.9")
    contents = snapshot(distribution("six"))
    python = replace(
        contents.python,
        sys_path=(path,),
        standard_library=standard_library(HostTree(), [path], host_digests) if known else None,
    )
    return replace(contents, interpreters=(python,))


def differing(image: FolderImage, placed: Path) -> tuple[str, ...]:
    expected = with_library(image.root / PLACE, known=True)
    six = replace(expected.python.distributions[0], contents=Digest(f"sha256:{'0' * 64}"))
    python = replace(expected.python, distributions=(six,))
    found = measure(replace(expected, interpreters=(python,)), with_library(placed, known=False), verify=True)
    assert found is not None
    assert found.modules
    return found.differing_modules


def test_only_what_another_changed_differs(image: FolderImage, placed: Path) -> None:
    noted = parse_relocated((placed / NAME).read_bytes())
    changed = sorted(Path(name).name.partition(".")[0] for name in noted if "lib-dynload" in name)
    assert "_sqlite3" in changed
    assert differing(image, placed) == ()
    (module,) = (placed / "lib").glob("python3.9/lib-dynload/_sqlite3.*")
    good = module.read_bytes()
    module.write_bytes(good + b"\0")
    assert differing(image, placed) == ("lib-dynload/_sqlite3",)
    module.write_bytes(good)
    (placed / NAME).write_text("{")
    assert differing(image, placed) == tuple(f"lib-dynload/{name}" for name in changed)
    (placed / NAME).unlink()
    assert differing(image, placed) == tuple(f"lib-dynload/{name}" for name in changed)


def test_only_folders_of_image_interpreters_are_believed(tmp_path: Path) -> None:
    one = Relocated(before="0" * 64, after="1" * 64)
    for name, digest in (("image-1", bytes(32)), ("conda-1", b"\x11" * 32), ("venv", b"\x11" * 32)):
        place = tmp_path / name
        place.mkdir()
        (place / NAME).write_bytes(encode_relocated({"lib/python3.9/a.so": one}))
        path = f"{place}/lib/python3.9/a.so"
        found = as_in_the_image({path: b"\x11" * 32}, [PurePosixPath(place, "lib", "python3.9"), PurePosixPath("/")])
        assert found == {path: digest}


@given(st.dictionaries(st.text(max_size=9), st.builds(Relocated, before=SHA, after=SHA), max_size=5))
def test_what_is_noted_is_read(files: dict[str, Relocated]) -> None:
    assert parse_relocated(encode_relocated(files)) == files


@given(st.binary(max_size=60) | st.recursive(st.text() | st.integers(), st.lists).map(msgspec.json.encode))
def test_a_damaged_note_says_nothing(data: bytes) -> None:
    assert parse_relocated(data) == {} or data.strip().startswith(b"{")
