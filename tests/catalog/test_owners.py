from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.owners import condense, find_owners
from envsync.files import HostTree
from envsync.image_tree import wanted
from tests.catalog.trees import write

DATA = Path(__file__).with_name("data")


def owner(root: Path, *paths: str) -> dict[str, str]:
    found = find_owners(HostTree(str(root)), [PurePosixPath(path) for path in paths])
    return {str(path): package for path, package in found.items()}


def test_dpkg_may_have_a_file_under_either_name_of_a_merged_folder(tmp_path: Path) -> None:
    for top in ("bin", "lib"):
        (tmp_path / "usr" / top).mkdir(parents=True)
        (tmp_path / top).symlink_to(f"usr/{top}")
    write(tmp_path, "var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib\n/lib/x86_64-linux-gnu/libc.so.6\n")
    write(tmp_path, "var/lib/dpkg/info/dash.list", "/.\n/usr/bin/dash\n")
    assert owner(tmp_path, "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/dash", "/usr/bin/sh") == {
        "/usr/lib/x86_64-linux-gnu/libc.so.6": "libc6",
        "/usr/bin/dash": "dash",
    }


def test_folders_that_are_not_merged_are_two(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "usr/lib").mkdir(parents=True)
    write(tmp_path, "var/lib/dpkg/info/a.list", "/lib/liba.so.1\n")
    assert owner(tmp_path, "/lib/liba.so.1", "/usr/lib/liba.so.1") == {"/lib/liba.so.1": "a"}


def test_of_a_diverted_path_the_diverting_package_has_the_name_and_the_other_the_file_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/dpkg/info/libpq-dev.list", "/usr/bin/pg_config\n/usr/bin/own\n")
    write(tmp_path, "var/lib/dpkg/info/postgresql-common.list", "/usr/bin/pg_config\n")
    diversions = "/usr/bin/pg_config\n/usr/bin/pg_config.libpq-dev\npostgresql-common\n/usr/bin/own\n/usr/bin/old\n:\n"
    write(tmp_path, "var/lib/dpkg/diversions", diversions)
    assert owner(tmp_path, "/usr/bin/pg_config", "/usr/bin/pg_config.libpq-dev", "/usr/bin/own", "/usr/bin/old") == {
        "/usr/bin/pg_config": "postgresql-common",
        "/usr/bin/pg_config.libpq-dev": "libpq-dev",
        "/usr/bin/old": "libpq-dev",
    }


def test_distroless_has_checksums_for_lists(tmp_path: Path) -> None:
    for file in (DATA / "distroless/status.d").iterdir():
        # Older images have the package's name in base64 here.
        name = file.name.replace("libuuid1", "bGlidXVpZDE=")
        write(tmp_path, f"var/lib/dpkg/status.d/{name}", file.read_bytes())
    assert owner(
        tmp_path,
        "/usr/lib/x86_64-linux-gnu/libuuid.so.1.3.0",
        "/lib/x86_64-linux-gnu/libgcc_s.so.1",
        "/usr/lib/x86_64-linux-gnu/libuuid.so.1",
    ) == {
        "/usr/lib/x86_64-linux-gnu/libuuid.so.1.3.0": "libuuid1",
        "/lib/x86_64-linux-gnu/libgcc_s.so.1": "libgcc-s1",
    }


@pytest.mark.parametrize("place", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_apk_names_folders_and_files_apart(tmp_path: Path, place: str) -> None:
    write(
        tmp_path,
        place,
        "P:musl\nV:1.2.5-r0\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nF:usr\nF:usr/lib\nR:x\n\n"
        "P:zlib\nV:1\nF:usr/lib\nR:libz.so.1.3\n\nP:top\nF:\nR:entrypoint\n",
    )
    paths = ("/lib/ld-musl-x86_64.so.1", "/usr/lib/libz.so.1.3", "/entrypoint", "/lib/libz.so.1.3")
    assert owner(tmp_path, *paths) == dict(zip(paths, ("musl", "zlib", "top"), strict=False))


def test_pacman_lists_files_without_the_first_slash(tmp_path: Path) -> None:
    for name in ("demo-tools-2.0rc1-3", "libdemo-1:2.0rc1-3"):
        write(tmp_path, f"var/lib/pacman/local/{name}/files", (DATA / "pacman" / name / "files").read_bytes())
    write(tmp_path, "var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
    assert owner(tmp_path, "/usr/bin/demo", "/usr/lib/libdemo.so.2.0") == {
        "/usr/bin/demo": "demo-tools",
        "/usr/lib/libdemo.so.2.0": "libdemo",
    }


def test_the_path_of_a_keg_names_its_formula(tmp_path: Path) -> None:
    paths = ("/opt/homebrew/Cellar/libomp/18.1.8/lib/libomp.dylib", "/opt/homebrew/lib/libomp.dylib")
    assert owner(tmp_path, *paths) == {paths[0]: "libomp"}


def test_dpkg_itself_says_the_same_of_this_machine() -> None:
    folder = Path("/usr/bin")
    programs = sorted({file.resolve() for file in folder.iterdir() if file.is_file()})
    asked = [str(file) for file in programs]
    asked += [path.removeprefix("/usr") for path in asked if path.startswith("/usr/")]
    try:
        done = subprocess.run(["dpkg-query", "-S", *asked], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no dpkg on this machine")
    told: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        packages, _, path = line.rpartition(": ")
        if not packages.startswith("diversion "):
            names = {package.partition(":")[0] for package in packages.split(", ")}
            told.setdefault(path if path.startswith("/usr") else f"/usr{path}", set()).update(names)
    diverted = {path for path in told if len(told[path]) > 1}  # it does not say whose file it is
    found = find_owners(HostTree(), [PurePosixPath(file) for file in programs])
    assert len(told) > 50
    for path in told.keys() - diverted:
        assert {found[PurePosixPath(path)]} == told[path]


def test_damaged_lists_own_nothing(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/dpkg/info/a\x1b[31m.list", "/usr/bin/a\n")
    write(tmp_path, "var/lib/dpkg/diversions", "/usr/bin/a\n/usr/bin/b")
    (tmp_path / "var/lib/dpkg/info/b.list").mkdir()
    write(tmp_path, "lib/apk/db/installed", "F:usr/bin\nR:a\n")
    assert owner(tmp_path, "/usr/bin/a", "/usr/bin/b") == {}


LINES = st.lists(st.sampled_from(["P:a", "F:usr/bin", "R:a", "F:", "/usr/bin/a", "/b", "a", ":", "", "x  usr/bin/a"]))


@given(LINES.map("\n".join).map(str.encode) | st.binary())
def test_any_bytes_give_names_or_nothing(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    root = tmp_path_factory.mktemp("root")
    places = (
        "dpkg/info/a.list",
        "dpkg/diversions",
        "dpkg/status.d/a",
        "dpkg/status.d/a.md5sums",
        "pacman/local/a/files",
    )
    for place in (*(f"var/lib/{place}" for place in places), "lib/apk/db/installed"):
        write(root, place, data)
    for package in owner(root, "/usr/bin/a", "/b").values():
        assert package.isascii()
        assert package.isprintable()


def test_of_lists_in_an_image_what_nobody_asks_for_is_not_kept() -> None:
    for place, first in (("/var/lib/dpkg/info/a:amd64.list", "/"), ("/var/lib/pacman/local/a-1-1/files", "")):
        assert wanted()(place)
        shorten = condense(place, 1)
        assert shorten is not None
        kept = (f"{first}usr/lib/libreoffice/program/soffice", f"{first}usr/share/zoneinfo/UTC")
        lines = (kept[0], f"{first}usr/share/doc/a/README", f"{first}usr/include/a.h", kept[1])
        assert shorten("\n".join(lines).encode()) == "\n".join(kept).encode()
    assert condense("/var/lib/dpkg/status", 1) is None
    assert not wanted()("/var/lib/dpkg/info/a.postinst")
