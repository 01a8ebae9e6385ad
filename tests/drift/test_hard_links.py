from __future__ import annotations

from pathlib import Path

import pytest

from envsync.drift.hard_links import HardLinks


def write(path: Path, data: bytes = b"data\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def linked(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.hardlink_to(source)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with one package, of which one file is a copy and one only has the same name."""
    package, prefix = tmp_path / "pkgs/six-1-0", tmp_path / "env"
    linked(write(package / "lib/a.so"), prefix / "lib/a.so")
    linked(write(package / "README"), prefix / "README")
    write(package / "lib/copied.so")
    write(prefix / "lib/copied.so")
    write(package / "lib/other.so")
    linked(write(tmp_path / "elsewhere"), prefix / "lib/other.so")
    return prefix


def test_only_the_same_file_counts(prefix: Path, tmp_path: Path) -> None:
    is_linked = HardLinks(str(prefix), [tmp_path / "pkgs"]).of_package(str(tmp_path / "pkgs/six-1-0"), noarch=False)
    asked = ("lib/a.so", "README", "lib/copied.so", "lib/other.so", "lib/none.so", "none/a.so", "lib")
    assert [path for path in asked if is_linked(path)] == ["lib/a.so", "README"]


def test_a_link_to_a_file_is_not_the_file(prefix: Path, tmp_path: Path) -> None:
    (prefix / "lib/a.so").unlink()
    (prefix / "lib/a.so").symlink_to(tmp_path / "pkgs/six-1-0/lib/a.so")
    assert not HardLinks(str(prefix), [tmp_path / "pkgs"]).of_package(str(tmp_path / "pkgs/six-1-0"), noarch=False)(
        "lib/a.so"
    )


def test_packages_for_any_python_are_laid_out_otherwise(tmp_path: Path) -> None:
    package, prefix = tmp_path / "pkgs/six-1-0", tmp_path / "env"
    site = "lib/python3.10/site-packages"
    linked(write(package / "site-packages/six.py"), prefix / site / "six.py")
    linked(write(package / "site-packages/six/a.py"), prefix / site / "six/a.py")
    linked(write(package / "python-scripts/six"), prefix / "bin/six")
    linked(write(package / "share/six"), prefix / "share/six")
    asked = (f"{site}/six.py", f"{site}/six/a.py", "bin/six", "share/six")
    links = HardLinks(str(prefix), [tmp_path / "pkgs"])
    assert [links.of_package(str(package), noarch=True)(path) for path in asked] == [True] * 4
    assert [links.of_package(str(package), noarch=False)(path) for path in asked] == [False] * 3 + [True]


@pytest.mark.parametrize("source", [None, "", "/", "pkgs/six-1-0", "{root}/pkgs", "{root}/none/six-1-0"])
def test_a_record_may_name_any_folder(prefix: Path, tmp_path: Path, source: str | None) -> None:
    """Only what is directly in a folder that the caller named counts."""
    source = source and source.format(root=tmp_path)
    assert not HardLinks(str(prefix), [tmp_path / "pkgs"]).of_package(source, noarch=False)("lib/a.so")


def test_nothing_is_taken_for_hashed_unless_said(prefix: Path, tmp_path: Path) -> None:
    assert not HardLinks(str(prefix), []).of_package(str(tmp_path / "pkgs/six-1-0"), noarch=False)("lib/a.so")


def test_a_package_that_is_gone(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "pkgs/six-1-0").rename(tmp_path / "moved")
    assert not HardLinks(str(prefix), [tmp_path / "pkgs"]).of_package(str(tmp_path / "pkgs/six-1-0"), noarch=False)(
        "lib/a.so"
    )
