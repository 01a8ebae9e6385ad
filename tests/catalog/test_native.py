"""What an environment needs of its system, in images of a few small files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from envsync.catalog.native import ask_host, closure, is_native
from envsync.catalog.needs import find_needs
from envsync.files import HostTree
from envsync.image.archive import open_archive
from envsync.image_tree import read_tree
from envsync.model import Distribution, Interpreter, NeededBy, NeededLibrary, Needs, OperatingSystem, Skipped
from envsync.reference import ArchiveFile
from envsync.rootfs import Rootfs
from tests.elves import elf
from tests.image.layers import Item, Link, MadeImage, docker_old, tar_layer, write_archive

LIB = "usr/lib/x86_64-linux-gnu"
SITE = "usr/local/lib/python3.9/site-packages"
SUFFIX = "cpython-39-x86_64-linux-gnu.so"
BASE: dict[str, Item] = {
    "usr/local/bin/python3.9": elf("libpython3.9.so.1.0", "libc.so.6", asks={"libc.so.6": ["GLIBC_2.34"]}),
    f"{LIB}/libpython3.9.so.1.0": elf("libm.so.6", "libc.so.6", soname="libpython3.9.so.1.0"),
    "usr/local/lib/python3.9/os.py": b"",
    "usr/local/lib/python3.9/lib-dynload/_ssl.x.so": elf("libssl.so.3", asks={"libssl.so.3": ["OPENSSL_3.0.0"]}),
    f"{LIB}/libc.so.6": elf(soname="libc.so.6", defines=["GLIBC_2.17", "GLIBC_2.34"]),
    f"{LIB}/libm.so.6": elf("libc.so.6", soname="libm.so.6", defines=["GLIBC_2.17"]),
    f"{LIB}/libssl.so.3.0": elf("libcrypto.so.3", soname="libssl.so.3", defines=["OPENSSL_3.0.0"]),
    f"{LIB}/libssl.so.3": Link("libssl.so.3.0"),
    "var/lib/dpkg/info/libssl3:amd64.list": f"/.\n/{LIB}/libssl.so.3\n/{LIB}/libssl.so.3.0\n".encode(),
}


def record(*paths: str) -> bytes:
    return "".join(f"{path},,\n" for path in paths).encode()


Read = Callable[..., Rootfs]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    images = []

    def read_files(files: dict[str, Item]) -> Rootfs:
        made = MadeImage(layers=[tar_layer({**BASE, **files})], compression="none")
        path = write_archive(tmp_path / "a.tar", docker_old((made, None), shared_links=False))
        images.append(open_archive(ArchiveFile(format="docker-archive", path=path), None))
        return read_tree(images[-1], None, None)

    yield read_files
    for image in images:
        image.close()


def python(*names: str, prefix: str = "/usr/local", path: tuple[str, ...] = ()) -> Interpreter:
    site = PurePosixPath("/", SITE)
    return Interpreter(
        version="3.9.1",
        executable=PurePosixPath("/usr/local/bin/python3.9"),
        prefix=PurePosixPath(prefix),
        sys_path=(*map(PurePosixPath, path), site.parent, site.parent / "lib-dynload", site),
        distributions=tuple(
            Distribution(name=name, version="1", location=site, metadata=site / f"{name}-1.dist-info") for name in names
        ),
    )


class Found:
    def __init__(self, tree: Rootfs, interpreter: Interpreter, **env: str) -> None:
        needs, self.skipped = find_needs(tree, interpreter, OperatingSystem(), env, "x86_64")
        self.objects, self.libraries = needs.objects, needs.libraries
        self.by_soname = {one.soname: one for one in self.libraries}
        assert list(self.by_soname) == sorted(self.by_soname)

    def needed_by(self, soname: str) -> dict[str, tuple[str, ...]]:
        return {by.name: by.versions for by in self.by_soname[soname].needed_by}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/a/x.so", True),
        ("/a/x.cpython-39-x86_64-linux-gnu.so", True),
        ("/a/libx.so.1.2", True),
        ("/usr/bin/python3.9", True),
        ("/usr/bin/python3.7m", True),
        ("/python3.9", False),
        ("/a/python3.9", False),
        ("/usr/bin/python3.9-config", False),
        ("/a.so/x", False),
        ("/a/x.sock", False),
        ("/a/x.so.1\n", False),
    ],
)
def test_what_may_be_a_library_by_its_name(path: str, answer: bool) -> None:
    assert is_native(path) == answer


def test_what_python_needs_itself(read: Read) -> None:
    found = Found(read({}), python())
    assert found.objects == 3
    assert [one.soname for one in found.libraries] == ["libc.so.6", "libm.so.6", "libssl.so.3"]
    assert found.needed_by("libc.so.6") == {"Python": ("GLIBC_2.34",)}
    file = PurePosixPath("/usr/local/lib/python3.9/lib-dynload/_ssl.x.so")
    assert found.by_soname["libssl.so.3"] == NeededLibrary(
        soname="libssl.so.3",
        path=PurePosixPath(f"/{LIB}/libssl.so.3.0"),
        package="libssl3",
        broken=("libcrypto.so.3",),
        needed_by=(NeededBy(name="Python", versions=("OPENSSL_3.0.0",), file=file),),
    )


def test_libraries_that_a_distribution_brings_are_its_own(read: Read) -> None:
    tree = read(
        {
            f"{SITE}/a-1.dist-info/RECORD": record(f"a/x.{SUFFIX}", "a.libs/libv-1.so.1", "../../libdata.so"),
            f"{SITE}/a/x.{SUFFIX}": elf("libv-1.so.1", "libdata.so", "libgomp.so.1", rpath="$ORIGIN/../a.libs"),
            f"{SITE}/a.libs/libv-1.so.1": elf("libw.so.1", "libc.so.6", asks={"libc.so.6": ["GLIBC_2.17", "GLIBC_9"]}),
            f"{SITE}/a.libs/libw.so.1": elf("libm.so.6", asks={"libm.so.6": ["GLIBC_2.17"]}),
            "usr/local/lib/libdata.so": elf("libssl.so.3"),
            "usr/lib/libdata.so": Link("../local/lib/libdata.so"),
        }
    )
    found = Found(tree, python("a"))
    assert found.needed_by("libm.so.6") == {"Python": (), "a": ("GLIBC_2.17",)}
    assert found.by_soname["libc.so.6"].lacking == ("GLIBC_9",)
    assert found.needed_by("libssl.so.3") == {"Python": ("OPENSSL_3.0.0",), "a": ()}
    assert found.by_soname["libgomp.so.1"].path is None
    assert not {"libv-1.so.1", "libw.so.1", "libdata.so"} & found.by_soname.keys()
    assert found.skipped == ()


def test_what_a_distribution_has_loaded_by_then_needs_no_loader(read: Read) -> None:
    files: dict[str, Item] = {f"{SITE}/a/x.{SUFFIX}": elf("libv.so.1", "libhid-1.so"), f"{SITE}/a/libhid-1.so": elf()}
    assert "libhid-1.so" not in Found(read(files), python("a")).by_soname
    files[f"{SITE}/b/inner/any.so"] = elf(soname="libv.so.1")
    assert "libv.so.1" not in Found(read(files), python("a")).by_soname


def test_files_that_nothing_lists_belong_to_whom_their_folder_is_named_after(read: Read) -> None:
    tree = read(
        {
            f"{SITE}/Some_Name.libs/libv.so": elf("libc.so.6"),
            f"{SITE}/_alone.abi3.so": elf("libc.so.6"),
            f"{SITE}/b-1.dist-info/top_level.txt": b"bee\n",
            f"{SITE}/bee/x.so": elf("libc.so.6"),
            f"{SITE}/../dist-packages/c/x.so": elf("libnever.so"),
        }
    )
    assert set(Found(tree, python("Some-Name", "b")).needed_by("libc.so.6")) == {"Some-Name", "_alone", "b", "Python"}


def test_the_variable_of_the_image_counts(read: Read) -> None:
    tree = read({f"{SITE}/a/x.so": elf("libjvm.so"), "opt/jre/libjvm.so": elf(soname="libjvm.so")})
    assert Found(tree, python()).by_soname["libjvm.so"].path is None
    found = Found(tree, python(), LD_LIBRARY_PATH="/nowhere:/opt/jre")
    assert found.by_soname["libjvm.so"].path == PurePosixPath("/opt/jre/libjvm.so")
    found = Found(tree, python(), LD_LIBRARY_PATH=f"/{SITE}/a")
    assert set(found.needed_by("libjvm.so")) == {"a"}


def test_what_is_beside_a_python_of_conda_is_the_environments(read: Read) -> None:
    tree = read(
        {
            "opt/conda/conda-meta/history": b"",
            "opt/conda/lib/libblas.so.3": elf("libgfortran.so.5", "libc.so.6", rpath="$ORIGIN"),
            "opt/conda/lib/libgfortran.so.5": elf("libm.so.6", asks={"libm.so.6": ["GLIBC_2.17"]}),
            f"{SITE}/a/x.so": elf("libblas.so.3", rpath="/opt/conda/lib"),
        }
    )
    found = Found(tree, python(prefix="/opt/conda"))
    assert "libblas.so.3" not in found.by_soname
    assert found.needed_by("libm.so.6") == {"Python": (), "a": ("GLIBC_2.17",)}
    assert Found(tree, python()).by_soname["libblas.so.3"].path == PurePosixPath("/opt/conda/lib/libblas.so.3")


def test_modules_that_cannot_be_loaded_are_skipped_with_the_reason(read: Read) -> None:
    tree = read(
        {
            f"{SITE}/a/x.{SUFFIX}": elf("libnever.so", machine=183),
            f"{SITE}/a/y.abi3.so": elf()[:200],
            f"{SITE}/a/attach_x86.so": elf(machine=3),
            f"{SITE}/a/script.so": b"INPUT(libx.so)",
        }
    )
    found = Found(tree, python())
    assert "libnever.so" not in found.by_soname
    assert found.skipped == (
        Skipped(
            subject="extension module",
            place=f"/{SITE}/a/x.{SUFFIX}",
            reason="for aarch64, not for the image's machine",
        ),
        Skipped(
            subject="extension module",
            place=f"/{SITE}/a/y.abi3.so",
            reason="no ELF file, or a damaged one",
        ),
    )


def test_a_folder_of_the_whole_system_is_none_of_the_environment(read: Read) -> None:
    tree = read({"usr/lib/other.so": elf("libnever.so"), f"{SITE}/a/x.so": elf("libc.so.6")})
    found = Found(tree, python(path=("/", "/usr", "/usr/lib")))
    assert "libnever.so" not in found.by_soname
    assert set(found.needed_by("libc.so.6")) == {"Python", "a"}


def test_more_than_any_honest_environment_needs(read: Read) -> None:
    many = {f"{SITE}/a/{n}.so": elf(*(f"lib{n}-{m}.so" for m in range(600)), soname=f"{n}.so") for n in range(5)}
    found = Found(read({**many, f"{SITE}/b/long.so": elf("l" * 400)}), python())
    assert len(found.libraries) <= 2000
    assert found.skipped == (
        Skipped(
            subject="shared libraries",
            place="/",
            reason="more that are needed than any honest environment does: the others are left out",
        ),
    )


def test_needs_that_go_round(read: Read) -> None:
    tree = read(
        {
            f"{SITE}/a/x.so": elf("liby.so", runpath="$ORIGIN"),
            f"{SITE}/a/liby.so": elf("x.so", "libc.so.6", soname="liby.so", runpath="$ORIGIN"),
        }
    )
    place = f"/{SITE}/a"
    expected = {"liby.so": f"{place}/liby.so", "x.so": f"{place}/x.so", "libc.so.6": f"/{LIB}/libc.so.6"}
    found = closure(tree, PurePosixPath(f"{place}/x.so"))
    assert {soname: str(path) for soname, path in found.items()} == expected
    assert closure(tree, PurePosixPath("/etc")) == {}
    assert "a" in Found(tree, python()).needed_by("libc.so.6")


@pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")
def test_files_of_the_local_environment_ask_for_themselves(tmp_path: Path) -> None:
    """Another build of Python needs other libraries; a file that has a RUNPATH finds more than others do."""
    site, dynload = "venv/lib/python3.9/site-packages", "py/lib/python3.9/lib-dynload"
    files = {
        f"{LIB}/libc.so.6": elf(defines=["GLIBC_2.17"]),
        "py/bin/python3.9": elf("libc.so.6", asks={"libc.so.6": ["GLIBC_2.17"]}),
        f"{dynload}/_bz2.{SUFFIX}": elf("libbz2.so.1.0"),
        f"{site}/a/x.{SUFFIX}": elf("libown.so.1", "libbz2.so.1.0", runpath="/opt/own"),
        "opt/own/libown.so.1": elf(),
        f"{site}/b.{SUFFIX}": elf("libc.so.6"),
    }
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)

    def by(name: str, file: str, *versions: str) -> NeededBy:
        return NeededBy(name=name, versions=versions, file=PurePosixPath("/", file))

    a, b = by("a", f"{SITE}/a/x.{SUFFIX}"), by("b", f"{SITE}/b.{SUFFIX}")
    gone = by("gone", f"{SITE}/gone.so")
    own = by("Python", "usr/local/lib/python3.9/lib-dynload/_ssl.so", "GLIBC_2.34")
    asked = {
        "libc.so.6": (own,),
        "libssl.so.3": (own,),
        "libown.so.1": (a,),
        "libbz2.so.1.0": (own, a, b, gone),
        "libb.so.1": (b,),
    }
    needs = Needs(objects=1, libraries=tuple(NeededLibrary(soname=name, needed_by=by) for name, by in asked.items()))
    path = tuple(map(PurePosixPath, ("/py/lib/python3.9", f"/{dynload}", f"/{site}")))
    tree, python = HostTree(str(tmp_path)), PurePosixPath("/py/bin/python3.9")
    found = ask_host(needs, python, tree, {}, "x86_64", sys_path=path)
    assert {one.soname: (one.path, one.lacking, [by.name for by in one.needed_by]) for one in found or ()} == {
        "libc.so.6": (PurePosixPath(f"/{LIB}/libc.so.6"), (), ["Python"]),
        "libown.so.1": (PurePosixPath("/opt/own/libown.so.1"), (), ["a"]),
        "libbz2.so.1.0": (None, (), ["Python", "a", "gone"]),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")
def test_the_same_asked_of_this_machine(tmp_path: Path) -> None:
    files = {
        f"{LIB}/libc.so.6": elf(defines=["GLIBC_2.17"]),
        f"{LIB}/libgomp.so.1": elf("libgone.so.1", "libc.so.6", defines=["GOMP_1.0"]),
        f"{LIB}/libother.so.1": elf(machine=183),
        "venv/bin/python": elf("libc.so.6", rpath="$ORIGIN/../lib"),
        "venv/lib/libown.so.1": elf(),
    }
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to("../../venv/bin/python")
    by = (NeededBy(name="a", versions=("GOMP_1.0", "GOMP_9")),)
    names = ["libc.so.6", "libgomp.so.1", "libnone.so.1", "libother.so.1", "libown.so.1"]
    asked = Needs(objects=1, libraries=tuple(NeededLibrary(soname=name, needed_by=by) for name in names))
    tree = HostTree(str(tmp_path))
    found = ask_host(asked, PurePosixPath("/env/bin/python"), tree, {}, "x86_64", sys_path=())
    assert found is not None
    told = {one.soname: (str(one.path) if one.path else None, one.lacking, one.broken) for one in found}
    assert told == {
        "libc.so.6": (f"/{LIB}/libc.so.6", ("GOMP_1.0", "GOMP_9"), ()),
        "libgomp.so.1": (f"/{LIB}/libgomp.so.1", ("GOMP_9",), ("libgone.so.1",)),
        "libnone.so.1": (None, (), ()),
        "libother.so.1": (None, (), ()),
        "libown.so.1": ("/venv/lib/libown.so.1", (), ()),
    }
    assert all(one.needed_by == by for one in found)


TOO_MUCH = Skipped(
    subject="shared libraries",
    place="/",
    reason="more that are needed than any honest environment does: the others are left out",
)


def test_names_without_end_are_not_looked_for_in_folders_without_end(read: Read) -> None:
    folders = ":".join(f"/opt/{number}" for number in range(50))
    files: dict[str, Item] = {f"{SITE}/demo/x.so": elf(*(f"l{name}.so" for name in range(1_900)), rpath=folders)}
    first = ":".join(f"/srv/{number}" for number in range(200))
    found = Found(read(files), python("demo"), LD_LIBRARY_PATH=first)
    assert found.skipped == (TOO_MUCH,)
    assert "libssl.so.3" in found.by_soname


def test_libraries_that_all_need_one_another_come_to_an_end(read: Read) -> None:
    names = [f"l{number}.so" for number in range(700)]
    files: dict[str, Item] = {f"{LIB}/{name}": elf(*names, soname=name) for name in names}
    files[f"{SITE}/demo/x.so"] = elf(*names)
    found = Found(read(files), python("demo"))
    assert found.skipped == (TOO_MUCH,)
    assert {one.broken for one in found.libraries} <= {(), ("libcrypto.so.3",)}
