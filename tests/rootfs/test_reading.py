"""The merged root file system: whiteouts, links, digests and contents, on layers built in memory."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from envsync.elf import parse_elf
from envsync.errors import CorruptImageError, ImageError
from envsync.files import FileReadError
from envsync.image.archive import open_archive
from envsync.image.layout import open_layout
from envsync.image.manifest import parse_config
from envsync.image.protocol import Image, LayerProgress
from envsync.reference import ArchiveFile, Digest, LayoutFolder
from envsync.rootfs import Rootfs, read_rootfs
from tests.image.layers import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Folder,
    Item,
    Link,
    MadeImage,
    as_json,
    blob_path,
    descriptor,
    docker_old,
    index,
    layout,
    sha,
    tar_layer,
    tar_of,
    write_archive,
    write_folder,
)
from tests.test_elf import made


def everything(_: str) -> bool:
    return True


def nothing(_: str) -> bool:
    return False


Read = Callable[..., Rootfs]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    """Reads layers, given as names or as bytes, lowest first, from an archive that is closed in the end."""
    images = []

    def read_layers(
        *layers: dict[str, Item] | bytes,
        wanted: Callable[[str], bool] = everything,
        hashed: Callable[[str], bool] = nothing,
        native: Callable[[str], bool] = nothing,
        compression: str = "none",
        on_progress: Callable[[LayerProgress], None] | None = None,
    ) -> Rootfs:
        made = MadeImage(
            layers=[each if isinstance(each, bytes) else tar_layer(each) for each in layers], compression=compression
        )
        path = write_archive(tmp_path / "a.tar", docker_old((made, None), shared_links=False))
        images.append(open_archive(ArchiveFile(format="docker-archive", path=path), None))
        return read_rootfs(images[-1], wanted, hashed=hashed, native=native, on_progress=on_progress)

    yield read_layers
    for image in images:
        image.close()


def path(text: str) -> PurePosixPath:
    return PurePosixPath(text)


def paths(rootfs: Rootfs) -> list[str]:
    """All files and links."""
    return [str(found) for found in rootfs.search(".*")]


def contents(rootfs: Rootfs) -> dict[str, bytes]:
    return {each: rootfs.read(path(each)) for each in paths(rootfs)}


# --- layers over one another ----------------------------------------------------------------------------


def test_the_uppermost_layer_says_what_is_there(read: Read) -> None:
    lower = {"etc/": Folder(0o700), "etc/a": b"1", "etc/b": b"2"}
    upper = {"etc/": Folder(0o755), "etc/b": b"3", "etc/c": b"4"}
    rootfs = read(lower, upper)
    assert contents(rootfs) == {"/etc/a": b"1", "/etc/b": b"3", "/etc/c": b"4"}
    found = rootfs.stat(path("/etc/a"))
    assert found is not None
    assert (found.kind, found.size, found.layer) == ("file", 1, sha(tar_layer(lower)))
    found = rootfs.stat(path("/etc/b"))
    assert found is not None
    assert found.layer == sha(tar_layer(upper))
    assert rootfs.layer_sizes == (len(tar_layer(lower)), len(tar_layer(upper)))
    folder = rootfs.stat(path("/etc"))
    assert folder is not None
    assert (folder.kind, folder.size, folder.mode) == ("directory", 0, 0o755)


def test_a_whiteout_hides_a_file_and_a_folder_of_lower_layers(read: Read) -> None:
    rootfs = read({"a": b"", "d/x": b"", "d/y/z": b"", "k": b""}, {".wh.a": b"", ".wh.d": b""})
    assert paths(rootfs) == ["/k"]
    assert rootfs.stat(path("/d")) is None
    assert rootfs.list(path("/")) == ("k",)


def test_a_whiteout_acts_on_lower_layers_only(read: Read) -> None:
    for order in (["d/.wh.f", "d/f"], ["d/f", "d/.wh.f"]):
        assert contents(read({"d/f": b"old"}, dict.fromkeys(order, b"new"))) == {"/d/f": b"new"}
    assert contents(read({".wh.f": b""}, {"f": b"later"})) == {"/f": b"later"}


def test_a_folder_that_was_replaced_shows_only_what_is_new(read: Read) -> None:
    assert paths(read({"d/old": b"", "d/s/old": b""}, {".wh.d": b"", "d/": Folder(), "d/new": b""})) == ["/d/new"]


def test_an_opaque_folder_hides_what_is_below_it_in_lower_layers(read: Read) -> None:
    layers = ({"d/a": b"", "d/s/b": b"", "e": b""}, {"d/": Folder(), "d/c": b"", "d/.wh..wh..opq": b""})
    assert paths(read(*layers)) == ["/d/c", "/e"]
    assert paths(read(*layers, {"d/s/": Folder(), "d/s/n": b""})) == ["/d/c", "/d/s/n", "/e"]


def test_an_opaque_root(read: Read) -> None:
    assert paths(read({"a": b"", "d/b": b""}, {".wh..wh..opq": b"", "c": b""})) == ["/c"]


def test_what_a_layer_above_restores_is_there(read: Read) -> None:
    assert contents(read({"d/f": b"1"}, {".wh.d": b""}, {"d/f": b"2"})) == {"/d/f": b"2"}


@pytest.mark.parametrize("item", [b"file", Link("e"), Link("elsewhere")])
def test_what_is_no_folder_hides_a_folder_below_it(item: Item, read: Read) -> None:
    rootfs = read({"d/a": b"", "e/b": b""}, {"d": item})
    assert paths(rootfs) == ["/d", "/e/b"]


def test_a_folder_hides_a_file_and_all_that_was_below_the_file(read: Read) -> None:
    rootfs = read({"d/old": b""}, {"d": b"file"}, {"d/": Folder(), "d/new": b""})
    assert paths(rootfs) == ["/d/new"]
    assert paths(read({"d/old": b""}, {"d": Link("e")}, {"d/new": b""})) == ["/d/new"]


def test_folders_that_no_layer_names(read: Read) -> None:
    rootfs = read({"a/b/c": b""})
    folder = rootfs.stat(path("/a/b"))
    assert folder is not None
    assert (folder.kind, folder.mode, folder.layer) == ("directory", 0o755, None)
    assert rootfs.list(path("/a")) == ("b",)
    assert rootfs.list(path("/a/b/c")) == ()


def test_a_lower_layer_says_what_mode_a_folder_has_that_the_upper_one_does_not_name(read: Read) -> None:
    folder = read({"a/": Folder(0o700)}, {"a/b": b""}).stat(path("/a"))
    assert folder is not None
    assert folder.mode == 0o700


def test_leftovers_of_aufs_are_no_files(read: Read) -> None:
    rootfs = read({".wh..wh.plnk/": Folder(), ".wh..wh.plnk/1.2": b"", ".wh..wh.aufs": b"", "a": b""})
    assert (paths(rootfs), rootfs.skipped) == (["/a"], ())


def test_the_last_of_several_entries_counts(read: Read) -> None:
    assert contents(read(tar_of([("a", b"1"), ("./a", b"2")]))) == {"/a": b"2"}


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["etc/f", "./etc/f", "/etc/f", "//etc//f", "etc/x/../f", "etc/./f", "/./etc/f"])
def test_names_mean_the_same_however_they_are_spelt(name: str, read: Read) -> None:
    assert paths(read({name: b""})) == ["/etc/f"]


def test_names_that_lead_out_of_the_root_are_skipped(read: Read) -> None:
    rootfs = read({"../evil": b"", "a/../../evil": b"", "/..": Folder(), "good": b""})
    assert paths(rootfs) == ["/good"]
    reason = "its path leads out of the root"
    assert [(each.place, each.reason) for each in rootfs.skipped] == [
        ("../evil", reason),
        ("a/../../evil", reason),
        ("/../", reason),
    ]


def test_whiteouts_of_no_name_are_skipped(read: Read) -> None:
    rootfs = read({"d/f": b""}, {"d/.wh.": b"", "d/.wh..": b"", "d/.wh...": b"", "d/.wh.x/f": b""})
    assert paths(rootfs) == ["/d/f"]
    assert [(each.place, each.reason) for each in rootfs.skipped] == [
        ("d/.wh.", "a whiteout of no name"),
        ("d/.wh..", "a whiteout of no name"),
        ("d/.wh...", "a whiteout of no name"),
        ("d/.wh.x/f", "below a whiteout"),
    ]


def test_names_that_are_not_utf_8_take_part_and_are_left_out(read: Read) -> None:
    rootfs = read({"d/caf\udce9": b"1", "d/ok": b"", "caf\udce9/f": b""}, {"l": Link("caf\udce9"), "é": b""})
    assert paths(rootfs) == ["/d/ok", "/é"]
    assert rootfs.list(path("/d")) == ("ok",)
    assert rootfs.list(path("/")) == ("d", "é")
    assert [(each.place, each.reason) for each in rootfs.skipped] == [
        ("/caf\\xe9/f", "its name, or the target of the link, is not UTF-8"),
        ("/d/caf\\xe9", "its name, or the target of the link, is not UTF-8"),
        ("/l", "its name, or the target of the link, is not UTF-8"),
    ]
    assert read({"caf\udce9": b""}, {".wh.caf\udce9": b""}).skipped == ()


def test_overlong_names_are_skipped(read: Read) -> None:
    rootfs = read({"a" * 5000: b"", "f": b""})
    assert paths(rootfs) == ["/f"]
    (skipped,) = rootfs.skipped
    assert (len(skipped.place), skipped.reason) == (301, "its path is longer than 4096 characters")


def test_very_many_skipped_entries_are_counted(read: Read) -> None:
    rootfs = read({f"../{number}": b"" for number in range(150)})
    assert len(rootfs.skipped) == 101
    assert (rootfs.skipped[-1].place, rootfs.skipped[-1].reason) == ("layer 1", "50 more entries were ignored")


def test_a_root_that_is_no_folder_is_skipped(read: Read) -> None:
    rootfs = read({"./": b"", "f": b""})
    assert paths(rootfs) == ["/f"]
    assert [each.reason for each in rootfs.skipped] == ["the root cannot be anything but a folder"]


def test_what_lies_below_a_file_of_the_same_layer_is_skipped(read: Read) -> None:
    rootfs = read({"f": b"", "f/x": b"", "l": Link("/d"), "l/x": b"", "d/": Folder()})
    assert paths(rootfs) == ["/f", "/l"]
    reason = "not a folder, but its layer has entries below it, which are ignored"
    assert [(each.place, each.reason) for each in rootfs.skipped] == [("/f", reason), ("/l", reason)]


# --- links ------------------------------------------------------------------------------------------------

LINKS: dict[str, Item] = {
    "usr/bin/python3.9": b"ELF",
    "usr/bin/python3": Link("python3.9"),
    "usr/bin/python": Link("/usr/bin/python3"),
    "bin": Link("usr/bin"),
    "lib/x/up": Link("../../usr/./bin//python3"),
    "lib/x/out": Link("../../../../../usr/bin/python3"),
    "lib/x/dir": Link("/bin/"),
    "loop": Link("loop"),
    "ping": Link("pong"),
    "pong": Link("/ping"),
    "dangling": Link("nowhere"),
    "through-file": Link("usr/bin/python3/x"),
    "slash": Link("/"),
}


@pytest.mark.parametrize(
    ("start", "real"),
    [
        ("/usr/bin/python", "/usr/bin/python3.9"),
        ("/bin/python", "/usr/bin/python3.9"),
        ("/bin", "/usr/bin"),
        ("/lib/x/up", "/usr/bin/python3.9"),
        ("/lib/x/out", "/usr/bin/python3.9"),
        ("/lib/x/dir/python3", "/usr/bin/python3.9"),
        ("/lib/x/dir/../../usr/bin", "/usr/bin"),
        ("/bin/../lib", None),
        ("/bin/../bin/python3", "/usr/bin/python3.9"),
        ("/../../usr/bin", "/usr/bin"),
        ("//usr/bin", "/usr/bin"),
        ("/slash/usr", "/usr"),
        ("/slash", "/"),
        ("/", "/"),
        ("/loop", None),
        ("/ping", None),
        ("/ping/x", None),
        ("/dangling", None),
        ("/through-file", None),
        ("/usr/bin/python3.9/", "/usr/bin/python3.9"),
        ("/usr/bin/python3.9/..", None),
        ("/nowhere/../usr", None),
    ],
)
def test_links_are_followed_inside_the_root(start: str, real: str | None, read: Read) -> None:
    found = read(LINKS).stat(path(start))
    assert (str(found.path) if found else None) == real


def test_what_a_link_itself_says(read: Read) -> None:
    rootfs = read(LINKS)
    assert rootfs.readlink(path("/bin")) == path("usr/bin")
    assert rootfs.readlink(path("/bin/python")) == path("/usr/bin/python3")
    assert rootfs.readlink(path("/loop")) == path("loop")
    assert rootfs.readlink(path("/usr/bin/python3.9")) is None
    assert rootfs.readlink(path("/nowhere")) is None
    assert rootfs.read(path("/bin/python")) == b"ELF"
    assert rootfs.list(path("/bin")) == ("python", "python3", "python3.9")


def test_forty_links_are_followed_and_no_more(read: Read) -> None:
    chain: dict[str, Item] = {f"l{number}": Link(f"l{number + 1}") for number in range(41)}
    rootfs = read({**chain, "l41": b"end"})
    assert rootfs.stat(path("/l1")) is not None
    assert rootfs.stat(path("/l0")) is None


def test_hard_links_share_their_contents(read: Read) -> None:
    for compression in ("none", "gzip", "zstd"):
        rootfs = read(
            {"d/a": b"shared", "b": Link("d/a", hard=True), "c": Link("./b", hard=True), "s": Link("b")},
            compression=compression,
            wanted=lambda each: each == "/c",
        )
        assert contents(rootfs) == dict.fromkeys(["/b", "/c", "/d/a", "/s"], b"shared")


def test_hard_links_to_lower_layers(read: Read) -> None:
    lower: dict[str, Item] = {"a": b"lower", "l": Link("a")}
    rootfs = read(lower, {"b": Link("/a", hard=True), "m": Link("l", hard=True)}, {".wh.a": b""})
    assert rootfs.read(path("/b")) == b"lower"
    assert rootfs.readlink(path("/m")) == path("a")
    found = rootfs.stat(path("/b"))
    assert found is not None
    assert found.layer == sha(tar_layer(lower))


@pytest.mark.parametrize(
    "layers",
    [
        [{"b": Link("nowhere", hard=True)}],
        [{"b": Link("b", hard=True)}],
        [{"b": Link("../../etc/passwd", hard=True)}],
        [{"b": Link("d", hard=True), "d/": Folder()}],
        [{"a": b""}, {".wh.a": b""}, {"b": Link("a", hard=True)}],
        [{"d/a": b""}, {"d/.wh..wh..opq": b""}, {"b": Link("d/a", hard=True)}],
        [{"d/a": b""}, {"d": b""}, {"b": Link("d/a", hard=True)}],
        [{"b": Link("a", hard=True)}, {"a": b"above"}],
    ],
)
def test_hard_links_to_nothing_are_skipped(layers: list[dict[str, Item]], read: Read) -> None:
    rootfs = read(*layers)
    assert rootfs.stat(path("/b")) is None
    assert [each.place for each in rootfs.skipped] == ["/b"]
    assert rootfs.skipped[0].reason.endswith(", which is not there")


# --- contents ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_contents_that_were_not_kept_are_read_again(compression: str, read: Read) -> None:
    big = b"0123456789abcdef" * 100_000
    layers: list[dict[str, Item]] = [{"a": b"1", "big": big, "z": b"2", "empty": b""}, {"n": b"3"}]
    rootfs = read(*layers, compression=compression, wanted=nothing)
    assert contents(rootfs) == {"/a": b"1", "/big": big, "/empty": b"", "/n": b"3", "/z": b"2"}
    rootfs = read(*layers, compression=compression, wanted=nothing)
    rootfs.prefetch([path("/z"), path("/big"), path("/z"), path("/n"), path("/nowhere"), path("/")])
    assert contents(rootfs)["/big"] == big


def test_only_wanted_files_are_asked_for_and_by_absolute_path(read: Read) -> None:
    asked: list[str] = []

    def wanted(each: str) -> bool:
        asked.append(each)
        return False

    read({"etc/": Folder(), "./etc/os-release": b"", "l": Link("etc")}, wanted=wanted)
    assert asked == ["/etc/os-release"]


def test_what_cannot_be_read(read: Read) -> None:
    rootfs = read({"d/": Folder(), "f": b"12345", "l": Link("loop"), "loop": Link("l")})
    for name, limit, message in (
        ("/nowhere", 10, "/nowhere: does not exist in the image"),
        ("/l", 10, "/l: does not exist in the image"),
        ("/d", 10, "/d: not a regular file"),
        ("/f", 4, "/f: larger than 4 bytes"),
    ):
        with pytest.raises(FileReadError) as caught:
            rootfs.read(path(name), limit=limit)
        assert caught.value.message == message
    assert rootfs.read(path("/f"), limit=5) == b"12345"


def test_devices_are_neither_files_nor_folders(read: Read) -> None:
    device = tarfile.TarInfo("dev/null")
    device.type = tarfile.CHRTYPE
    rootfs = read(device.tobuf() + bytes(1024))
    found = rootfs.stat(path("/dev/null"))
    assert found is not None
    assert (found.kind, found.size) == ("other", 0)
    assert paths(rootfs) == []
    with pytest.raises(FileReadError):
        rootfs.read(path("/dev/null"))


def test_entries_of_unknown_types_are_skipped(read: Read) -> None:
    strange = tarfile.TarInfo("strange")
    strange.type = b"Z"
    rootfs = read(strange.tobuf() + tar_layer({"f": b""}))
    assert paths(rootfs) == ["/f"]
    assert [(each.place, each.reason) for each in rootfs.skipped] == [("strange", "a tar entry of an unknown type")]


def test_searching_takes_whole_names_and_no_folders(read: Read) -> None:
    rootfs = read({"a/b.py": b"", "a/b.pyc": b"", "a/c.py/": Folder(), "d.py": Link("a")})
    assert [str(found) for found in rootfs.search(r".+\.py")] == ["/a/b.py", "/d.py"]
    assert rootfs.search("b") == ()


def test_each_layer_is_reported_as_it_arrives(read: Read) -> None:
    seen: list[LayerProgress] = []
    layers = [tar_layer({"a": b""}), tar_layer({"b": b"x" * 5000})]
    read(*layers, on_progress=seen.append)
    for layer in layers:
        name, size = sha(layer).partition(":")[2][:12], len(layer)
        told = [(each.status, each.current, each.total) for each in seen if each.id == name]
        assert told == [("reading", 0, size), ("reading", size, size), ("read", size, size)]


def test_no_layers_are_an_empty_root(read: Read) -> None:
    rootfs = read()
    assert (paths(rootfs), rootfs.list(path("/"))) == ([], ())
    assert rootfs.stat(path("/")) is not None


# --- digests and damage -----------------------------------------------------------------------------------

GOOD = tar_layer({"a": b"1" * 3000})


@contextmanager
def layer_layout(
    folder: Path, stored: bytes, *, diff_id: str, digest: str | None = None
) -> Iterator[tuple[str, Callable[[], Rootfs]]]:
    """A layout of one layer, its digests as told; yields its name in messages, and what reads it."""
    made = MadeImage(layers=[], config_changes={"rootfs": {"diff_ids": [diff_id]}})
    layer = {**descriptor(stored, OCI_LAYER), "digest": digest or sha(stored)}
    manifest = as_json({"schemaVersion": 2, "config": descriptor(made.config, OCI_CONFIG), "layers": [layer]})
    files = {
        "index.json": index(descriptor(manifest, OCI_MANIFEST)),
        blob_path(manifest): manifest,
        blob_path(made.config): made.config,
        "blobs/" + layer["digest"].replace(":", "/"): stored,
    }
    image = open_layout(LayoutFolder(path=write_folder(folder, files)), None)
    yield f"{folder}: layer 1 of 1: ", lambda: read_rootfs(image, everything)
    image.close()


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_wrong_diff_id(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    with (
        layer_layout(tmp_path, compress(GOOD), diff_id=sha(b"else")) as (where, read_it),
        pytest.raises(CorruptImageError) as caught,
    ):
        read_it()
    digests = f"{sha(GOOD)} (expected {sha(b'else')})"
    assert caught.value.message == f"{where}its uncompressed bytes have the digest {digests}"


def test_a_wrong_digest_of_the_blob(tmp_path: Path) -> None:
    stored = gzip.compress(GOOD)
    with (
        layer_layout(tmp_path, stored, diff_id=sha(GOOD), digest=sha(b"else")) as (where, read_it),
        pytest.raises(CorruptImageError) as caught,
    ):
        read_it()
    assert caught.value.message == f"{where}its bytes have the digest {sha(stored)} (expected {sha(b'else')})"
    assert caught.value.hint == "The image is damaged, or was changed after it was made. Save or copy it again."


@pytest.mark.parametrize(
    "damaged", [gzip.compress(GOOD)[:-5], b"\x1f\x8b\x08\0garbage", b"\1" * 2000], ids=["cut", "garbage", "no tar"]
)
def test_the_digest_of_the_blob_explains_all_damage(damaged: bytes, tmp_path: Path) -> None:
    expected = sha(gzip.compress(GOOD))
    with (
        layer_layout(tmp_path, damaged, diff_id=sha(GOOD), digest=expected) as (where, read_it),
        pytest.raises(CorruptImageError) as caught,
    ):
        read_it()
    assert caught.value.message == f"{where}its bytes have the digest {sha(damaged)} (expected {expected})"


def test_sha512_digests(tmp_path: Path) -> None:
    digest = "sha512:" + hashlib.sha512(GOOD).hexdigest()
    with layer_layout(tmp_path / "good", GOOD, diff_id=digest, digest=digest) as (_, read_it):
        assert paths(read_it()) == ["/a"]
    with (
        layer_layout(tmp_path / "bad", GOOD + b"1", diff_id=digest, digest=digest) as (where, read_it),
        pytest.raises(CorruptImageError) as caught,
    ):
        read_it()
    assert caught.value.message.startswith(f"{where}its uncompressed bytes have the digest sha512:")


def test_damage_that_the_digests_confirm(tmp_path: Path) -> None:
    for number, (stored, message) in enumerate(
        (
            (gzip.compress(GOOD)[:-5], "truncated: the gzip data ends too early"),
            (b"\1" * 2000, "malformed tar archive: at byte 0: its checksum does not fit"),
            (GOOD[:2000], "truncated: the tar archive ends 1512 bytes too early"),
        )
    ):
        with (
            layer_layout(tmp_path / str(number), stored, diff_id=sha(stored)) as (where, read_it),
            pytest.raises(CorruptImageError) as caught,
        ):
            read_it()
        assert caught.value.message == where + message


def test_unknown_compression_of_a_layer(tmp_path: Path) -> None:
    with (
        layer_layout(tmp_path, b"\xfd7zXZ\0\0\4" + bytes(100), diff_id=sha(GOOD)) as (where, read_it),
        pytest.raises(ImageError) as caught,
    ):
        read_it()
    assert caught.value.message == f"{where}compressed with xz (expected gzip, zstd or none)"


def test_what_follows_the_end_of_a_layer_is_hashed(tmp_path: Path) -> None:
    longer = GOOD + b"trailing" * 500_000
    with layer_layout(tmp_path / "good", gzip.compress(longer, 1), diff_id=sha(longer)) as (_, read_it):
        assert paths(read_it()) == ["/a"]
    with (
        layer_layout(tmp_path / "bad", gzip.compress(longer, 1), diff_id=sha(GOOD)) as (_, read_it),
        pytest.raises(CorruptImageError),
    ):
        read_it()


def test_an_archive_that_was_changed_after_it_was_verified(tmp_path: Path, read: Read) -> None:
    rootfs = read({"a": b"1"}, wanted=nothing)
    archive = tmp_path / "a.tar"
    with archive.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(FileReadError) as caught:
        rootfs.read(path("/a"))
    assert caught.value.message == f"/a: cannot be read: {archive}: changed since it was verified"


def test_too_many_files(tmp_path: Path) -> None:
    from envsync.rootfs.scan import Budget, LayerContents, scan_layer

    layer = tar_layer({f"f{number}": b"" for number in range(50)})
    with pytest.raises(ImageError) as caught:
        scan_layer(iter([memoryview(layer)]), nothing, LayerContents(number=0), Budget(names=2500), "layer")
    assert caught.value.message == "layer: the image has too many files (expected two million at most)"


def test_a_layer_is_not_decompressed_for_ever(read: Read) -> None:
    layer = {f"f{number}": b"x" for number in range(20)}
    rootfs = read(layer, wanted=nothing, compression="gzip")
    for number in range(16):
        assert rootfs.read(path(f"/f{number}")) == b"x"
    with pytest.raises(FileReadError) as caught:
        rootfs.read(path("/f16"))
    assert caught.value.message == "/f16: not read: all that is asked of the image is more than is kept in memory"
    assert len(contents(read(layer, wanted=nothing))) == 20


def test_contents_beyond_the_budget_are_not_kept() -> None:
    from envsync.rootfs.scan import Budget, LayerContents, scan_layer

    found = LayerContents(number=0)
    layer = tar_layer({"a": b"12", "b": b"345", "c": b"6"})
    scan_layer(iter([memoryview(layer)]), everything, found, Budget(contents=4), "layer")
    assert sorted(found.kept.values()) == [b"12", b"6"]


def test_what_is_condensed_counts_and_is_kept_as_such() -> None:
    from envsync.rootfs.scan import Budget, LayerContents, scan_layer

    found = LayerContents(number=0)
    layer = tar_layer({"a": b"12345", "b": b"6789"})
    chunks = iter([memoryview(layer)])
    scan_layer(
        chunks,
        everything,
        found,
        Budget(contents=5),
        "layer",
        lambda path, size: (lambda data: data[:1]) if path == "/a" and size == 5 else None,
    )
    assert sorted(found.kept.values()) == [b"1", b"6789"]


class StreamedLayer:
    """A layer of an origin that has no file: chunks of any length, overwritten once the next but one is asked for."""

    digest = None

    def __init__(self, stored: bytes, plain: bytes, length: int) -> None:
        self.diff_id = Digest(sha(plain))
        self.size = len(stored)
        self._stored = stored
        self._length = length

    @contextmanager
    def open(self) -> Iterator[Iterator[memoryview]]:
        yield self._chunks()

    def _chunks(self) -> Iterator[memoryview]:
        before = bytearray()
        for start in range(0, len(self._stored), self._length):
            chunk = bytearray(self._stored[start : start + self._length])
            yield memoryview(chunk)
            before[:] = b"\xee" * len(before)
            before = chunk


class StreamedImage:
    name = digest = None

    def __init__(self, layers: list[bytes], compression: str, length: int) -> None:
        made = MadeImage(layers=layers, compression=compression)
        self.config = parse_config(made.config, where="config")
        stored = made.stored_layers
        self.layers = tuple(StreamedLayer(each, plain, length) for each, plain in zip(stored, layers, strict=True))

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("length", [1, 7, 511, 512, 513, 3000, 1 << 20])
def test_layers_may_arrive_in_chunks_of_any_length(length: int, compression: str) -> None:
    files: dict[str, Item] = {"a" * 120: b"long", "b": bytes(range(256)) * 10, "c": b"", "l": Link("b" * 120)}
    image: Image = StreamedImage([tar_layer(files, tarfile.PAX_FORMAT), tar_layer({"d": b"1"})], compression, length)
    expected = {"/" + "a" * 120: b"long", "/b": bytes(range(256)) * 10, "/c": b"", "/d": b"1"}
    for wanted in (everything, nothing):
        rootfs = read_rootfs(image, wanted)
        assert {name: rootfs.read(path(name)) for name in expected} == expected


def test_an_error_of_the_caller_ends_the_reading(read: Read) -> None:
    def wanted(_: str) -> bool:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        read({"a": b""}, {"b": b""}, {"c": b""}, wanted=wanted)
    assert threading.active_count() == before


def test_a_layout_and_an_archive_hold_the_same(tmp_path: Path, read: Read) -> None:
    layers: list[dict[str, Item]] = [{"d/a": b"1", "d/b": b"2"}, {"d/.wh.a": b"", "c": Link("d/b")}]
    made = MadeImage(layers=[tar_layer(each) for each in layers], compression="zstd")
    image = open_layout(LayoutFolder(path=write_folder(tmp_path / "layout", layout((made, None)))), None)
    assert contents(read_rootfs(image, everything)) == contents(read(*layers)) == {"/c": b"2", "/d/b": b"2"}
    image.close()


def test_layers_are_named_by_their_diff_id(read: Read) -> None:
    found = read({"a": b"1"}, compression="gzip").stat(path("/a"))
    assert found is not None
    assert isinstance(found.layer, Digest)
    assert found.layer == sha(tar_layer({"a": b"1"}))


# --- contents of any size ------------------------------------------------------------------------------

LOWER: dict[str, Item] = {
    "opt/lib/a.py": b"a = 1\n",
    "opt/lib/big.so": bytes(range(256)) * 20_000,
    "opt/lib/empty.py": b"",
    "opt/bin/tool": b"#!/opt/bin/python3.9\nprint()\n",
    "opt/lib/gone.py": b"gone",
}
UPPER: dict[str, Item] = {"opt/lib/a.py": b"a = 2\n", "opt/lib/.wh.gone.py": b"", "opt/lib/link.py": Link("a.py")}
FILES = {
    "/opt/lib/a.py": b"a = 2\n",
    "/opt/lib/big.so": bytes(range(256)) * 20_000,
    "/opt/lib/empty.py": b"",
    "/opt/lib/link.py": b"a = 2\n",
}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_extract_gives_files_of_any_size(read: Read, compression: str) -> None:
    rootfs = read(LOWER, UPPER, wanted=nothing, compression=compression)
    found: dict[str, bytes] = {}

    def take(places: tuple[str, ...], pieces: Iterator[memoryview]) -> None:
        data = b"".join(pieces)
        for place in places:
            assert place not in found
            found[place] = data

    rootfs.extract([*FILES, *FILES, "/opt/lib/gone.py", "/opt/lib", "/nowhere"], take)
    assert found == FILES


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("hashed", [everything, nothing, lambda text: text.endswith(".so")])
@pytest.mark.parametrize("wanted", [everything, nothing])
def test_digests_are_the_same_whether_taken_on_the_way_or_later(
    read: Read, compression: str, hashed: Callable[[str], bool], wanted: Callable[[str], bool]
) -> None:
    rootfs = read(LOWER, UPPER, wanted=wanted, hashed=hashed, compression=compression)
    found = rootfs.digests([*FILES, "/opt/bin/tool", "/opt/lib/gone.py", "/opt"])
    expected = {**FILES, "/opt/bin/tool": b"#!python\nprint()\n"}
    assert found == {place: hashlib.sha256(data).digest() for place, data in expected.items()}


# --- ELF files ------------------------------------------------------------------------------------------


def is_library(text: str) -> bool:
    return ".so" in text


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("hashed", [everything, nothing])
@pytest.mark.parametrize("wanted", [everything, nothing])
def test_what_elf_files_need_is_learnt_on_the_way(
    read: Read, compression: str, hashed: Callable[[str], bool], wanted: Callable[[str], bool]
) -> None:
    lower = {"lib/a.so": made(), "lib/b.so": made(machine=183), "lib/c.so": made(), "lib/me": made()}
    upper = {
        "lib/b.so": made(machine=22, order=">"),
        "lib/c.so": b"INPUT(a.so)",
        "lib/d.so.1": Link("a.so"),
        "lib/e.so": made()[:300],
        "opt/f.so": Link("../lib/b.so", hard=False),
        "lib/empty.so": b"",
    }
    rootfs = read(lower, upper, wanted=wanted, hashed=hashed, native=is_library, compression=compression)
    assert rootfs.elf(path("/lib/a.so")) == parse_elf(made())
    assert rootfs.elf(path("/lib/d.so.1")) == parse_elf(made())
    assert rootfs.elf(path("/opt/f.so")) == parse_elf(made(machine=22, order=">"))
    for none in ("lib/c.so", "lib/e.so", "lib/empty.so", "lib/me", "lib/gone.so", "lib"):
        assert rootfs.elf(path(f"/{none}")) is None
    assert rootfs.digests(["/lib/a.so"]) == {"/lib/a.so": hashlib.sha256(made()).digest()}


def test_a_hard_link_is_the_elf_file_that_it_leads_to(read: Read) -> None:
    rootfs = read({"a.so": made()}, {"b.so": Link("a.so", hard=True)}, native=is_library)
    assert rootfs.elf(path("/b.so")) == parse_elf(made())


@pytest.mark.parametrize("size", [3 << 20, 17 << 20])
def test_a_large_elf_file(size: int) -> None:
    from envsync.rootfs.elves import Passing, elf_of_record

    data = memoryview(made() + bytes(size))
    passing = Passing()
    for _ in range(2):
        passed = [
            bytes(piece) for piece in passing.watch((data[at : at + 70_000] for at in range(0, size, 70_000)), size)
        ]
        assert b"".join(passed) == data[: sum(map(len, passed))]
        record = passing.record()
        assert record is not None
        assert elf_of_record(record) == parse_elf(made())
    assert elf_of_record(b"") is elf_of_record(b"\x81") is None


def test_what_elf_files_need_counts_as_contents() -> None:
    from envsync.rootfs.scan import Budget, LayerContents, scan_layer

    found = LayerContents(number=0)
    layer = tar_layer({f"{number}.so": made() for number in range(3)})
    room = 2 * len(passed(made()))
    scan_layer(iter([memoryview(layer)]), nothing, found, Budget(contents=room), "layer", native=everything)
    assert len(found.elves) == 2
    assert [(one.place, one.reason) for one in found.skipped] == [
        ("/2.so", "a library, with no room left for what it needs")
    ]


def passed(data: bytes) -> bytes:
    from envsync.rootfs.elves import Passing

    passing = Passing()
    for _ in passing.watch(iter([memoryview(data)]), len(data)):
        pass
    return passing.record() or b""
