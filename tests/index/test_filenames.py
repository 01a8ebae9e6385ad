"""File names of today and of long ago."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.index.filenames import comparable, is_distribution_file, projects_in, version_in


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("Jinja2-2.10.1-py2.py3-none-any.whl", "jinja2", "2.10.1"),
        ("numpy-1.16.4-1-cp37-cp37m-manylinux1_x86_64.whl", "numpy", "1.16.4"),
        ("ruamel.yaml-0.15.46.tar.gz", "ruamel-yaml", "0.15.46"),
        ("zope.interface-5.0.0.tar.gz", "zope-interface", "5.0.0"),
        ("zope-interface-5.0.0.tar.gz", "zope-interface", "5.0.0"),
        ("foo_bar-1.0.zip", "foo-bar", "1.0"),
        ("pytz-2019.03.01.tar.bz2", "pytz", "2019.03.01"),
        ("dateutils-0.6.6-rc1.tar.gz", "dateutils", "0.6.6-rc1"),
        ("torch-2.0.0+cu118-cp310-cp310-linux_x86_64.whl", "torch", "2.0.0+cu118"),
        ("other-1.0.tar.gz", "foo", None),
        ("foo-1.0-py2.7.egg", "foo", None),
        ("foo-1.0.win32-py2.7.exe", "foo", None),
        ("foo-1.0-any.whl", "foo", None),
        ("foo-.tar.gz", "foo", None),
        ("foo.tar.gz", "foo", None),
    ],
)
def test_versions_in_file_names(filename: str, project: str, version: str | None) -> None:
    assert version_in(filename, project) == version


@pytest.mark.parametrize(
    "filename",
    ["../foo-1.0.tar.gz", "-foo-1.0.tar.gz", ".foo-1.0.tar.gz", "foo-1.0\n.zip", "a/b-1.zip", "b%2F-1.zip", ""],
)
def test_names_that_no_folder_takes(filename: str) -> None:
    assert not is_distribution_file(filename)


def test_the_projects_that_a_file_may_be_of() -> None:
    assert projects_in("Foo_Bar-1.0-py3-none-any.whl") == ("foo-bar",)
    assert projects_in("foo-bar-1.0.tar.gz") == ("foo", "foo-bar")
    assert projects_in("README.txt") == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1.0.0"),
        ("1", "1.0"),
        ("2019.03.01", "2019.3.1"),
        ("1.0.post1", "1.post1"),
        ("1.0-1", "1.0.post1"),
        ("1.0.RC1", "1.0rc1"),
        ("2.0.0_cu118", "2.0+cu118"),
        ("0.0", "0"),
        ("2004d-final x", "2004D_final-x"),
    ],
)
def test_versions_that_are_one(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "1.0.1"), ("1.0", "1.0a1"), ("1.0+a", "1.0"), ("1!1.0", "1.0"), ("10", "1")]
)
def test_versions_that_are_two(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


@given(st.text(alphabet="aB1.-_+!", max_size=30), st.sampled_from([".tar.gz", ".whl", ".zip", ".egg"]))
def test_any_file_name(stem: str, extension: str) -> None:
    filename = stem + extension
    for project in projects_in(filename):
        version = version_in(filename, project)
        assert version is None or comparable(version) == comparable(version)
        assert version is None or version in filename
