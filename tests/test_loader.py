from __future__ import annotations

import shutil
import sys
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.elf import Elf
from envsync.files import FileReadError, HostTree
from envsync.loader import Libraries, is_libc
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


def test_a_library_counts_where_it_is_for_the_machine_and_has_the_versions(root: Root) -> None:
    root.put("/usr/lib/libme.so.1", made())
    root.put("/usr/lib/libother.so.1", made(machine=183))
    root.put("/usr/lib/libtext.so.1", "INPUT(libme.so.1)")
    assert root.has("libme.so.1")
    assert root.has("libme.so.1", "GLIBC_2.17")
    assert not root.has("libme.so.1", "GLIBC_2.1")
    assert not root.has("libme.so.1", "GLIBC_2.17", "ME_2")
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
