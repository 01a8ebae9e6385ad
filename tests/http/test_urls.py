"""Where URLs lead, and how they are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.http.urls import host, is_loopback, origin, shown
from envsync.redaction import printable


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Host/x", ("https", "host", 443)),
        ("http://u:p@host:81/", ("http", "host", 81)),
        ("http://[::1]/", ("http", "::1", 80)),
    ],
)
def test_origins(url: str, expected: tuple[str, str, int]) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize("url", ["ftp://host/x", "file:///x", "https://", "host/x", "https://host:99999/", "http://["])
def test_what_has_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match=r"not a URL of http or https|[Pp]ort|IPv6"):
        origin(url)


def test_what_is_shown() -> None:
    url = "https://user:secret@host:81/a\x1b/b?signature=x#y"
    assert shown(url) == "https://host:81/a\\x1b/b"
    assert host(url) == "host:81"
    assert shown("http://[") == "a malformed URL"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost.evil", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback(name: str, expected: bool) -> None:
    assert is_loopback(name) == expected


@given(st.text(max_size=60))
def test_anything_is_shown(text: str) -> None:
    assert printable(shown(text)) == shown(text)
    assert "secret" not in shown(f"https://secret@{text.replace('secret', '')}")
