"""Images whose files lie, contradict each other, or cost far more to understand than to make."""

from __future__ import annotations

import io
import sqlite3
import struct
import tempfile
import zipfile
from pathlib import Path

from tests.hostile.archives import DEEP, INFO
from tests.hostile.images import (
    END,
    PROGRAM,
    SITE,
    SYSTEM,
    Case,
    Zeros,
    config_of,
    distribution,
    file,
    gzipped,
    hardlink,
    header,
    plain,
    python,
    save,
    saved,
    symlink,
    whole,
)

MIB = 1 << 20
_TOO_MANY_FACTS = "its requirements, entry points and tags are more than any honest image has: left out"
_CODE = "runs code at start-up, which was not executed: "
_FAR = "2 of its requirements longer than any honest one: left out"


def _larger(path: str, limit: int) -> tuple[str, str]:
    return f"/{path}", f"/{path}: larger than {limit} bytes"


# --- distributions -----------------------------------------------------------------------------------


def _egg(data: bytes = b"Name: egg\nVersion: 1\n", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("EGG-INFO/PKG-INFO", data)
    return stream.getvalue()


def _damaged_lzma() -> bytes:
    data = bytearray(_egg(method=zipfile.ZIP_LZMA))
    start = data.index(b"PKG-INFO") + 8 + 9
    data[start : start + 21] = b"\xff" * 21
    return bytes(data)


def _million_members() -> bytes:
    """The directory of a zip file whose members are all nowhere."""
    one = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = one * 1_000_000
    return directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)


EGG = f"{SITE}/egg-1.egg"
EGG_PATH = file(f"{SITE}/egg.pth", b"egg-1.egg\n")

FOLDERS_PATH = file(f"{SITE}/folders.pth", b"".join(b"/srv/%d\n" % n for n in range(100)))


def _spread(number: int) -> bytes:
    """One of many distributions, in one of the folders of :data:`FOLDERS_PATH`."""
    return distribution(f"d{number}", site=f"srv/{number % 100}")


DISTRIBUTIONS = (
    Case(
        "metadata that is no text",
        saved(file(f"{INFO}/METADATA", bytes(range(256)) * 100), file(f"{SITE}/b-1.dist-info/METADATA", bytes(4000))),
        0,
        found=("b==1", "six==1.0"),
    ),
    Case(
        "a name that controls a terminal",
        saved(file(f"{INFO}/METADATA", b"Name: s\x1b[2Jix\nVersion: 1\n")),
        2,
        said=(rf"/{INFO}/METADATA: the name “s\x1b[2Jix” could add lines or options", "Nothing was written."),
    ),
    Case(
        "a RECORD that contradicts itself and leads out",
        saved(
            distribution(
                RECORD=b"../../../../../../etc/passwd,sha256=AAAA,1\nsix.py,sha256=a,1\nsix.py,sha256=b,2\n\x1b,,\n"
            )
        ),
        0,
        found=("six==1.0",),
    ),
    Case(
        "a RECORD of 63 MB",
        lambda out: save(
            out, gzipped(SYSTEM + distribution() + header(f"{INFO}/RECORD", size=63 * MIB), Zeros(63 * MIB), END)
        ),
        1,
        skipped=(_larger(f"{INFO}/RECORD", 32 * MIB),),
    ),
    Case(
        "a direct URL 100,000 deep",
        saved(distribution(direct_url__json=DEEP)),
        1,
        skipped=(_larger(f"{INFO}/direct_url.json", 65536),),
    ),
    Case(
        "a direct URL 30,000 deep",
        saved(
            distribution(
                direct_url__json=b'{"url": "https://e.org", "dir_info": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"
            )
        ),
        1,
        skipped=((f"/{INFO}", "direct_url.json: not JSON in UTF-8; as pip does, envsync passes over it"),),
    ),
    Case(
        "a direct URL of what looks like names of secrets",
        saved(distribution(direct_url__json=b'{"url": "https://e.org/' + b"a-" * 30_000 + b'", "dir_info": {}}')),
        0,
    ),
    Case(
        "a million entry points",
        saved(distribution(entry_points__txt=b"[g]\n" + b"a=b\n" * 1_000_000)),
        1,
        skipped=(_larger(f"{INFO}/entry_points.txt", MIB),),
    ),
    Case(
        "a quarter of a million entry points",
        saved(
            distribution(entry_points__txt=b"[g\x1b\x9b]\n" + "\u202e=b\n".encode() * 80_000 + b"a=b\n" * 9_000),
            distribution("b", entry_points__txt=b"[g]\n" + b"a=b\n" * 260_000),
        ),
        1,
        skipped=((f"/{SITE}/b-1.0.dist-info", _TOO_MANY_FACTS),),
    ),
    Case(
        "a million tags",
        saved(distribution(WHEEL=b"Tag: a\n" * 500_000)),
        1,
        skipped=(_larger(f"{INFO}/WHEEL", 65536),),
    ),
    Case(
        "hundreds of thousands of requirements",
        saved(*(distribution(name, metadata=b"Requires-Dist: a\n" * 90_000) for name in ("a", "b"))),
        1,
        skipped=((f"/{SITE}/b-1.0.dist-info", _TOO_MANY_FACTS),),
        found=("a==1.0", "b==1.0"),
    ),
    Case(
        "requirements of a million clauses, and of one more than is taken",
        saved(
            distribution(
                metadata=b"Requires-Dist: d" + b"<1," * 1_000_000 + b"<1\nRequires-Dist: d" + b"<1," * 64 + b"<1\n"
            ),
            distribution("d"),
        ),
        1,
        skipped=((f"/{INFO}", _FAR),),
    ),
    Case(
        "requirements that nest too deep, or have numbers of thousands of digits",
        saved(
            distribution(
                metadata=b"Requires-Dist: d; "
                + b"(" * 4_000
                + b"python_version>'3'"
                + b")" * 4_000
                + b"\nRequires-Dist: d>="
                + b"9" * 5_000
                + b"\nRequires-Dist: d; python_version>'"
                + b"9" * 5_000
                + b"'\n"
            ),
            distribution("d"),
        ),
        0,
        found=("d==1.0", "six==1.0"),
    ),
    Case(
        "a million headers that nobody wants",
        saved(distribution(metadata=b"a:\n" * 1_000_000 + "Author: \U0001f600\n".encode())),
        0,
    ),
    Case(
        "a header of blanks",
        saved(distribution(metadata=b"Requires-Dist: d" + b" " * 2_000_000 + b"x\n" + b" \n" * 400_000)),
        0,
    ),
    Case(
        "an egg compressed with LZMA",
        saved(EGG_PATH, file(EGG, _damaged_lzma())),
        1,
        skipped=((f"/{EGG}", "EGG-INFO/PKG-INFO: compressed in a way that no egg is"),),
    ),
    Case(
        "an egg that is a bomb",
        saved(EGG_PATH, file(EGG, _egg(bytes(100 * MIB)))),
        1,
        skipped=((f"/{EGG}", "EGG-INFO/PKG-INFO: larger than 4194304 bytes"),),
    ),
    Case(
        "an egg of a million files",
        lambda out: save(out, gzipped(SYSTEM + EGG_PATH, file(EGG, _million_members()), END)),
        1,
        skipped=((f"/{EGG}", "more than 50000 files in a zipped egg"),),
    ),
    Case(
        "an egg link that is not UTF-8",
        saved(
            file(f"{SITE}/six.egg-link", f"/{SITE}\n".encode() + b"\xff\x1b\n"),
            file(f"{SITE}/six.egg-info/PKG-INFO", b"Name: six\nVersion: 1\n"),
        ),
        1,
        skipped=((f"/{SITE}/six.egg-link", "names no folder"),),
    ),
    Case(
        "thousands of egg links",
        lambda out: save(
            out,
            gzipped(
                SYSTEM,
                b"".join(file(f"{SITE}/d{n}.egg-link", b".\n") + distribution(f"d{n}") for n in range(4_000)),
                END,
            ),
        ),
        0,
    ),
    Case(
        "tens of thousands of distributions",
        lambda out: save(out, gzipped(SYSTEM + FOLDERS_PATH, b"".join(map(_spread, range(20_500))), END)),
        1,
        skipped=(("sys.path", "500 more of them than any honest image has: they are left out"),),
    ),
    Case(
        "tens of thousands of damaged distributions",
        lambda out: save(
            out, gzipped(SYSTEM, b"".join(file(f"{SITE}/x{n}.dist-info/METADATA", b"a") for n in range(3_000)), END)
        ),
        1,
        said=("not understood (1001)", "... and 989 more, in snapshot.json"),
        skipped=(("/", "2000 more that were not understood"), (f"/{SITE}/x0.dist-info", "no Version in its metadata")),
        more=True,
    ),
)

# --- the system --------------------------------------------------------------------------------------

STATUS = "var/lib/dpkg/status"
WIDE = "Description: \U0001f600\n\n".encode()
_STANZAS = b"".join(b"Package: a%d\nVersion: 1\nArchitecture: b\n\n" % n for n in range(250_000))
_HOLLOW = struct.pack(">II", 10, 12 * MIB)
_HOLLOW += b"".join(
    struct.pack(">IIiI", tag, 8, 0, 0xFFFFF) for tag in (1000, 1001, 1002, 1022, 1044, 1117, 1118, 1, 2, 3)
)
_HOLLOW += bytes(12 * MIB)


def _rpmdb(headers: list[bytes]) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(header,) for header in headers])
    connection.commit()
    with tempfile.TemporaryDirectory() as folder:
        connection.execute("VACUUM INTO ?", (f"{folder}/a",))
        connection.close()
        return Path(folder, "a").read_bytes()


SYSTEMS = (
    Case(
        "a package database of 500 MB",
        lambda out: save(out, gzipped(SYSTEM + header(STATUS, size=500 * MIB), Zeros(500 * MIB), END)),
        1,
        skipped=(_larger(STATUS, 64 * MIB),),
    ),
    Case(
        "a package database of 63 MB, with hundreds of thousands of packages",
        lambda out: save(out, gzipped(SYSTEM, file(STATUS, WIDE + (_STANZAS * 7)[: 63 * MIB]), END)),
        1,
        skipped=(
            ("/var/lib", "more than 100000 packages: the others are left out"),
            (f"/{STATUS}", "a damaged stanza: no usable Package"),
            (f"/{STATUS}", "more than 200000 stanzas: the others are not read"),
        ),
    ),
    Case(
        "a package database of millions of nothings",
        lambda out: save(out, gzipped(SYSTEM, file("lib/apk/db/installed", WIDE + b"a:b\n\n" * (12 * MIB)), END)),
        1,
        skipped=(
            ("/lib/apk/db/installed", "a damaged record: no usable P:, V:, A: or o:"),
            ("/lib/apk/db/installed", "more than 200000 stanzas: the others are not read"),
        ),
        more=True,
    ),
    Case(
        "a package with a name of 60 MB",
        lambda out: save(
            out,
            gzipped(SYSTEM, file(STATUS, b"Package: " + b"a" * (60 * MIB) + b"\nVersion: 1\nArchitecture: x\n"), END),
        ),
        1,
        skipped=((f"/{STATUS}", "a damaged stanza: no usable Package"),),
    ),
    Case(
        "an rpm store of 36 MB in three headers, each of millions of nothings, and a list of files like it",
        lambda out: save(
            out,
            gzipped(
                SYSTEM,
                file("var/lib/dpkg/info/a.list", b"ab\n" * (20 * MIB)),
                file("var/lib/rpm/rpmdb.sqlite", _rpmdb([_HOLLOW] * 3)),
                END,
            ),
        ),
        1,
        skipped=(("/var/lib/rpm/rpmdb.sqlite", "a header without a usable name, version or architecture"),),
    ),
    Case(
        "an rpm store of 63 MB that is none",
        lambda out: save(out, gzipped(SYSTEM + header("var/lib/rpm/Packages", size=63 * MIB), Zeros(63 * MIB), END)),
        1,
        skipped=(("/var/lib/rpm/Packages", "an rpm store of an unknown kind"),),
    ),
    Case(
        "an os-release and a venv that control a terminal",
        lambda out: save(
            out,
            plain(
                file("usr/bin/python3.11", b"\x7fELF", mode=0o755),
                file("usr/lib/python3.11/os.py"),
                file("etc/os-release", 'PRETTY_NAME="\x1b[2J\x9b\u202e"\n'.encode()),
                file("usr/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.\x1b[2J\x9b\u202e\n".encode()),
                END,
            ),
        ),
        1,
        said=(r"  \x1b[2J\x9b\u202e; no database of packages in it that is known",),
        skipped=(("/usr/bin/python3.11", "its exact version is not in its files"),),
    ),
    Case(
        "a thousand C libraries of 63 MB",
        lambda out: save(
            out,
            gzipped(
                SYSTEM + header("z", size=63 * MIB),
                Zeros(63 * MIB),
                b"".join(hardlink(f"lib/x86_64-linux-gnu{n}/libc.so.6", "z") for n in range(1000)) + END,
            ),
        ),
        0,
    ),
)

# --- interpreters ------------------------------------------------------------------------------------

_VERSIONS = b"".join(b"\0%d.%d.1\0" % (major, minor) for major in (2, 3) for minor in range(100))
_FOLDERS = b"".join(b"\0/a%d" % n for n in range(500)) + b"\0"
_SHIM = (b'PYENV_ROOT="/p"\n' * 4_000)[:64_000]


def _shims(out: Path) -> None:
    layer = whole(b"".join(file(f"s{n}/shims/python", _SHIM, mode=0o755) for n in range(20)))
    save(out, layer, config=config_of(layer, config={"Env": ["PATH=" + ":".join(f"/s{n}/shims" for n in range(20))]}))


def _shared_path(out: Path) -> None:
    """Each of many interpreters finds the same distributions."""
    many = b"".join(python(f"a{n:03}") for n in range(300)) + b"".join(distribution(f"d{n}") for n in range(500))
    layer = gzipped(SYSTEM, many, END)
    save(out, layer, config=config_of(layer, config={"Env": [f"PYTHONPATH=/{SITE}"]}))


def _long_path(out: Path) -> None:
    layer = whole()
    path = ":".join(f"/{n}" for n in range(20_000))
    save(
        out,
        layer,
        config=config_of(layer, config={"Env": [f"PYTHONPATH={path}", f"PATH={path}", "HOME=" + "/a" * 60_000]}),
    )


INTERPRETERS = (
    Case(
        "tens of thousands of names of an interpreter",
        lambda out: save(
            out,
            gzipped(SYSTEM, b"".join(symlink(f"a/{n}/bin/python3", "/usr/bin/python3.11") for n in range(20_000)), END),
        ),
        1,
        said=("Python 3.11.7 at /usr/bin/python3.11",),
        skipped=(("/", "15001 more names of interpreters than any honest image has: not looked at"),),
    ),
    Case(
        "hundreds of interpreters that share a path",
        _shared_path,
        1,
        said=("Python 3.11.7 at /usr/bin/python3.11", "500 distributions"),
        skipped=(
            ("/", "301 interpreters, more than any honest image has: 100 are described"),
            ("sys.path", "500 more of them than any honest image has: they are left out"),
        ),
    ),
    Case(
        "programs that may be of any version and of hundreds of prefixes",
        lambda out: save(
            out,
            gzipped(
                SYSTEM,
                b"".join(file(f"a{n}/lib/x") for n in range(500)),
                b"".join(file(f"p{n}/python", b"\x7fELF\0" + _VERSIONS + _FOLDERS, mode=0o755) for n in range(100)),
                END,
            ),
        ),
        1,
        skipped=(("/p0/python", "its standard library was not found (looked for lib/python3.99/os.py above it)"),),
        more=True,
    ),
    Case(
        "shims of pyenv that lead nowhere",
        _shims,
        1,
        skipped=(("/s0/shims/python", "a script that PATH finds first"),),
        more=True,
    ),
    Case(
        "variables with tens of thousands of folders",
        _long_path,
        1,
        skipped=(("sys.path", "more than 1000 entries: the others are left out"),),
    ),
    Case(
        "virtual environments in a circle, and one with a home 30,000 deep",
        saved(
            symlink("v/bin/python3.11", "/w/bin/python3.11") + file("v/pyvenv.cfg", b"home = /w/bin\n"),
            symlink("w/bin/python3.11", "/v/bin/python3.11") + file("w/pyvenv.cfg", b"home = /v/bin\n"),
            symlink("x/bin/python3.11", "/usr/bin/python3.11")
            + file("x/pyvenv.cfg", b"home = " + b"/a" * 7_000 + b"\n"),
            file("y/bin/python3.11", PROGRAM, mode=0o755) + file("y/pyvenv.cfg", b"home = /y/bin\n"),
        ),
        1,
        skipped=(
            ("/v/bin/python3.11", "a link that leads nowhere"),
            ("/w/bin/python3.11", "a link that leads nowhere"),
            ("/y/bin/python3.11", "its standard library was not found (looked for lib/python3.11/os.py above it)"),
        ),
    ),
    Case(
        "path configuration files in a circle",
        saved(
            distribution(),
            symlink(f"{SITE}/self", "."),
            file(f"{SITE}/a.pth", f"/{SITE}\n.\n../site-packages\nself\nself/self/self\n".encode()),
            file(f"{SITE}/b.pth", b"".join(b"self/" * n + b"\n" for n in range(50))),
        ),
        0,
        found=("six==1.0",),
    ),
    Case(
        "a path configuration file of half a million lines",
        saved(file(f"{SITE}/a.pth", b"a\n" * 500_000)),
        1,
        skipped=(_larger(f"{SITE}/a.pth", 256 * 1024),),
    ),
    Case(
        "path configuration files of a million lines together",
        saved(*(file(f"{SITE}/{n}.pth", b"a\n" * 120_000) for n in range(9))),
        1,
        skipped=((f"/{SITE}/0.pth", "path configuration files with more lines than any honest ones"),),
    ),
    Case(
        "code in path configuration files",
        saved(
            file(f"{SITE}/a.pth", b"import sys; exec('" + b"coverage " * 44 + b") " * 100_000),
            file(f"{SITE}/b.pth", b"import os; \x1b[2J\n" * 5_000),
        ),
        1,
        skipped=(
            (f"/{SITE}/a.pth", _CODE + "import sys; exec('coverage"),
            (f"/{SITE}/b.pth", _CODE + "import os; \x1b[2J"),
        ),
    ),
)

CASES = (*DISTRIBUTIONS, *SYSTEMS, *INTERPRETERS)
