"""What a scan found, as bytes and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.reference import Digest
from envsync.rootfs import Rootfs
from envsync.rootfs.codec import decode, encode
from envsync.rootfs.merge import merge
from envsync.rootfs.scan import Budget, LayerContents, scan_layer
from tests.image.layers import Folder, Link, sha, tar_layer
from tests.rootfs.test_merge import Step, as_model, as_tar, layers


def scanned(tar: bytes, number: int = 0) -> LayerContents:
    contents = LayerContents(number=number)
    scan_layer(iter([memoryview(tar)]), lambda _: True, contents, Budget(), "layer")
    return contents


def rootfs(found: list[LayerContents], tars: list[bytes]) -> Rootfs:
    kept = {(each.number, offset): data for each in found for offset, data in each.kept.items()}
    ids = tuple(Digest(sha(tar)) for tar in tars)
    nothing = {
        "fetch": lambda _, __: {},
        "stream": lambda *_: None,
        "digests": lambda *_: None,
        "elves": lambda *_: None,
    }
    return Rootfs(merge(found), kept=kept, diff_ids=ids, **nothing)


@given(layers)
def test_what_was_kept_is_what_was_scanned(made: list[dict[str, Step]]) -> None:
    tars = [as_tar(layer) for layer in made]
    fresh = [scanned(tar, number) for number, tar in enumerate(tars)]
    recalled = [decode(encode(each), each.number) for each in fresh]
    assert None not in recalled
    one, other = rootfs(fresh, tars), rootfs([each for each in recalled if each], tars)
    assert as_model(one) == as_model(other)
    assert one.skipped == other.skipped


def test_names_that_no_text_can_hold() -> None:
    tar = tar_layer({"caf\udce9": b"1", "a/b\n": b"2", "l": Link("\udcff"), "d/": Folder(), ".wh.x\udce9": b""})
    fresh = scanned(tar)
    fresh.size = 7
    fresh.elves[512] = b"record"
    recalled = decode(encode(fresh), 3)
    assert recalled is not None
    assert (recalled.number, recalled.complete, recalled.size) == (3, True, 7)
    assert recalled.names.pack() == fresh.names.pack()
    assert (recalled.whiteouts, recalled.undecodable, recalled.kept, recalled.digests, recalled.elves) == (
        fresh.whiteouts,
        fresh.undecodable,
        fresh.kept,
        fresh.digests,
        fresh.elves,
    )


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_bytes_that_are_cut_are_nothing(cut: int) -> None:
    assert decode(encode(scanned(tar_layer({"a": b"1"})))[:cut], 0) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_nothing(data: bytes) -> None:
    assert decode(data, 0) is None
