"""Archives that are damaged, contradict themselves, or grow beyond measure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.hostile.images import (
    END,
    SITE,
    SYSTEM,
    TAG,
    Case,
    Layer,
    Zeros,
    config_of,
    distribution,
    file,
    gnu_long,
    gzip_member,
    gzipped,
    hardlink,
    header,
    packed,
    pax,
    plain,
    save,
    save_layout,
    saved,
    symlink,
    whole,
)
from tests.image.layers import as_json, sha

INFO = f"{SITE}/six-1.0.dist-info"
SIX = distribution()
DEEP = b"[" * 100_000 + b"]" * 100_000
GIB = 1 << 30
_IGNORED = "its path leads out of the root"
_NO_METADATA = "no metadata inside: what is known of it comes from its folder's name"
_AGAIN = "Save or copy the image again."


def _sparse(name: str, size: int) -> bytes:
    """A file of nothing but a hole, in pax format 1.0."""
    records = {"major": b"1", "minor": b"0", "name": name.encode(), "realsize": b"%d" % size}
    return pax(**{f"GNU__sparse__{key}": value for key, value in records.items()}) + file("s", b"0\n".ljust(512, b"\0"))


# --- one after the other -----------------------------------------------------------------------------


def _truncated_file(out: Path) -> None:
    save(out, whole(SIX))
    out.write_bytes(out.read_bytes()[:4096])


def _trailing(out: Path) -> None:
    save(out, plain(SYSTEM, SIX, END, b"\x1b[2J" * 10_000))
    out.write_bytes(out.read_bytes() + b"\x1b[2J" * 10_000)


def _nested_gzip(out: Path) -> None:
    inner = gzip_member([gzip_member([bytes(1 << 24)] * 8)])
    save(out, Layer(gzip_member([inner]), sha(inner)))


def _compressed_zeros(out: Path) -> None:
    out.write_bytes(gzip_member([bytes(1 << 24)]) * 32)


def _million(out: Path) -> None:
    """Names that differ in digits only, so that most of their headers are made by replacing some."""

    @cache
    def folder(total: int) -> bytes:
        digits = (min(total, 9), min(max(total - 9, 0), 9), max(total - 18, 0))
        return b"".join(file(f"srv/{''.join(map(str, digits))}/{n:03}") for n in range(1000))

    def parts() -> Iterator[bytes]:
        yield SYSTEM + SIX
        for number in range(1000):
            text = f"{number:03}"
            block = folder(sum(map(int, text)))
            yield block.replace(block[:8], f"srv/{text}/".encode())
        yield END

    save(out, packed(parts()))


def _other_diff_id(out: Path) -> None:
    save(out, whole(SIX), config=config_of(Layer(b"", sha(b""))))


def _deep_config(out: Path) -> None:
    layer = whole()
    save(out, layer, config=config_of(layer)[:-1] + b', "x": ' + DEEP + b"}")


def _manifest(**changes: object) -> bytes:
    return as_json([{"Config": "config.json", "RepoTags": [TAG], "Layers": ["0/layer.tar"], **changes}])


PATHS = (
    Case(
        "absolute paths are below the root",
        saved(b"".join([file(f"/{INFO}/METADATA", b"Name: Six\nVersion: 1.0\n")])),
        0,
        found=("Six==1.0",),
    ),
    Case(
        "paths with ..",
        saved(
            SIX,
            file("../../evil"),
            file("usr/../../evil"),
            file(f"a/../{SITE}/b-1.dist-info/METADATA", b"Name: b\nVersion: 1\n"),
        ),
        1,
        skipped=(("../../evil", _IGNORED), ("usr/../../evil", _IGNORED)),
        found=("b==1", "six==1.0"),
    ),
    Case(
        "symbolic links in a circle",
        saved(
            symlink("usr/bin/python3", "python"),
            symlink("usr/bin/python", "python3"),
            symlink(f"{INFO}/METADATA", "METADATA"),
        ),
        1,
        skipped=(
            ("/usr/bin/python", "a link that leads nowhere"),
            ("/usr/bin/python3", "a link that leads nowhere"),
            (f"/{INFO}", _NO_METADATA),
            (f"/{INFO}/METADATA", f"/{INFO}/METADATA: does not exist in the image"),
        ),
    ),
    Case(
        "hard links in a circle",
        saved(hardlink(f"{INFO}/METADATA", "a"), hardlink("a", f"{INFO}/METADATA")),
        1,
        skipped=(
            ("/a", f"a hard link to {INFO}/METADATA, which is not there"),
            (f"/{INFO}/METADATA", "a hard link to a, which is not there"),
        ),
    ),
    Case(
        "links out of the root stay in it",
        saved(
            symlink(f"{INFO}/METADATA", "/../../../../../../etc/shadow"),
            hardlink("etc/passwd", "../../../etc/passwd"),
            symlink("etc/shadow", "../../../../../srv/metadata"),
            file("srv/metadata", b"Name: six\nVersion: 1.0\n"),
        ),
        1,
        skipped=(("/etc/passwd", "a hard link to ../../../etc/passwd, which is not there"),),
        found=("six==1.0",),
    ),
    Case(
        "devices and fifos where files should be",
        saved(
            header(f"{INFO}/METADATA", b"3"),
            header(f"{INFO}/RECORD", b"6"),
            header("var/lib/dpkg/status", b"6"),
            header("etc/passwd", b"4"),
        ),
        1,
        skipped=(
            (f"/{INFO}", _NO_METADATA),
            (f"/{INFO}/METADATA", f"/{INFO}/METADATA: not a regular file"),
            (f"/{INFO}/RECORD", f"/{INFO}/RECORD: not a regular file"),
            ("/var/lib/dpkg/status", "/var/lib/dpkg/status: not a regular file"),
        ),
    ),
    Case(
        "of two entries the last counts",
        saved(SIX, file(f"{INFO}/METADATA", b"Name: SIX\nVersion: 1.0\n")),
        0,
        found=("SIX==1.0",),
    ),
    Case(
        "a file in the place of a folder",
        saved(SIX, file("usr/lib/python3.11")),
        2,
        said=("error: image: no Python interpreter found (looked for python", "Only images with CPython in them"),
    ),
    Case(
        "long names of pax and GNU",
        saved(
            pax(path=f"{SITE}/long-1.dist-info/METADATA".encode()) + file("x", b"Name: long\nVersion: 1\n"),
            gnu_long(b"L", f"{SITE}/gnu-1.dist-info/METADATA".encode()) + file("x", b"Name: gnu\nVersion: 1\n"),
            pax(path=b"a" * 100_000) + file("x"),
            gnu_long(b"L", b"b/" * 3000) + file("x"),
            pax(linkpath=b"../" * 100_000 + b"x") + symlink("usr/bin/python3", "x"),
        ),
        1,
        skipped=(
            ("/usr/bin/python3", "a link that leads nowhere"),
            ("a" * 300 + "…", "its path is longer than 4096 characters"),
            ("b/" * 150 + "…", "its path is longer than 4096 characters"),
        ),
        found=("gnu==1", "long==1"),
    ),
    Case(
        "a name of megabytes",
        saved(gnu_long(b"L", b"b" * 2_000_000) + file("x")),
        2,
        said=("malformed tar archive: at byte 2560: an extended header of 2000001 bytes (expected at most 1048576)",),
    ),
    Case(
        "names that are not UTF-8, or control a terminal",
        saved(
            file(SITE.encode() + b"/\xff-1.dist-info/METADATA", b"Name: a\n"),
            file(f"{SITE}/e\x1b[2Jvil\n\u202e-1.0.dist-info/METADATA", b"Name: evil\nVersion: 1\n"),
            file(f"{SITE}/\x1b]0;x\x07.pth", b"/\x1b[2J\nimport os; print('\x1b[2J')\n"),
            symlink(b"usr/bin/python3", b"\xff"),
            file("opt/\x9b31m/bin/python3.9", b"\x7fELF", mode=0o755),
        ),
        1,
        said=(r"e\x1b[2Jvil\n\u202e-1.0.dist-info: its path holds control characters, or is not UTF-8",),
        skipped=(
            ("/opt/\x9b31m/bin/python3.9", "its standard library was not found"),
            ("/usr/bin/python3", "its name, or the target of the link, is not UTF-8"),
            (f"/{SITE}/\x1b]0;x\x07.pth", "runs code at start-up, which was not executed: import os; print('\x1b[2J')"),
            (f"/{SITE}/\\xff-1.dist-info/METADATA", "its name, or the target of the link, is not UTF-8"),
            (rf"/{SITE}/e\x1b[2Jvil\n\u202e-1.0.dist-info", "its path holds control characters, or is not UTF-8"),
        ),
    ),
)

NUMBERS = (
    Case(
        "a size of more than 63 bits",
        saved(header("a", size=b"\x80" + b"\xff" * 11)),
        2,
        said=("at byte 2560: a number is larger than 63 bits",),
    ),
    Case(
        "a negative size in base 256",
        saved(header("a", size=b"\xff" * 12)),
        2,
        said=("at byte 2560: a number is negative",),
    ),
    Case(
        "a negative size in octal",
        saved(header("a", size=b"-0000000001\0")),
        2,
        said=("'-0000000001' is not an octal number",),
    ),
    Case(
        "a size of 64 GiB in octal",
        saved(header("a", size=b"777777777777")),
        2,
        said=("truncated: the tar archive ends 68719475711 bytes too early", _AGAIN),
    ),
    Case(
        "a size of more than 63 bits in pax",
        saved(pax(size=b"9" * 19) + file("a")),
        2,
        said=("'9999999999999999999' is not a size",),
    ),
    Case(
        "metadata that claims 10 GB",
        saved(header(f"{INFO}/METADATA", size=b"\x80\0\0\0" + (10 * GIB).to_bytes(8, "big"))),
        2,
        said=("truncated: the tar archive ends 10737417216 bytes too early", _AGAIN),
    ),
    Case(
        "metadata that is a hole of 10 GB",
        saved(_sparse(f"{INFO}/METADATA", 10 * GIB)),
        1,
        skipped=((f"/{INFO}", _NO_METADATA), (f"/{INFO}/METADATA", f"/{INFO}/METADATA: larger than 4194304 bytes")),
    ),
    Case(
        "a database that is a hole of 60 MB",
        saved(_sparse("var/lib/dpkg/status", 60 << 20)),
        1,
        skipped=(("/var/lib/dpkg/status", "a damaged stanza: no usable Package"),),
    ),
)

ENDS = (
    Case(
        "a layer that ends within a file",
        lambda out: save(out, plain(SYSTEM, file(f"{INFO}/METADATA", bytes(5000))[:3000])),
        2,
        said=("truncated: the tar archive ends 2512 bytes too early", _AGAIN),
    ),
    Case("an archive that ends early", _truncated_file, 2, said=("image.tar: truncated: the tar archive ends", _AGAIN)),
    Case("data behind the end of the archive and of its layer", _trailing, 0, found=("six==1.0",)),
    Case(
        "a layer that is gzip in gzip",
        _nested_gzip,
        2,
        said=("layer 1 of 1: malformed tar archive: at byte 0: its checksum does not fit",),
    ),
    Case(
        "an archive of nothing but compressed zeros",
        _compressed_zeros,
        2,
        said=("image.tar: no manifest.json (expected what docker save writes)",),
    ),
    Case(
        "gigabytes of zeros",
        lambda out: save(out, gzipped(SYSTEM + SIX + header("var/zeros", size=2 * GIB), Zeros(2 * GIB), END)),
        0,
        found=("six==1.0",),
    ),
    Case(
        "gigabytes of zeros as metadata",
        lambda out: save(out, gzipped(SYSTEM + header(f"{INFO}/METADATA", size=2 * GIB), Zeros(2 * GIB), END)),
        1,
        skipped=((f"/{INFO}", _NO_METADATA), (f"/{INFO}/METADATA", f"/{INFO}/METADATA: larger than 4194304 bytes")),
    ),
)

DOCUMENTS = (
    Case(
        "a manifest 100,000 deep",
        lambda out: save(out, whole(), manifest=b'[{"Config": "config.json", "x": ' + DEEP + b"}]"),
        2,
        said=("image.tar: manifest.json: maximum recursion depth exceeded",),
    ),
    Case(
        "a config 100,000 deep",
        _deep_config,
        2,
        said=("image.tar: config config.json: maximum recursion depth exceeded",),
    ),
    Case(
        "an index 100,000 deep",
        lambda out: save_layout(out, index=b'{"schemaVersion": 2, "x": ' + DEEP + b"}"),
        2,
        said=("image.tar: index.json: maximum recursion depth exceeded",),
        form="oci-archive",
    ),
    Case(
        "a config without layers",
        lambda out: save(out, whole(), config=b'{"os": "linux"}'),
        2,
        said=("config config.json: no rootfs.diff_ids (expected the digests of the layers)",),
    ),
    Case(
        "a diff ID that does not match",
        _other_diff_id,
        2,
        said=("layer 1 of 1: its uncompressed bytes have the digest sha256:", "The image is damaged, or was changed"),
    ),
    Case(
        "more layers than diff IDs",
        lambda out: save(out, whole(), whole(), config=config_of(whole())),
        2,
        said=("2 layers, but its config has 1 diff IDs",),
    ),
    Case(
        "thousands of layers",
        lambda out: save(out, *[plain(file("x"), END)] * 5000),
        2,
        said=("5000 layers (expected at most 1000)",),
    ),
    Case(
        "a thousand layers", lambda out: save(out, whole(SIX), *[plain(file("x"), END)] * 999), 0, found=("six==1.0",)
    ),
    Case(
        "thousands of images",
        lambda out: save(out, whole(), manifest=as_json([{"Config": "config.json"}] * 5000)),
        2,
        said=("manifest.json: 5000 images (expected at most 1000)",),
    ),
    Case(
        "hundreds of images of one name",
        lambda out: save(out, whole(), manifest=as_json([{"Config": "config.json"}] * 500)),
        2,
        said=("manifest.json: 500 images of one name (expected at most 50, one a platform)",),
    ),
    Case(
        "a variable of megabytes",
        saved(config={"Env": ["PATH=" + "/usr/bin:" * 800_000]}),
        2,
        said=("config.Env: a variable of 7200005 characters (expected at most 131072)",),
    ),
    Case(
        "a working folder 200,000 deep",
        saved(config={"WorkingDir": "/a" * 200_000}),
        2,
        said=("config.WorkingDir: 400000 characters (expected at most 4096)",),
    ),
    Case(
        "a config that controls a terminal",
        saved(
            SIX,
            created="\x1b[2J\x9b\u202e",
            config={"Env": ["A=\x1b[2J\x9b\u202e\x7f", "\x9b=x"], "User": "\x9b\u202e", "WorkingDir": "/\x9b"},
        ),
        0,
    ),
    Case(
        "a tag that controls a terminal",
        lambda out: save(out, whole(SIX), manifest=_manifest(RepoTags=["\x1b[2J\x9b\u202e:1"])),
        0,
    ),
    Case(
        "a path that controls a terminal",
        lambda out: save(out, whole(), manifest=_manifest(Config="\x1b[2J\x9b\u202e")),
        2,
        said=(r"image.tar: config \x1b[2J\x9b\u202e: missing",),
    ),
)

MILLION = Case("a million entries", _million, 0, found=("six==1.0",))
CASES = (*PATHS, *NUMBERS, *ENDS, *DOCUMENTS)
