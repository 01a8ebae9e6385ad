"""What uv and pip say when they fail, verbatim (outputs/README.md), and what envsync makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build import pip_output, uv_output
from envsync.build.failure import Failure, build_error, last_lines
from envsync.build.plan import FromIndex
from envsync.build.uv import parse_hashes
from envsync.redaction import printable

OUTPUTS = Path(__file__).parent / "outputs"
HASH = "the index has a file with another hash than the lock's"
GIT = "git cannot get its commit: unable to access 'http://127.0.0.1:9/x.git/': Failed to connect"

UV = {
    "uv-not-found": ("not-on-index", "envsync-nothere-xyz", "the index has no distribution of this name"),
    "uv-0.6-not-found": ("not-on-index", "envsync-nothere-xyz", "the index has no distribution of this name"),
    "uv-no-version": ("not-on-index", "six", "the index does not have this version"),
    "uv-0.6-no-version": ("not-on-index", "six", "the index does not have this version"),
    "uv-python": ("python", "numpy", "it needs Python>=3.9,<3.13"),
    "uv-no-wheel": (
        "no-wheel",
        "torch",
        "the index has no wheels with a matching Python ABI tag, and nothing to build it from",
    ),
    "uv-hash": ("hash", "six", HASH),
    "uv-0.6-hash": ("hash", "six", HASH),
    "uv-build": ("build", "mysqlclient", "its build failed: mysql_config is missing"),
    "uv-0.6-build": ("build", "mysqlclient", "its build failed: mysql_config is missing"),
    "uv-build-nested": (
        "build",
        "pandas",
        "its build failed: ModuleNotFoundError: No module named 'distutils.msvccompiler'",
    ),
    "uv-build-requirement": (
        "build-requires",
        "kiwi",
        "what it needs to be built cannot be had: six: the index does not have this version",
    ),
    "uv-git": ("vcs", "foo", f"{GIT} to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server"),
    "uv-0.6-git": ("vcs", "foo", GIT),
    "uv-offline": ("offline", "six", "the cache does not have it, and the network is not to be used"),
    "uv-refused": ("network", "six", "http://127.0.0.1:9/simple/six/ cannot be reached (Connection refused)"),
    "uv-0.6-refused": ("network", "six", "http://127.0.0.1:9/simple/six/ cannot be reached (Connection refused)"),
    "uv-dns": (
        "network",
        "six",
        "http://index.example.invalid/simple/six/ cannot be reached (dns error)",
    ),
    "uv-url-404": (
        "network",
        None,
        "http://127.0.0.1:8931/six-1.0-py3-none-any.whl answers 404 File not found",
    ),
    "uv-disk": ("disk", "pip", "no space is left on the device"),
}

PIP = {
    "pip-no-version": (
        "not-on-index",
        "six",
        "the index does not have this version, or no file of it that fits this interpreter",
    ),
    "pip-not-found": (
        "not-on-index",
        "envsync-nothere-xyz",
        "the index has no distribution of this name that fits this interpreter",
    ),
    "pip-hash": ("hash", "six", HASH),
    "pip-build": ("build", "mysqlclient", "its build failed: mysql_config is missing"),
    "pip22-build": ("build", "mysqlclient", "its build failed: mysql_config is missing"),
    "pip-git": ("vcs", "foo", f"{GIT} to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server"),
    "pip-refused": (
        "network",
        "six",
        "the index cannot be reached (Failed to establish a new connection: [Errno 111] Connection refused)",
    ),
    "pip-url-refused": (
        "network",
        "foo",
        "the index cannot be reached (Failed to establish a new connection: [Errno 111] Connection refused)",
    ),
    "pip-disk": ("disk", "numpy", "no space is left on the device"),
}


@pytest.mark.parametrize("name", UV)
def test_uv(name: str) -> None:
    failure = uv_output.explain((OUTPUTS / f"{name}.txt").read_text())
    assert (failure.kind, failure.name, failure.cause) == UV[name]


@pytest.mark.parametrize("name", PIP)
def test_pip(name: str) -> None:
    failure = pip_output.explain((OUTPUTS / f"{name}.out").read_text(), (OUTPUTS / f"{name}.err").read_text())
    assert (failure.kind, failure.name, failure.cause) == PIP[name]


PIECES = st.sampled_from(
    [
        "Because ",
        "a==1",
        " was not found in the package registry",
        "error: ",
        "  cause: ",
        "Failed to build `",
        "`",
        "\n",
        "fatal: ",
        "Hash mismatch for `",
        "No matching distribution found for ",
        "Collecting ",
        " and ",
        "\x1b[1m",
        "\x00",
    ]
)
NOISE = st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=20).map("".join)


@given(NOISE, NOISE)
def test_any_output_has_an_explanation_that_fits_a_terminal(one: str, other: str) -> None:
    for failure in (uv_output.explain(one), pip_output.explain(one, other)):
        assert isinstance(failure, Failure)
        assert printable(failure.cause) == failure.cause
        error = build_error(failure, (), one, "uv pip sync")
        assert printable(error.message) == error.message
        assert all(printable(line) == line for line in error.output.split("\n"))


def test_the_error_spells_the_distribution_as_the_lock_does() -> None:
    failure = Failure(kind="not-on-index", name="ruamel-yaml", cause="gone")
    error = build_error(failure, [FromIndex(name="Ruamel.YAML", version="0.1")], "", "uv pip sync")
    assert error.message == "Ruamel.YAML 0.1: gone"


def test_the_last_lines_are_bounded_and_without_advice_for_others() -> None:
    output = "".join(f"line {number}\n" for number in range(100)) + "hint: use --frobnicate\n"
    lines = last_lines(output).split("\n")
    assert (len(lines), lines[-1]) == (20, "line 99")


def test_hashes_of_an_index() -> None:
    output = "aaa==1.0\nRuamel.YAML==1.16.0 \\\n    --hash=sha256:1e61 \\\n    --hash=sha256:8abb\n"
    assert parse_hashes(output) == {"aaa": frozenset(), "ruamel-yaml": frozenset({"sha256=1e61", "sha256=8abb"})}


@given(st.text())
def test_hashes_of_anything(output: str) -> None:
    assert isinstance(parse_hashes(output), dict)
