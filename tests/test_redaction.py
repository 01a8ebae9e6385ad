from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.redaction import names_a_secret, printable, without_credentials


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://user:pass@host/x", "https://host/x"),
        ("pip install --index-url https://tok@host/simple six", "pip install --index-url https://host/simple six"),
        ("git+ssh://git@github.com/a/b", "git+ssh://git@github.com/a/b"),
        ("https://${USER}:${TOKEN}@host/x", "https://${USER}:${TOKEN}@host/x"),
        ("two http://a:b@c and ftp://d:e@f", "two http://c and ftp://f"),
        ("https://host/a@b", "https://host/a@b"),
        ("mail me@example.com", "mail me@example.com"),
        ("https://user:p@ss@host/x", "https://host/x"),
        ("sec @ //user:pass@host/x", "sec @ //host/x"),
        ("Server=x;Password=abc;Port=1", "Server=x;Password=withheld;Port=1"),
        ("https://host/x?token=abc&v=1", "https://host/x?token=withheld&v=1"),
        (
            "https://host/x?X-Amz-Signature=abc&X-Amz-Date=1#sha256=12",
            "https://host/x?X-Amz-Signature=withheld&X-Amz-Date=1#sha256=12",
        ),
        ("a-1SECRET-b=c x=1", "a-1SECRET-b=withheld x=1"),
        ("x://y://user:pass@host", "x://y://host"),
        ("GREETING=hi SECRET_TOKEN=hunter2\0PATH=/bin", "GREETING=hi SECRET_TOKEN=withheld\0PATH=/bin"),
    ],
)
def test_credentials_are_removed(text: str, clean: str) -> None:
    assert without_credentials(text) == clean


@pytest.mark.parametrize("piece", ["a-", "a", "A_TOKEN-", "a://", "//a", "=a", "a=", "@/", "//@"])
def test_long_texts_take_linear_time(piece: str) -> None:
    without_credentials(piece * 300_000)


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "TD_API_KEY",
        "GITHUB_TOKEN",
        "DB_PASSWORD",
        "td_apikey",
        "APIKEYS",
        "DBPASS",
        "PGPASSWORD",
        "DB_PWD",
        "GITHUB_PAT",
        "SSH_KEY",
        "SECRETKEY",
        "X-Amz-Signature",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name", ["PATH", "PWD", "GPG_KEY", "KEYBOARD", "PATTERN", "TOKENIZERS_PARALLELISM", "PYTHONPATH", "AUTHOR", "LANG"]
)
def test_names_of_anything_else(name: str) -> None:
    assert not names_a_secret(name)


def test_control_characters_become_escapes() -> None:
    assert printable("a\x1b[2J\n\u202eb") == r"a\x1b[2J\n\u202eb"
    assert printable("naïve — 日本") == "naïve — 日本"


@given(st.text())
def test_nothing_printable_moves_a_cursor(text: str) -> None:
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in printable(text))
