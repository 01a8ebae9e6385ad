from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.elf import Elf
from envsync.files import READ_LIMIT, FileReadError, HostTree
from envsync.loader import Libraries, is_libc, parse_cache
from tests.test_elf import made

MACHINE = "x86_64"
ELF = Elf(bits=64, endianness="little", machine=MACHINE)


@pytest.mark.parametrize(
    ("soname", "answer"),
    [
        ("libc.so.6", True),
        ("libm.so.6", True),
        ("libpthread.so.0", True),
        ("libdl.so.2", True),
        ("libnsl.so.1", True),
        ("libnsl.so.2", False),
        ("libnss_files.so.2", True),
        ("ld-linux-x86-64.so.2", True),
        ("ld-linux-aarch64.so.1", True),
        ("ld-musl-x86_64.so.1", True),
        ("libc.musl-x86_64.so.1", True),
        ("libcrypt.so.1", False),
        ("libcrypto.so.3", False),
        ("libstdc++.so.6", False),
        ("libgcc_s.so.1", False),
        ("libpython3.9.so.1.0", False),
        ("libc.so.6.evil", False),
    ],
)
def test_what_belongs_to_the_c_library(soname: str, answer: bool) -> None:
    assert is_libc(soname) == answer


class Root:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, path: str, data: bytes | str = b"") -> None:
        place = self.folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data.encode() if isinstance(data, str) else data)

    def found(self, soname: str, *, elf: Elf = ELF, origin: str = "/usr/bin", first: tuple[str, ...] = ()) -> list[str]:
        libraries = Libraries(HostTree(str(self.folder)), MACHINE, first=first)
        return [str(path) for path in libraries.candidates(soname, elf, PurePosixPath(origin))]

    def has(self, soname: str, *versions: str) -> bool:
        return Libraries(HostTree(str(self.folder)), MACHINE).has(soname, versions)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def test_folders_count_in_the_order_of_the_loader(root: Root) -> None:
    for folder in ("opt/own", "opt/first", "opt/configured", "opt/included", "lib/x86_64-linux-gnu", "usr/lib", "srv"):
        root.put(f"{folder}/libx.so.1")
    root.put("/etc/ld.so.conf", "include ld.so.conf.d/*.conf  # included\n/opt/configured\nhwcap 1 nosegneg\n")
    root.put("/etc/ld.so.conf.d/a.conf", "/opt/included/\n")
    root.put("/etc/ld.so.conf.d/b.other", "/srv\n")
    root.put("/opt/bin/program")
    elf = Elf(bits=64, endianness="little", machine=MACHINE, rpath=("/srv",), runpath=("$ORIGIN/../own", "relative"))
    assert root.found("libx.so.1", elf=elf, origin="/opt/bin", first=("/opt/first", "not/absolute")) == [
        "/opt/own/libx.so.1",
        "/opt/first/libx.so.1",
        "/opt/included/libx.so.1",
        "/opt/configured/libx.so.1",
        "/lib/x86_64-linux-gnu/libx.so.1",
        "/usr/lib/libx.so.1",
    ]


def test_links_lead_to_one_file_and_folders_are_none(root: Root) -> None:
    root.put("/usr/lib/libx.so.1.2")
    (root.folder / "usr/lib/libx.so.1").symlink_to("libx.so.1.2")
    (root.folder / "lib").symlink_to("usr/lib")
    (root.folder / "usr/lib/liby.so.1").mkdir()
    assert root.found("libx.so.1") == ["/usr/lib/libx.so.1.2"]
    assert root.found("liby.so.1") == []


@pytest.mark.parametrize("soname", ["../lib/libx.so.1", "/usr/lib/libx.so.1", "", "-x", "a b", "x" * 300])
def test_what_is_no_name_of_a_library_leads_nowhere(root: Root, soname: str) -> None:
    root.put("/usr/lib/libx.so.1")
    assert root.found(soname) == []


def test_files_that_include_one_another_come_to_an_end(root: Root) -> None:
    root.put("/etc/ld.so.conf", "include /etc/ld.so.conf\n/opt/lib\n")
    root.put("/opt/lib/libx.so.1")
    assert root.found("libx.so.1") == ["/opt/lib/libx.so.1"]


class Counting(HostTree):
    reads = 0

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        self.reads += 1
        return super().read(path, limit=limit)


def test_files_that_include_one_another_are_read_once(root: Root) -> None:
    root.put("/etc/ld.so.conf", "include ld.so.conf.d/*.conf\n" * 20)
    for number in range(12):
        root.put(f"/etc/ld.so.conf.d/{number}.conf", f"include *.conf\n/opt/{number}\n")
    tree = Counting(str(root.folder))
    folders = {str(folder) for folder in Libraries(tree, MACHINE).folders}
    assert {f"/opt/{number}" for number in range(12)} <= folders
    assert tree.reads < 20


def test_a_library_counts_where_it_is_for_the_machine_and_has_the_versions(root: Root) -> None:
    root.put("/usr/lib/libme.so.1", made())
    root.put("/usr/lib/libother.so.1", made(machine=183))
    root.put("/usr/lib/libtext.so.1", "INPUT(libme.so.1)")
    assert root.has("libme.so.1")
    assert root.has("libme.so.1", "ME_2")
    assert not root.has("libme.so.1", "ME_3")
    assert not root.has("libme.so.1", "ME_1", "GLIBC_2.17")
    assert not any(map(root.has, ("libother.so.1", "libtext.so.1", "libnone.so.1")))


@pytest.mark.skipif(sys.platform != "linux", reason="of a loader of Linux")
def test_this_machine_has_what_its_programs_need() -> None:
    from envsync.build.python.from_image import this_machine
    from envsync.elf import parse_elf

    shell = Path(shutil.which("ls") or "").resolve()
    elf = parse_elf(shell.read_bytes())
    assert elf is not None
    here = Libraries(HostTree(), this_machine().cpu)
    assert all(here.has(soname, elf.version_needed.get(soname, ())) for soname in elf.needed)
    assert not here.has("libenvsyncnowhere.so.1", ())


class _Conf(HostTree):
    """Nothing but one file, which is found wherever one looks."""

    def __init__(self, data: bytes) -> None:
        super().__init__("/nonexistent")
        self._data = data

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        return ("a.conf", "b\0", "*")

    def read(self, path: PurePosixPath, *, limit: int = 0) -> bytes:
        if str(path).endswith("\0"):
            raise FileReadError("none")
        return self._data


@given(st.one_of(st.binary(), st.text(alphabet="include /*.[]!#\n\0x").map(str.encode)), st.text())
def test_no_configuration_is_a_problem(data: bytes, soname: str) -> None:
    libraries = Libraries(_Conf(data), MACHINE)
    assert list(libraries.candidates(soname, ELF, PurePosixPath("/"))) == []


# --- as the loader of this machine does it ----------------------------------------------------------------

needs_gcc = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("gcc") is None, reason="no gcc for Linux on this machine"
)


class Built:
    """Programs and libraries that gcc makes in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, path: str, *needed: str, rpath: str = "", runpath: str = "", soname: str = "") -> PurePosixPath:
        """A library, or the program ``main``."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        source = self.folder / "main.c"
        source.write_text("int main(void) { return 0; }\n")
        shared = () if place.name == "main" else ("-shared", f"-Wl,-soname,{soname or place.name}")
        tags = "--disable-new-dtags" if rpath else "--enable-new-dtags"
        folders = ("-Xlinker", "-rpath", "-Xlinker", rpath or runpath) if rpath or runpath else ()
        linked = [str(self.folder / one) for one in needed]
        command = (
            "gcc",
            *shared,
            str(source),
            "-o",
            str(place),
            "-Wl,--no-as-needed",
            f"-Wl,{tags}",
            *linked,
            *folders,
        )
        subprocess.run([*command, "-Wl,--allow-shlib-undefined"], check=True, timeout=60, capture_output=True)
        return PurePosixPath(place)

    def closure(self, path: PurePosixPath, *, first: str = "") -> dict[str, str | None]:
        libraries = Libraries(HostTree(), os.uname().machine, first=first.split(":"))
        root = libraries.open(path)
        assert root is not None
        return {name: str(one.real) if one else None for name, one in libraries.closure(root).items()}


def ldd(path: PurePosixPath, first: str = "") -> dict[str, str | None]:
    env = {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": first}
    done = subprocess.run(["ldd", path], capture_output=True, text=True, check=True, timeout=60, env=env)
    return parse_ldd(done.stdout)


def parse_ldd(text: str, real: Callable[[str], str] = os.path.realpath) -> dict[str, str | None]:
    """Paths by name; what the kernel itself gives is left out."""
    found: dict[str, str | None] = {}
    for name, path in re.findall(r"^\s+(\S+)(?: => (not found|\S+))?(?: \(0x[0-9a-f]+\))?$", text, re.MULTILINE):
        if not name.startswith("linux-vdso"):
            found[name.rpartition("/")[2]] = None if path == "not found" else real(path or name)
    return found


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path.resolve())


@needs_gcc
def test_rpath_is_inherited_and_runpath_is_not(built: Built) -> None:
    built.make("deep/libdeep.so")
    built.make("mid/libmid.so", "deep/libdeep.so")
    by_rpath = built.make("rpath/main", "mid/libmid.so", rpath="$ORIGIN/../mid:${ORIGIN}/../deep")
    by_runpath = built.make("runpath/main", "mid/libmid.so", runpath="$ORIGIN/../mid:$ORIGIN/../deep")
    found = built.closure(by_rpath)
    assert found["libdeep.so"] == str(built.folder / "deep/libdeep.so")
    assert found == ldd(by_rpath)
    found = built.closure(by_runpath)
    assert found["libmid.so"] == str(built.folder / "mid/libmid.so")
    assert found["libdeep.so"] is None
    assert found == ldd(by_runpath)


@needs_gcc
def test_what_has_a_runpath_looks_in_no_rpath_but_what_it_loads_does(built: Built) -> None:
    built.make("deep/libdeep.so")
    built.make("deep/liblow.so")
    built.make("mid/libmid.so", "deep/libdeep.so")
    built.make("top/libtop.so", "mid/libmid.so", "deep/liblow.so", runpath="$ORIGIN/../mid")
    main = built.make("main", "top/libtop.so", rpath="$ORIGIN/top:$ORIGIN/deep")
    found = built.closure(main)
    assert found == ldd(main)
    assert found["liblow.so"] is None
    assert found["libdeep.so"] == str(built.folder / "deep/libdeep.so")


@needs_gcc
def test_the_variable_counts_after_rpath_and_before_runpath(built: Built) -> None:
    for folder in ("one", "two"):
        built.make(f"{folder}/libx.so")
    for kind, folder in (("rpath", "one"), ("runpath", "two")):
        main = built.make(f"{kind}/main", "one/libx.so", **{kind: "$ORIGIN/../one"})
        first = f"relative::{built.folder}/two"
        found = built.closure(main, first=first)
        assert found == ldd(main, first)
        assert found["libx.so"] == str(built.folder / folder / "libx.so")


@needs_gcc
def test_what_is_for_another_machine_is_passed_over_and_what_is_no_library_is_an_end(built: Built) -> None:
    built.make("two/libx.so")
    built.make("two/liby.so")
    main = built.make("main", "two/libx.so", "two/liby.so", runpath="$ORIGIN/one:$ORIGIN/two")
    other = built.folder / "one"
    other.mkdir()
    (other / "libx.so").write_bytes(made(machine=183 if os.uname().machine == MACHINE else 62))
    found = built.closure(main)
    assert found == ldd(main)
    assert found["libx.so"] == str(built.folder / "two/libx.so")
    (other / "liby.so").write_text("INPUT(libx.so)\n")
    assert built.closure(main)["liby.so"] is None


@needs_gcc
def test_needs_that_go_round_and_names_that_a_file_gives_itself(built: Built) -> None:
    built.make("libb.so", soname="libnamed.so.1")
    built.make("liba.so", "libb.so")
    (built.folder / "libnamed.so.1").symlink_to("libb.so")
    built.make("libb.so", "liba.so", soname="libnamed.so.1", runpath="$ORIGIN")
    main = built.make("main", "liba.so", "libb.so", rpath="$ORIGIN")
    assert built.closure(main) == ldd(main)


def test_the_cache_of_this_machine() -> None:
    tool = shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if sys.platform != "linux" or tool is None:
        pytest.skip("no ldconfig on this machine")
    printed = subprocess.run([tool, "-p"], capture_output=True, text=True, check=True, timeout=60).stdout
    expected: dict[str, list[str]] = {}
    for name, path in re.findall(r"^\t(\S+) \((?!.*hwcap).*\) => (\S+)$", printed, re.MULTILINE):
        expected.setdefault(name, []).append(path)
    found = parse_cache(Path("/etc/ld.so.cache").read_bytes())
    assert {name: list(paths) for name, paths in found.items()} == expected


def a_cache(*entries: tuple[str, str, int], before: bytes = b"") -> bytes:
    """As ldconfig writes it; ``before``: the older format that some put in front."""
    strings, table = b"", b""
    start = 48 + 24 * len(entries)
    for name, path, hwcap in entries:
        at = start + len(strings)
        strings += f"{name}\0{path}\0".encode()
        table += struct.pack("<iIIIQ", 0x303, at, at + len(name) + 1, 0, hwcap)
    return before + b"glibc-ld.so.cache1.1" + struct.pack("<IIB19x", len(entries), len(strings), 2) + table + strings


def test_a_cache_counts_instead_of_the_folders_that_it_was_made_of(root: Root) -> None:
    root.put("/etc/ld.so.conf", "/opt/lib\n")
    for path in ("/opt/lib/libx.so.1", "/opt/lib/fast/libx.so.1", "/opt/lib/liby.so.1", "/lib/libz.so.1"):
        root.put(path, made())
    assert not root.has("libx.so.1")
    entries = [("libx.so.1", "/opt/lib/fast/libx.so.1", 1 << 62), ("libx.so.1", "/opt/lib/libx.so.1", 0)]
    root.put(
        "/etc/ld.so.cache", a_cache(*entries, ("libgone.so.1", "/opt/lib/libgone.so.1", 0), before=b"ld.so-1.7.0\0")
    )
    assert parse_cache(a_cache(*entries)) == {"libx.so.1": ("/opt/lib/libx.so.1",)}
    assert root.has("libx.so.1")
    assert root.has("libz.so.1")
    assert not root.has("liby.so.1")
    assert not root.has("libgone.so.1")


def test_a_cache_cannot_name_one_text_a_hundred_thousand_times() -> None:
    """Entries may share their texts, each from another letter on."""
    count, letters = 60_000, b"/" * 3_000 + b"\0"
    start = 48 + 24 * count
    entries = (struct.pack("<iIIIQ", 0, start + 2_900 + n % 100, start + n % 3_000, 0, 0) for n in range(count))
    data = b"glibc-ld.so.cache1.1" + struct.pack("<II", count, len(letters)) + bytes(20) + b"".join(entries) + letters
    assert parse_cache(data) == {}
    found = parse_cache(data.replace(b"/" * 100 + b"\0", b"a" * 100 + b"\0"))
    assert len(found) == 100
    assert max(len(path) for paths in found.values() for path in paths) <= 1024


def test_musl_has_folders_of_its_own_and_answers_for_glibc(root: Root) -> None:
    root.put("/lib/ld-musl-x86_64.so.1", made())
    root.put("/usr/local/lib/libx.so.1", made())
    root.put("/opt/lib/liby.so.1", made())
    assert root.has("libx.so.1")
    assert root.has("libm.so.6")
    assert not root.has("libc.so.6", "GLIBC_9")
    assert not root.has("liby.so.1")
    root.put("/etc/ld-musl-x86_64.path", "/opt/lib\n")
    assert root.has("liby.so.1")
    assert not root.has("libx.so.1")


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_no_cache_is_a_problem(data: bytes, count: int) -> None:
    parse_cache(data)
    for paths in parse_cache(b"glibc-ld.so.cache1.1" + struct.pack("<II", count, 0) + data).values():
        assert all(path.startswith("/") for path in paths)
