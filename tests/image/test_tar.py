"""The tar reader against Python's own writer, against hand-made headers, and against garbage."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from envsync.errors import CorruptImageError
from envsync.image.tar import StreamSource, TarEntry, TarReader
from tests.image.layers import Folder, Item, Link, tar_layer, tar_of

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def pieces(data: bytes, length: int) -> Iterator[memoryview]:
    """Chunks whose memory is wiped once the next one is asked for, as real ones are overwritten."""
    for start in range(0, len(data), length):
        chunk = bytearray(data[start : start + length])
        yield memoryview(chunk)
        chunk[:] = b"\xee" * len(chunk)


def read_all(data: bytes, length: int = 1000) -> list[tuple[str, TarEntry, bytes]]:
    reader = TarReader(StreamSource(pieces(data, length)), where="layer")
    return [(n, e, reader.read(e) if e.kind == "file" else b"") for n, e in reader.entries()]


def header(name: bytes = b"f", size: bytes = b"00000000000\0", kind: bytes = b"0", **fields: bytes) -> bytes:
    """A header with a right checksum and anything else in it."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = fields.get("mode", b"0000644\0")
    block[124:136] = size
    block[148:156] = b" " * 8
    block[156:157] = kind
    link = fields.get("link", b"")
    block[157 : 157 + len(link)] = link
    block[257:265] = fields.get("magic", b"ustar\x0000")
    for offset, data in (
        (386, fields.get("sparse", b"")),
        (345, fields.get("prefix", b"")),
        (508, fields.get("end", b"")),
    ):
        block[offset : offset + len(data)] = data
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def octal(number: int) -> bytes:
    return b"%011o\0" % number


names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=130
).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=4).map("/".join).filter(lambda path: len(path.encode()) < 3000)
items = st.one_of(
    st.binary(max_size=1500),
    st.builds(Folder, mode=st.integers(0, 0o7777)),
    st.builds(Link, target=paths, hard=st.booleans()),
)


@pytest.mark.parametrize("form", FORMATS)
@given(members=st.dictionaries(paths, items, max_size=5), length=st.integers(1, 3000))
def test_reads_what_python_writes(form: str, members: dict[str, Item], length: int) -> None:
    try:
        data = tar_layer(members, FORMATS[form])
    except ValueError:  # ustar has no room for long names
        assume(False)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = list(tar)
    found = read_all(data, length)
    assert len(found) == len(expected) == len(members)
    for (name, entry, contents), info, (path, item) in zip(found, expected, members.items(), strict=True):
        assert name.rstrip("/") == info.name == path
        assert entry.mode == info.mode
        assert entry.offset == info.offset_data
        match item:
            case bytes():
                assert (entry.kind, entry.size, contents) == ("file", len(item), item)
            case Folder():
                assert (entry.kind, entry.size) == ("directory", 0)
            case Link(target=target, hard=hard):
                assert (entry.kind, entry.link) == ("hardlink" if hard else "symlink", target)


def test_ustar_with_a_prefix() -> None:
    name = "a" * 90 + "/" + "b" * 90
    (found,) = read_all(tar_layer({name: b"x"}, tarfile.USTAR_FORMAT))
    assert (found[0], found[2]) == (name, b"x")


def test_star_keeps_times_behind_the_prefix() -> None:
    prefix = b"folder".ljust(131, b"\0") + b"12345678901 12345678901 "
    ((name, _, _),) = read_all(header(b"f", prefix=prefix[:155], end=b"tar\0") + bytes(1024))
    assert name == "folder/f"


def test_gnu_headers_have_no_prefix() -> None:
    ((name, _, _),) = read_all(header(b"f", magic=b"ustar  \0", prefix=b"14000000000\0") + bytes(1024))
    assert name == "f"


def test_v7_folders_have_a_slash_and_files_no_type() -> None:
    blocks = header(b"d/", kind=b"\0", magic=bytes(8)) + header(b"f", octal(3), b"\0", magic=bytes(8))
    found = read_all(blocks + b"abc".ljust(512, b"\0") + bytes(1024))
    assert [(name, entry.kind, data) for name, entry, data in found] == [
        ("d/", "directory", b""),
        ("f", "file", b"abc"),
    ]


def test_sizes_and_names_of_pax_headers_win() -> None:
    record = b"13 size=1000\n" + b"15 path=longer\n"
    data = header(b"x", octal(len(record)), b"x") + record.ljust(512, b"\0")
    data += header(b"short", octal(0)) + bytes(1024) + header(b"next") + bytes(1024)
    found = read_all(data)
    assert [(name, entry.size) for name, entry, _ in found] == [("longer", 1000), ("next", 0)]


def test_global_pax_headers_hold_for_all_entries_that_have_no_own() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "all"}) as tar:
        tar.addfile(tarfile.TarInfo("one"))
    assert [name for name, _, _ in read_all(stream.getvalue())] == ["all"]


def test_base_256_sizes() -> None:
    size = b"\x80" + (5).to_bytes(11, "big")
    ((_, entry, data),) = read_all(header(b"f", size) + b"12345".ljust(512, b"\0") + bytes(1024))
    assert (entry.size, data) == (5, b"12345")


def test_names_that_are_not_utf_8_keep_their_bytes() -> None:
    ((name, _, _),) = read_all(header(b"caf\xe9") + bytes(1024))
    assert name == "caf\udce9"


def test_links_have_no_data_whatever_their_size_says() -> None:
    found = read_all(header(b"l", octal(700), b"2", link=b"t") + header(b"f") + bytes(1024))
    assert [(name, entry.kind, entry.size) for name, entry, _ in found] == [("l", "symlink", 0), ("f", "file", 0)]


def test_entries_of_unknown_types_are_passed_over_with_their_data() -> None:
    found = read_all(header(b"v", octal(3), b"V") + b"abc".ljust(512, b"\0") + header(b"f") + bytes(1024))
    assert [(name, entry.kind) for name, entry, _ in found] == [("v", "unknown"), ("f", "file")]


def test_checksums_of_old_machines_with_signed_bytes() -> None:
    block = bytearray(header(b"caf\xe9"))
    unsigned = sum(block[:148]) + 256 + sum(block[156:])
    block[148:156] = b"%06o\0 " % (unsigned - 256)
    assert [name for name, _, _ in read_all(bytes(block) + bytes(1024))] == ["caf\udce9"]


def test_what_follows_the_end_is_ignored() -> None:
    assert len(read_all(tar_layer({"f": b"x"}) + b"trailing garbage" * 100)) == 1


def test_an_archive_may_lack_its_end_and_the_last_padding() -> None:
    ((_, _, data),) = read_all(header(b"f", octal(3)) + b"abc")
    assert data == b"abc"
    assert read_all(b"") == []


def sparse_pairs(*pairs: tuple[int, int]) -> bytes:
    return b"".join(b"%011o\0%011o\0" % pair for pair in pairs)


SPARSE_CONTENTS = bytes(1000) + b"A" * 600 + bytes(400) + b"B" * 200 + bytes(800)
SPARSE_SPANS = ((1000, 600), (2000, 200), (3000, 0))
SPARSE_STORED = (b"A" * 600 + b"B" * 200).ljust(1024, b"\0")


def test_old_gnu_sparse_files() -> None:
    tail = sparse_pairs(*SPARSE_SPANS).ljust(96, b"\0") + b"\0" + octal(3000)
    data = header(b"s", octal(800), b"S", magic=b"ustar  \0", sparse=tail) + SPARSE_STORED + header(b"f") + bytes(1024)
    found = read_all(data)
    assert [(name, entry.kind, contents) for name, entry, contents in found] == [
        ("s", "file", SPARSE_CONTENTS),
        ("f", "file", b""),
    ]


def test_old_gnu_sparse_files_with_a_longer_map() -> None:
    tail = sparse_pairs((0, 0), (0, 0), (0, 0), (0, 0)) + b"\1" + octal(3000)
    more = sparse_pairs(*SPARSE_SPANS).ljust(512, b"\0")
    data = header(b"s", octal(800), b"S", magic=b"ustar  \0", sparse=tail) + more + SPARSE_STORED + header(b"f")
    found = read_all(data + bytes(1024))
    assert [(name, contents) for name, _, contents in found] == [("s", SPARSE_CONTENTS), ("f", b"")]


def pax_header(*pairs: tuple[str, str]) -> bytes:
    records = b""
    for key, value in pairs:
        rest = f" {key}={value}\n".encode()
        length = len(rest) + len(str(len(rest) + 3))
        length = len(rest) + len(str(length))
        records += str(length).encode() + rest
    return header(b"pax", octal(len(records)), b"x") + records.ljust(-(-len(records) // 512) * 512, b"\0")


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_pax_sparse_files(version: str) -> None:
    numbers = [number for span in SPARSE_SPANS for number in span]
    stored = SPARSE_STORED
    if version == "0.0":
        pairs = [("GNU.sparse.size", "3000"), ("GNU.sparse.numblocks", "3")]
        for offset, length in SPARSE_SPANS:
            pairs += [("GNU.sparse.offset", str(offset)), ("GNU.sparse.numbytes", str(length))]
        pairs.append(("path", "s"))
    elif version == "0.1":
        pairs = [("GNU.sparse.size", "3000"), ("GNU.sparse.name", "s"), ("GNU.sparse.map", ",".join(map(str, numbers)))]
    else:
        pairs = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s")]
        pairs.append(("GNU.sparse.realsize", "3000"))
        stored = "".join(f"{number}\n" for number in [3, *numbers]).encode().ljust(512, b"\0") + stored
    data = pax_header(*pairs) + header(b"GNUSparseFile.0/s", octal(len(stored) - 224)) + stored + header(b"f")
    found = read_all(data + bytes(1024))
    assert [(name, contents) for name, _, contents in found] == [("s", SPARSE_CONTENTS), ("f", b"")]


def test_python_reads_sparse_files_alike() -> None:
    tail = sparse_pairs((512, 3)).ljust(96, b"\0") + b"\0" + octal(2048)
    data = header(b"s", octal(3), b"S", magic=b"ustar  \0", sparse=tail) + b"abc".ljust(512, b"\0") + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        member = tar.extractfile("s")
        assert member is not None
        expected = member.read()
    ((_, _, contents),) = read_all(data)
    assert contents == expected


GOOD = header(b"f", octal(600)) + bytes(1024)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (GOOD[:700], "layer: truncated: the tar archive ends 412 bytes too early"),
        (GOOD + header(b"g")[:100], "layer: truncated: the tar archive ends 412 bytes too early"),
        (
            GOOD + b"\1" + header(b"g")[1:],
            "layer: malformed tar archive: at byte 1536: its checksum does not fit",
        ),
        (
            header(b"f", b"-0000000001\0"),
            "layer: malformed tar archive: at byte 0: b'-0000000001' is not an octal number",
        ),
        (
            header(b"f", b"0000000008 \0"),
            "layer: malformed tar archive: at byte 0: b'0000000008' is not an octal number",
        ),
        (header(b"f", b"1_0\0        "), "layer: malformed tar archive: at byte 0: b'1_0' is not an octal number"),
        (header(b"f", b"\xff" * 12), "layer: malformed tar archive: at byte 0: a number is negative"),
        (
            header(b"f", b"\x80" + b"\xff" * 11),
            "layer: malformed tar archive: at byte 0: a number is larger than 63 bits",
        ),
        (
            header(b"f", b"\x80\0\0\0\x7f" + b"\xff" * 7),
            "layer: truncated: the tar archive ends 9223372036854775807 bytes too early",
        ),
        (
            header(b"f") + bytes(512) + header(b"g"),
            "layer: malformed tar archive: at byte 512: a zero block that is not followed by another one",
        ),
        (
            header(b"x", octal(2 << 20), b"x"),
            "layer: malformed tar archive: at byte 0: an extended header of 2097152 bytes (expected at most 1048576)",
        ),
        (
            header(b"x", octal(6), b"x") + b"99 a=b".ljust(512, b"\0"),
            "layer: malformed tar archive: at byte 0: a pax record has a wrong length",
        ),
        (
            header(b"x", octal(6), b"x") + b"junk\n\n".ljust(512, b"\0"),
            "layer: malformed tar archive: at byte 0: a pax record has no length",
        ),
        (
            header(b"x", octal(6), b"x") + b"6 abc\n".ljust(512, b"\0"),
            "layer: malformed tar archive: at byte 0: a pax record has no value",
        ),
        (
            pax_header(("size", "-5")) + header(b"f"),
            "layer: malformed tar archive: at byte 1024: '-5' is not a size",
        ),
        (
            pax_header(("path", "lonely")),
            "layer: malformed tar archive: at byte 1024: an extended header that no entry follows",
        ),
        (
            pax_header(("GNU.sparse.map", "0,5,3,5"), ("GNU.sparse.size", "99")) + header(b"s", octal(10)) + bytes(512),
            "layer: malformed tar archive: at byte 1024: a sparse map has spans that overlap or lie outside the file",
        ),
        (
            pax_header(("GNU.sparse.map", "0,5"), ("GNU.sparse.size", "99")) + header(b"s", octal(4)) + bytes(512),
            "layer: malformed tar archive: at byte 1024: a sparse map names more data than is stored",
        ),
        (
            pax_header(("GNU.sparse.map", "0,5,3"), ("GNU.sparse.size", "99")) + header(b"s", octal(4)) + bytes(512),
            "layer: malformed tar archive: at byte 1024: a sparse map has an odd number of entries",
        ),
    ],
)
def test_damage(data: bytes, message: str) -> None:
    with pytest.raises(CorruptImageError) as caught:
        read_all(data)
    assert caught.value.message == message


@given(st.binary(max_size=3000), st.integers(1, 2000))
def test_arbitrary_bytes_are_corrupt_or_nothing(data: bytes, length: int) -> None:
    with contextlib.suppress(CorruptImageError):
        read_all(data, length)


def without_end(data: bytes) -> bytes:
    stripped = data.rstrip(b"\0")
    return stripped.ljust(-(-len(stripped) // 512) * 512, b"\0")


SAMPLE = (
    without_end(
        tar_of(
            [("d/", Folder()), ("d/file", b"contents" * 100), ("é" * 60, b"1"), ("h", Link("d/file", hard=True))],
            tarfile.PAX_FORMAT,
        )
    )
    + without_end(tar_of([("n" * 150, Link("t" * 150))]))
    + pax_header(("GNU.sparse.major", "1"), ("GNU.sparse.name", "s"), ("GNU.sparse.realsize", "9"))
    + header(b"s", octal(515))
    + b"1\n3\n3\n".ljust(512, b"\0")
    + b"abc".ljust(512, b"\0")
    + bytes(1024)
)


@given(
    st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=4),
    st.one_of(st.none(), st.integers(0, len(SAMPLE))),
    st.booleans(),
)
def test_damaged_archives_raise_nothing_else(changes: list[tuple[int, int]], end: int | None, repair: bool) -> None:
    data = bytearray(SAMPLE)
    for position, value in changes:
        data[position] = value
        start = position // 512 * 512
        if repair:  # with a right checksum, the damage gets further
            block = data[start : start + 512]
            data[start + 148 : start + 156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    with contextlib.suppress(CorruptImageError):
        for _, entry, contents in read_all(bytes(data[:end])):
            assert entry.kind != "file" or len(contents) == entry.size


def test_the_sample_is_sound() -> None:
    assert [name for name, _, _ in read_all(SAMPLE)][-2:] == ["n" * 150, "s"]
