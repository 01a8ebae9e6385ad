"""METADATA made of PKG-INFO and requires.txt."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.metadata import Metadata

from envsync.catalog.metadata import parse_headers
from envsync.wheel.legacy import metadata_of
from tests.factory import distribution

SIX = distribution("six")


@pytest.mark.parametrize(
    ("pkg_info", "requires", "expected"),
    [
        (b"", b"", b"Metadata-Version: 1.0\nName: six\nVersion: 1.0\n"),
        (b"Metadata-Version: 1.0\nName: six\nVersion: 1.0\n", b"", b"Metadata-Version: 1.0\nName: six\nVersion: 1.0\n"),
        (
            b"Metadata-Version: 1.1\nName: six\nVersion: 1.0\n\nText\n",
            b"a\n",
            b"Metadata-Version: 1.2\nRequires-Dist: a\nName: six\nVersion: 1.0\n\nText\n",
        ),
        (
            b"Metadata-Version: 2.4\r\nName: six\r\nVersion: 1.0\r\n\r\nText\r\n",
            b'[Of_Tests:python_version < "3"]\na\n',
            b"Metadata-Version: 2.4\r\nProvides-Extra: of-tests\n"
            b'Requires-Dist: a; (python_version < "3") and extra == "of-tests"\n'
            b"Name: six\r\nVersion: 1.0\r\n\r\nText\r\n",
        ),
        (  # distutils did not indent the text of a license
            b"Metadata-Version: 1.0\nName: six\nVersion: 1.0\nLicense: X\nAll rights reserved\n",
            b"a\n",
            b"Metadata-Version: 1.2\nRequires-Dist: a\nName: six\nVersion: 1.0\nLicense: X\nAll rights reserved\n",
        ),
        (
            b"Metadata-Version: 2.1\nName: six\nVersion: 1.0\nRequires-Dist: b\n",
            b"a\n",
            b"Metadata-Version: 2.1\nName: six\nVersion: 1.0\nRequires-Dist: b\n",
        ),
        (  # what installers would refuse the whole wheel for
            b"Metadata-Version: 1.0\nName: six\nVersion: 1.0\n",
            b"a>=1.x.y\n!!\na\x1bb\n",
            b"Metadata-Version: 1.0\nName: six\nVersion: 1.0\n",
        ),
    ],
)
def test_metadata(pkg_info: bytes, requires: bytes, expected: bytes) -> None:
    assert metadata_of(pkg_info, requires, SIX) == expected


_LINES = st.lists(
    st.sampled_from(
        [
            "Metadata-Version: 1.1",
            "Name: six",
            "Version: 1.0",
            "",
            " folded",
            "Summary: x",
            "a>1",
            "[x]",
            "[:os_name]",
            "é",
        ]
    )
)


@example(["Metadata-Version: 1.1", " folded", "", "Metadata-Version: 1.1"], [], "\n")
@given(_LINES, _LINES, st.sampled_from(["\n", "\r\n"]))
def test_any_lines_become_metadata_that_has_what_is_needed(info: list[str], requires: list[str], end: str) -> None:
    data = metadata_of(end.join(info).encode(), end.join(requires).encode(), SIX)
    fields = parse_headers(data, ("metadata-version", "name", "version"))
    assert set(fields) == {"metadata-version", "name", "version"}


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes(info: bytes, requires: bytes) -> None:
    metadata_of(info, requires, SIX)


def test_the_reference_reads_it() -> None:
    data = metadata_of(b"Metadata-Version: 1.0\nName: six\nVersion: 1.0\n", b"a\n[x]\nb>1\n", SIX)
    found = Metadata.from_email(data)
    assert [str(one) for one in found.requires_dist or ()] == ["a", 'b>1; extra == "x"']
    assert found.provides_extra == ["x"]
