from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build.python.image_files import (
    ENTRIES,
    Plan,
    Taken,
    is_safe,
    may_be_elf,
    plan_files,
    python_files,
    with_places,
)
from envsync.build.python.source import NotProvidedError
from envsync.catalog.getpath import Layout
from envsync.elf import Elf
from envsync.files import FileInfo, HostTree
from envsync.loader import Libraries
from tests.build.python.folder_image import FolderTree

MACHINE = "x86_64"
EXECUTABLE = PurePosixPath("/py/bin/python3.9")
PREFIX = PurePosixPath("/py")


def _layout(**fields: object) -> Layout:
    values = {
        "executable": EXECUTABLE,
        "series": (3, 9),
        "prefix": PREFIX,
        "base_prefix": PREFIX,
        "base_exec_prefix": PREFIX,
        "libdir": "lib",
        "home": PREFIX / "bin",
        **fields,
    }
    return Layout(**values)  # type: ignore[arg-type]


class Image:
    """Files in a folder, and what they say as ELF files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.elves: dict[PurePosixPath, Elf] = {}
        self.put("/py/bin/python3.9")
        self.put("/py/lib/python3.9/os.py")
        self.elf("/py/bin/python3.9", "libc.so.6")

    @property
    def tree(self) -> FolderTree:
        return FolderTree(self.root)

    def put(self, path: str) -> None:
        place = self.root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x")

    def elf(self, path: str, *needed: str, **fields: object) -> None:
        self.put(path)
        values = {"bits": 64, "endianness": "little", "machine": MACHINE, "dynamic": True, "needed": needed, **fields}
        self.elves[PurePosixPath(path)] = Elf(**values)  # type: ignore[arg-type]

    def files(self, **fields: object) -> tuple[Taken, ...]:
        return python_files(self.tree, EXECUTABLE, _layout(**fields))

    def targets(self) -> list[str]:
        return sorted(str(file.target) for file in self.files())

    def plan(self) -> Plan:
        def read(paths: Sequence[PurePosixPath]) -> Mapping[PurePosixPath, Elf]:
            return {path: self.elves[path] for path in paths if path in self.elves}

        return plan_files(
            self.files(),
            self.tree,
            machine=MACHINE,
            image=Libraries(self.tree, MACHINE),
            here=Libraries(HostTree("/nonexistent"), MACHINE),
            read=read,
        )


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


def test_what_is_taken_and_what_is_left(image: Image) -> None:
    for path in (
        *("lib/python3.9/json/__init__.py", "lib/python3.9/lib-dynload/_heapq.so", "lib/python3.9/json/test/x.py"),
        *("include/python3.9/Python.h", "include/x86_64-linux-gnu/python3.9/pyconfig.h", "include/zlib.h"),
        # Left out:
        *("lib/python3.9/site-packages/six.py", "lib/python3.9/test/x.py", "lib/python3.9/__pycache__/os.pyc"),
        *("lib/python3.9/config-3.9/libpython3.9.a", "lib/other", "include/python3.8/Python.h"),
        *("lib/python3.9/idlelib/x.py", "lib/python3.9/dist-packages/x.py", "lib/python3.9/a\nb.py"),
    ):
        image.put(f"/py/{path}")
    assert image.targets() == [
        "bin/python3.9",
        "include/python3.9/Python.h",
        "include/x86_64-linux-gnu/python3.9/pyconfig.h",
        "lib/python3.9/json/__init__.py",
        "lib/python3.9/json/test/x.py",
        "lib/python3.9/lib-dynload/_heapq.so",
        "lib/python3.9/os.py",
    ]
    assert all(map(is_safe, image.files()))


def test_a_link_is_the_file_that_it_leads_to(image: Image) -> None:
    image.put("/etc/config.py")
    (image.root / "py/lib/python3.9/config.py").symlink_to(image.root / "etc/config.py")
    (found,) = (file for file in image.files() if file.target.name == "config.py")
    assert found.source == PurePosixPath("/etc/config.py")


def test_no_interpreter_at_its_place(image: Image) -> None:
    (image.root / "py/bin/python3.9").unlink()
    with pytest.raises(NotProvidedError, match=r"^/py/bin/python3\.9: not in the image \(expected the interpreter\)$"):
        image.files()


def test_folders_without_end(image: Image) -> None:
    (image.root / "py/lib/python3.9/again").symlink_to(image.root / "py/lib/python3.9", target_is_directory=True)
    with pytest.raises(NotProvidedError, match="more files than any honest interpreter has"):
        image.files()


class _Endless(HostTree):
    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        return tuple(map(str, range(ENTRIES + 2)))

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        return FileInfo(path=path, kind="file", size=1 << 30, mode=0o644)

    def search(self, pattern: str) -> tuple[PurePosixPath, ...]:
        return ()


def test_files_without_end() -> None:
    with pytest.raises(NotProvidedError, match="more files than any honest interpreter has"):
        python_files(_Endless(), EXECUTABLE, _layout())


def test_libraries_that_are_lacking_come_along_and_are_found(image: Image) -> None:
    image.elf("/py/lib/python3.9/lib-dynload/_x.cpython-39.so", "libx.so.1", "libc.so.6")
    image.elf("/py/lib/python3.9/lib-dynload/_y.so", "libgone.so.1", rpath=("/build",))
    image.elf("/py/lib/python3.9/lib-dynload/_z.so", "libc.so.6", version_needed={"libc.so.6": ("GLIBC_2.34",)})
    image.elf("/py/lib/python3.9/lib-dynload/_w.so", "libc.so.6", runpath=("/build",))
    for number, folder in enumerate(("/usr/lib/", "$ORIGIN/../..", "${ORIGIN}/../../../lib")):
        image.elf(f"/py/lib/python3.9/lib-dynload/_harmless{number}.so", "libc.so.6", rpath=(folder,))
    for number, folder in enumerate(("/usr/lib/x", "lib", "$ORIGIN/../../../../x", "$ORIGIN/$LIB", "$ORIGINAL/x", "")):
        image.elf(f"/py/lib/python3.9/lib-dynload/_odd{number}.so", "libc.so.6", runpath=("$ORIGIN", folder))
    image.elf("/usr/lib/libx.so.1", "libdeep.so.2", version_needed={"libc.so.6": ("GLIBC_2.4", "GLIBC_PRIVATE")})
    image.elf("/usr/lib/libdeep.so.2", "libx.so.1", machine="aarch64")
    image.elf("/opt/libdeep.so.2", "libx.so.1")
    (image.root / "etc").mkdir()
    (image.root / "etc/ld.so.conf").write_text("/usr/lib\n/opt\n")
    plan = image.plan()
    added = {str(file.source): str(file.target) for file in plan.files if str(file.target.parent) == "lib"}
    assert added == {"/usr/lib/libx.so.1": "lib/libx.so.1", "/opt/libdeep.so.2": "lib/libdeep.so.2"}
    assert {str(target): runpath for target, runpath in plan.runpaths.items()} == {
        "lib/python3.9/lib-dynload/_x.cpython-39.so": "$ORIGIN/../..",
        "lib/python3.9/lib-dynload/_y.so": "",
        "lib/python3.9/lib-dynload/_w.so": "",
        "lib/libx.so.1": "$ORIGIN",
        "lib/libdeep.so.2": "$ORIGIN",
        **{f"lib/python3.9/lib-dynload/_odd{number}.so": "" for number in range(6)},
    }
    assert plan.libraries == ("libdeep.so.2", "libx.so.1")
    assert [name for name in plan.modules if len(name) == 2] == ["_w", "_x", "_z"]
    assert plan.glibc == (2, 34)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda image: image.elves.clear(), "is no ELF program"),
        (lambda image: image.elf(str(EXECUTABLE), machine="aarch64"), "is for aarch64"),
    ],
)
def test_what_is_no_program_of_the_machine(image: Image, change: Callable[[Image], None], reason: str) -> None:
    change(image)
    with pytest.raises(NotProvidedError, match=rf"^/py/bin/python3\.9: {reason} \(expected one for x86_64\)$"):
        image.plan()


def test_too_many_libraries(image: Image) -> None:
    names = [f"lib{number}.so" for number in range(300)]
    image.elf(str(EXECUTABLE), *names)
    for soname in names:
        image.elf(f"/usr/lib/{soname}")
    with pytest.raises(NotProvidedError, match="more than 200 that this machine lacks"):
        image.plan()


def test_a_chain_of_libraries_without_end(image: Image) -> None:
    image.elf(str(EXECUTABLE), "lib0.so")
    for number in range(100):
        image.elf(f"/usr/lib/lib{number}.so", f"lib{number + 1}.so")
    with pytest.raises(NotProvidedError, match="need one another without end"):
        image.plan()


def _taken(target: str, source: str = "/x") -> Taken:
    return Taken(source=PurePosixPath(source), target=PurePosixPath(target), executable=False, size=1)


@pytest.mark.parametrize("target", ["/etc/passwd", "../x", "lib/../../x", "lib/a\nb", "lib/\0", "a" * 256])
def test_no_place_outside_of_the_folder(target: str) -> None:
    assert not is_safe(_taken(target))


@given(st.text())
def test_a_safe_place_is_inside_of_the_folder(target: str) -> None:
    file = _taken(target)
    if is_safe(file):
        place = PurePosixPath("/cache", file.target)
        assert place.is_relative_to("/cache")
        assert ".." not in place.parts
        assert str(place).isprintable() or not any(ord(char) < 32 or ord(char) == 127 for char in str(place))


def test_one_file_may_be_needed_in_several_places() -> None:
    files = [_taken("lib/a.so", "/a"), _taken("lib/b.so", "/b"), _taken("lib/c.so", "/a")]
    found = with_places(files)
    assert {str(path): [str(file.target) for file in some] for path, some in found.items()} == {
        "/a": ["lib/a.so", "lib/c.so"],
        "/b": ["lib/b.so"],
    }


@pytest.mark.parametrize(
    ("target", "answer"),
    [("bin/python3.9", True), ("lib/x.so", True), ("lib/x.so.1.2", True), ("lib/os.py", False), ("lib/x.sot", False)],
)
def test_which_files_are_looked_into(target: str, answer: bool) -> None:
    assert may_be_elf(_taken(target)) == answer
