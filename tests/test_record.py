from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.record import RecordEntry, RecordError, parse_record

# The example of the specification.
EXAMPLE = """\
/usr/bin/black,sha256=iFlOnL32lIa-RKk-MDihcbJ37wxmRbE4xk6eVYVTTeU,220
../../../bin/blackd,sha256=lCadt4mcU-B67O1gkQVh7-vsKgLpx6ny1le34Jz6UVo,221
__pycache__/black.cpython-38.pyc,,
__pycache__/blackd.cpython-38.pyc,,
black-19.10b0.dist-info/INSTALLER,sha256=zuuue4knoyJ-UwPPXg8fezS7VCrXJQrAP7zeNuwvFQg,4
black-19.10b0.dist-info/licenses/LICENSE,sha256=nAQo8MO0d5hQz1vZbhGqqK_HLUqG1KNiI9erouWNbgA,1080
black-19.10b0.dist-info/METADATA,sha256=UN40nGoVVTSpvLrTBwNsXgZdZIwoKFSrrDDHP6B7-A0,58841
black-19.10b0.dist-info/RECORD,,
black.py,sha256=45IF72OgNfF8WpeNHnxV2QGfbCLubV5Xjl55cI65kYs,140161
blib2to3/Grammar.txt,sha256=4otFkdBBUhGBQ5a9JjJpWGcZ_uOjdMNpcIMLJzSHOVM,5886
"""


def test_the_example_of_the_specification() -> None:
    entries = parse_record(EXAMPLE)
    assert len(entries) == 10
    assert entries[0] == RecordEntry(
        path="/usr/bin/black",
        algorithm="sha256",
        digest="iFlOnL32lIa-RKk-MDihcbJ37wxmRbE4xk6eVYVTTeU",
        size=220,
    )
    assert entries[7] == RecordEntry(path="black-19.10b0.dist-info/RECORD")


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_quotes_line_ends_and_padding(end: str) -> None:
    (entry,) = parse_record('"a,""b"".py",sha512=QQ==,' + end)
    assert entry == RecordEntry(path='a,"b".py', algorithm="sha512", digest="QQ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.py,,\nb.py\n", "RECORD line 2: 1 fields (expected path, hash and size)"),
        ("a,b,,\n", "RECORD line 1: 4 fields (expected path, hash and size)"),
        (",,\n", "RECORD line 1: '' is not a path"),
        ("a\0b,,\n", "RECORD line 1: "),
        ("a,sha256,\n", "RECORD line 1: hash 'sha256' (expected algorithm=Base64)"),
        ("a,sha256=a b,\n", "RECORD line 1: hash 'sha256=a b' (expected algorithm=Base64)"),
        ("a,,-1\n", "RECORD line 1: size '-1' (expected a number of bytes)"),
        ("a,,٣\n", "RECORD line 1: size '٣' (expected a number of bytes)"),
        (f"a,,{'9' * 5000}\n", "RECORD line 1: size '999"),
        (f"{'a' * 200_000},,\n", f"RECORD line 1: '{'a' * 80}' is not a path"),
        (f'"{"a" * 200_000}",,\n', "RECORD line 1: not CSV: field larger than field limit (131072)"),
    ],
)
def test_what_does_not_fit(text: str, told: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse_record(text)
    assert caught.value.message.startswith(told)


@given(st.text() | st.lists(st.sampled_from(list('a,"\n\r=/.1')) | st.just("sha256=")).map("".join))
def test_never_raises_anything_else(text: str) -> None:
    with contextlib.suppress(RecordError):
        assert all(entry.path for entry in parse_record(text))
