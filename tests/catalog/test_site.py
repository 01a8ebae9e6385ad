"""The parsers behind ``sys.path``, and rules that no interpreter of this machine has."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.getpath import Layout
from envsync.catalog.passwd import find_home, home_folder
from envsync.catalog.pth import CodeLine, PathLine, parse_pth
from envsync.catalog.pyvenv import PyvenvConfig, parse_pyvenv
from envsync.catalog.site import SiteRules, parse_site, sys_path
from envsync.files import READ_LIMIT, FileInfo, FileReadError
from envsync.model import Skipped
from tests.catalog.trees import root_tree, write

PASSWD = "root:x:0:0:root:/root:/bin/bash\nbroken\n007:x:3:3::/three:\napp:x:1000:1000::/home/app:/bin/sh\n"

HARMLESS = [
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    "enabled and __import__('_distutils_hack').add_shim(); ",
    "import __editable___demo_1_0_finder; __editable___demo_1_0_finder.install()",
    "import _virtualenv",
    "import _editable_impl_demo",
    "import _demo_editable",
    "import sys; exec('try: import coverage; coverage.process_startup()\\nexcept ImportError: pass')",
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join("
    "sys._getframe(1).f_locals['sitedir'], *('google',));importlib = has_mfs and __import__('importlib.util');",
]
UNKNOWN = [
    "import demo",
    "import sys; sys.path.insert(0, '/x')",
    "import _virtualenv; import demo",
    "import sys, types, os; sys.path.append(sys._getframe(1).f_locals['sitedir'])",
    "import __editable___a_finder; __editable___b_finder.install()",
    "import\tdemo",
]


def test_home_folders(tmp_path: Path) -> None:
    write(tmp_path, "etc/passwd", PASSWD)
    tree = root_tree(tmp_path)
    homes = {user: home_folder(tree, env={}, user=user) for user in ("", "app", "1000", "1000:50", "3", "9", "no:x")}
    assert {user: str(home) for user, home in homes.items()} == {
        "": "/root",
        "app": "/home/app",
        "1000": "/home/app",
        "1000:50": "/home/app",
        "3": "/three",
        "9": "/",
        "no:x": "/",
    }
    assert home_folder(tree, env={"HOME": "/elsewhere"}, user="app") == PurePosixPath("/elsewhere")


def test_home_folder_without_passwd(tmp_path: Path) -> None:
    assert home_folder(root_tree(tmp_path), env={}, user="1000") == PurePosixPath("/")


def test_pyvenv() -> None:
    text = "home = /usr/bin\nInclude-System-Site-Packages = TRUE\nversion_info = 3.7.16.final.0\nnoise\nhome = /no\n"
    assert parse_pyvenv(text) == PyvenvConfig(home="/usr/bin", system_site_packages=True, version="3.7.16")
    assert parse_pyvenv("include-system-site-packages = false\nversion = 3.11.7\n") == PyvenvConfig(
        home=None, system_site_packages=False, version="3.11.7"
    )
    assert parse_pyvenv("version = 3.13.0rc2").version == "3.13.0rc2"
    assert parse_pyvenv("version = 3.11.\x1b[2J").version is None
    assert parse_pyvenv("version = 3").version == "3"
    assert parse_pyvenv("home = " + "/a" * 3000).home is None
    assert parse_pyvenv("") == PyvenvConfig(home=None, system_site_packages=True, version=None)


@pytest.mark.parametrize("line", HARMLESS)
def test_code_of_known_makers_changes_nothing(line: str) -> None:
    assert parse_pth(line.encode(), utf8=True) == (CodeLine(code=line.strip(), effect="none"),)


@pytest.mark.parametrize("line", UNKNOWN)
def test_other_code_may_change_anything(line: str) -> None:
    assert parse_pth(line.encode(), utf8=True) == (CodeLine(code=line, effect="unknown"),)


def test_byte_order_marks_and_line_ends() -> None:
    data = b"\xef\xbb\xbfone\r\ntwo\x0cthree\n"
    assert parse_pth(data, utf8=True) == (PathLine(path="one"), PathLine(path="two"), PathLine(path="three"))
    assert parse_pth(data, utf8=False) == (PathLine(path="\ufeffone"), PathLine(path="two\x0cthree"))
    assert parse_pth(b"\xff\n", utf8=True) is None
    assert parse_pth(b"", utf8=False) == ()


def layout(series: tuple[int, int], prefix: str = "/usr", libdir: str = "lib") -> Layout:
    path = PurePosixPath(prefix)
    return Layout(
        executable=path / "bin/python",
        series=series,
        prefix=path,
        base_prefix=path,
        base_exec_prefix=path,
        libdir=libdir,
        home=path / "bin",
        extra=("plat-linux2", "lib-tk") if series < (3, 0) else (),
    )


def paths(root: Path, one: Layout, **env: str) -> list[str]:
    found, skipped = sys_path(root_tree(root), one, env=env, home=PurePosixPath("/root"))
    assert skipped == ()
    return [str(entry) for entry in found]


def test_debian_python_2(tmp_path: Path) -> None:
    text = (
        'sitepackages.append(os.path.join(prefix, "lib", "python" + sys.version[:3], "dist-packages"))\n'
        'sitepackages.append(os.path.join(prefix, "lib", "dist-python"))\n'
        'for dist_libdir in ("local/lib", "lib"):\n'
    )
    write(tmp_path, "usr/lib/python2.7/site.py", text)
    made = [
        "root/.local/lib/python2.7/dist-packages",
        "usr/local/lib/python2.7/dist-packages",
        "usr/lib/python2.7/dist-packages",
        "usr/lib/dist-python",
    ]
    for folder in (*made, "usr/lib/python2.7/site-packages"):
        (tmp_path / folder).mkdir(parents=True)
    assert paths(tmp_path, layout((2, 7))) == [
        "/usr/lib/python27.zip",
        *(f"/usr/lib/python2.7{tail}" for tail in ("", "/plat-linux2", "/lib-tk", "/lib-dynload")),
        *(f"/{folder}" for folder in made),
    ]


def test_fedora(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib64/python3.11/site.py", 'PREFIXES.insert(0, "/usr/local")\n')
    made = [f"usr/{part}/python3.11/site-packages" for part in ("local/lib64", "local/lib", "lib64", "lib")]
    for folder in made:
        (tmp_path / folder).mkdir(parents=True)
    one = layout((3, 11), libdir="lib64")
    assert paths(tmp_path, one)[:2] == ["/usr/lib64/python311.zip", "/usr/lib64/python3.11"]
    assert paths(tmp_path, one)[3:] == [f"/{folder}" for folder in made]
    assert paths(tmp_path, one, RPM_BUILD_ROOT="/b")[3:] == [f"/{folder}" for folder in made[2:]]
    assert paths(tmp_path, one, PYTHONNOUSERSITE="1")[3:] == [f"/{folder}" for folder in made[2:]]


def test_what_depends_on_the_working_folder_is_told(tmp_path: Path) -> None:
    found, skipped = sys_path(root_tree(tmp_path), layout((3, 9)), env={"PYTHONPATH": "/a:"}, home=None)
    assert str(found[0]) == "/a"
    assert str(found[1]) == "/usr/lib/python39.zip"
    (one,) = skipped
    assert (one.subject, one.place, one.reason) == (
        ".",
        "PYTHONPATH",
        "relative to a working folder that is not known",
    )


def test_files_that_cannot_be_followed_are_told(tmp_path: Path) -> None:
    site = "usr/lib/python3.9/site-packages"
    write(tmp_path, f"{site}/latin.pth", b"caf\xe9\n")
    write(tmp_path, f"{site}/huge.pth", b"x" * (1024 * 1024 + 1))
    write(tmp_path, f"{site}/sitecustomize.py", "import sys\nsys.path.append('/x')\n")
    _, skipped = sys_path(root_tree(tmp_path), layout((3, 9)), env={}, home=None)
    assert {one.subject: one.reason for one in skipped} == {
        "huge.pth": f"/{site}/huge.pth: larger than 262144 bytes",
        "latin.pth": "not UTF-8: what Python makes of it depends on the locale",
        "sitecustomize": "changes sys.path at start-up; it was not executed",
    }


def test_more_entries_than_any_honest_path_has_are_left_out(tmp_path: Path) -> None:
    path = ":".join(f"/{number}" for number in range(1001))
    found, skipped = sys_path(root_tree(tmp_path), layout((3, 9)), env={"PYTHONPATH": path}, home=None)
    assert found == tuple(PurePosixPath(f"/{number}") for number in range(1000))
    reason = "more than 1000 entries: the others are left out"
    assert skipped == (Skipped(subject="sys.path", place="sys.path", reason=reason),)


def test_an_entry_that_is_no_path_is_told(tmp_path: Path) -> None:
    env = {"PYTHONPATH": "/a:/" + "b" * 5000}
    found, (one,) = sys_path(root_tree(tmp_path), layout((3, 9)), env=env, home=None)
    assert str(found[0]) == "/a"
    assert (one.place, one.reason) == ("PYTHONPATH", "no path: 5001 characters, or with a NUL in it")


def test_more_lines_than_any_honest_path_configuration_files_have_are_not_read(tmp_path: Path) -> None:
    site = "usr/lib/python3.9/site-packages"
    for name, text in {"a": "a\n", "b": "b\n" * 9_999, "c": "c\n", "d": "d\n"}.items():
        write(tmp_path, f"{site}/{name}.pth", text)
        write(tmp_path, f"{site}/{name}/x")
    found, (one,) = sys_path(root_tree(tmp_path), layout((3, 9)), env={}, home=None)
    assert [str(entry) for entry in found[-3:]] == [f"/{site}", f"/{site}/a", f"/{site}/b"]
    reason = "path configuration files with more lines than any honest ones: this and the rest are not read"
    assert one == Skipped(subject="c.pth", place=f"/{site}/c.pth", reason=reason)


def test_code_longer_than_any_known_maker_writes_may_change_anything() -> None:
    line = "import _virtualenv" + " " * 5000
    assert parse_pth(line.encode(), utf8=True) == (CodeLine(code="import _virtualenv", effect="unknown"),)


def test_rules_without_a_text() -> None:
    assert parse_site("", (3, 13)) == SiteRules(utf8=True, hidden=True)
    assert parse_site("", (3, 9)) == SiteRules()
    assert parse_site("", (2, 7)) == SiteRules(forgets=True)


@given(st.text(max_size=200), st.binary(max_size=200), st.sampled_from(["0", "1000", "app", "²", ""]))
def test_parsers_never_raise(text: str, data: bytes, user: str) -> None:
    parse_pyvenv(text)
    parse_site(text, (3, 11))
    find_home(text, user)
    find_home(f"a:b:{text}:c:d:e:f", user)
    for utf8 in (True, False):
        parse_pth(data, utf8=utf8)
        parse_pth(b"import sys" + data, utf8=utf8)


@given(st.lists(st.text(alphabet="ab./\0\n ", max_size=20), max_size=5))
def test_any_path_configuration_file_gives_absolute_folders_that_exist(lines: list[str]) -> None:
    tree = _Everything("\n".join(lines).encode())
    found, _ = sys_path(tree, layout((3, 12)), env={}, home=None)
    assert all(entry.is_absolute() and ".." not in entry.parts for entry in found)
    assert len(set(found)) == len(found)


class _Everything:
    """A tree in which every path is a folder but for one path configuration file."""

    _FILE = PurePosixPath("/usr/lib/python3.12/site-packages/x.pth")

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        kind: Literal["file", "directory"] = "file" if path == self._FILE else "directory"
        return FileInfo(path=path, kind=kind, size=0, mode=0o755)

    def readlink(self, path: PurePosixPath) -> PurePosixPath | None:
        return None

    def list(self, path: PurePosixPath) -> tuple[str, ...]:
        return ("x.pth",) if path == self._FILE.parent else ()

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        if path != self._FILE:
            raise FileReadError(f"{path}: a folder")
        return self._data
