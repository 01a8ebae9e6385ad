"""The ``[tool.envsync]`` table."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.drift.finding import SCOPES
from envsync.errors import UsageError
from envsync.settings import Settings, load, parse

FILE = Path("/project/pyproject.toml")


def test_all_keys() -> None:
    text = """
        [tool.envsync]
        only = ["python", "env"]
        ignore = ["IPython", "my_pkg"]
        lockfiles = "locks"
        timeout = 90
        [tool.envsync.registries]
        "docker.io" = ["https://one.example/", "http://two.example:5000/hub"]
    """
    assert parse(text, FILE) == Settings(
        only=frozenset({"python", "env"}),
        ignore=frozenset({"ipython", "my-pkg"}),
        lockfiles=Path("/project/locks"),
        registries={"docker.io": ("https://one.example", "http://two.example:5000/hub")},
        timeout=90.0,
        file=FILE,
    )


@pytest.mark.parametrize("text", ["", "[tool]\n", "[tool.other]\nonly = 3\n", "[tool.envsync]\n", "tool = 3\n"])
def test_nothing_chosen(text: str) -> None:
    assert parse(text, FILE) == Settings(only=SCOPES, file=FILE)


def test_the_nearest_file_upwards_counts(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.envsync]\nignore = ["outer"]\n')
    (tmp_path / "project" / "pyproject.toml").write_text('[tool.envsync]\nignore = ["inner"]\n')
    assert load(inner).ignore == {"inner"}
    assert load(inner).file == tmp_path.resolve() / "project" / "pyproject.toml"
    assert load(tmp_path).ignore == {"outer"}


def test_all_problems_are_told_at_once() -> None:
    text = '[tool.envsync]\nonly = ["pyhton"]\nignore = "idna"\nlockfiles = 3\nonyl = []\n'
    with pytest.raises(UsageError) as caught:
        parse(text, FILE)
    assert caught.value.message.splitlines() == [
        "/project/pyproject.toml: tool.envsync.only: ['pyhton'] "
        '(expected a list of "python", "env" and "os", not empty)',
        "/project/pyproject.toml: tool.envsync.ignore: 'idna' (expected a list of names)",
        "/project/pyproject.toml: tool.envsync.lockfiles: 3 (expected the path of a folder)",
        "/project/pyproject.toml: tool.envsync.onyl: unknown key (expected only, ignore, lockfiles, "
        "registries or timeout)",
    ]
    assert caught.value.hint == "docs/settings.md lists the keys of [tool.envsync]."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.envsync\n", "/project/pyproject.toml: not TOML: "),
        ("tool.envsync = 3\n", "/project/pyproject.toml: tool.envsync: not a table"),
        ("[tool.envsync]\nonly = []\n", "/project/pyproject.toml: tool.envsync.only: []"),
        ('[tool.envsync]\nignore = [""]\n', "/project/pyproject.toml: tool.envsync.ignore: ['']"),
        ("[tool.envsync]\ntimeout = 0\n", "/project/pyproject.toml: tool.envsync.timeout: 0 (expected seconds"),
        ("[tool.envsync]\ntimeout = true\n", "/project/pyproject.toml: tool.envsync.timeout: True (expected"),
        ("[tool.envsync]\ntimeout = nan\n", "/project/pyproject.toml: tool.envsync.timeout: nan (expected"),
        ("[tool.envsync]\nregistries = 1\n", "/project/pyproject.toml: tool.envsync.registries: 1 (expected a table"),
        (
            '[tool.envsync.registries]\n"docker.io" = "https://one.example"\n',
            "/project/pyproject.toml: tool.envsync.registries.docker.io: 'https://one.example' (expected a list",
        ),
        (
            '[tool.envsync.registries]\n"docker.io" = ["ftp://one.example"]\n',
            "/project/pyproject.toml: tool.envsync.registries: docker.io: 'ftp://one.example': not a URL of http",
        ),
        (
            '[tool.envsync.registries]\n"not a host" = ["https://one.example"]\n',
            "/project/pyproject.toml: tool.envsync.registries: 'not a host' is not a registry host",
        ),
    ],
)
def test_what_cannot_be_meant(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, FILE)
    assert caught.value.message.startswith(told)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"pyproject\.toml: not UTF-8"):
        load(tmp_path)


@given(
    st.text()
    | st.from_regex(
        r"\[tool\.envsync\]\n(only|ignore|lockfiles|registries|timeout) = [\[\]\"a-z0-9, ]*", fullmatch=True
    )
)
def test_never_raises_anything_else(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse(text, FILE).only
