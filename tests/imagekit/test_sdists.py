"""Sdists come from the index, whole and unbuilt."""

from __future__ import annotations

import tarfile

import pytest

from tests.imagekit.machine import KitError
from tests.imagekit.sdists import fetch_sdists

pytestmark = pytest.mark.network


def test_a_folder_has_exactly_the_sdists_asked_for() -> None:
    folder = fetch_sdists(("retrying==1.3.3", "six==1.16.0"))
    assert {path.name for path in folder.iterdir()} == {"retrying-1.3.3.tar.gz", "six-1.16.0.tar.gz"}
    with tarfile.open(folder / "retrying-1.3.3.tar.gz") as archive:
        assert "retrying-1.3.3/setup.py" in archive.getnames()
    assert fetch_sdists(("six==1.16.0", "retrying==1.3.3")) == folder


def test_a_version_without_sdist_is_named() -> None:
    with pytest.raises(KitError, match=r"^six==0\.0\.77: the index has no sdist$"):
        fetch_sdists(("six==0.0.77",))
