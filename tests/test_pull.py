from __future__ import annotations

from pathlib import Path

import pytest

from envsync.pull import root_path
from envsync.reference import parse_reference
from tests.factory import snapshot, source


@pytest.mark.parametrize(
    ("reference", "named", "path"),
    [
        ("digdag/digdag-python:3.7", "digdag/digdag-python:3.7", "digdag/digdag-python/3.7"),
        ("docker:acme/app", "acme/app:latest", "acme/app/latest"),
        ("docker-archive:some/Image File.tar", "acme/app:1", "acme/app/1"),
        ("docker-archive:some/Image File.tar", "docker-archive:Image File.tar", "local/image-file/latest"),
        ("oci:layout.d", "oci:layout.d", "local/layout/latest"),
        ("oci:layout:old", "oci:layout:old", "local/layout/old"),
        ("oci:layout:../up", "oci:layout:../up", "local/layout/up"),
        ("oci:---", "oci:---", "local/image/latest"),
    ],
)
def test_where_the_lock_of_an_image_goes(reference: str, named: str, path: str) -> None:
    found = root_path(Path("locks"), parse_reference(reference), snapshot(source=source(named)))
    assert found == Path("locks") / path
