"""Where installed files go in a wheel."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.model import Interpreter
from envsync.wheel.layout import Layout, OutsideError, is_bytecode
from tests.factory import distribution


def layout(site: str, prefix: str | None = None, name: str = "six") -> Layout:
    interpreter = Interpreter(version="3.9.18", prefix=PurePosixPath(prefix) if prefix else None)
    info = PurePosixPath(site) / f"{name}-1.0.dist-info"
    return Layout.of(distribution(name), interpreter, info, f"{name}-1.0")


@pytest.mark.parametrize(
    ("site", "prefix", "expected"),
    [
        ("/usr/local/lib/python3.9/site-packages", "/usr/local", "/usr/local"),
        ("/usr/lib/python3/dist-packages", "/usr", "/usr"),
        ("/usr/local/lib/python3.9/dist-packages", "/usr", "/usr/local"),
        ("/home/me/.local/lib/python3.9/site-packages", "/usr", "/home/me/.local"),
        ("/opt/venv/lib64/python3.9/site-packages", "/usr", "/opt/venv"),
        ("/opt/pypy/lib/pypy3.9/site-packages", "/opt/pypy", "/opt/pypy"),
        ("/usr/lib/python3.7m/site-packages", None, "/usr"),
        ("/app/vendored", "/usr", "/app/vendored"),
        ("/usr/share/vendored", "/usr", "/usr"),
        ("/lib/python3.9/site-packages", "/", ""),
    ],
)
def test_the_prefix(site: str, prefix: str | None, expected: str) -> None:
    assert layout(site, prefix).prefix == expected


def test_headers_of_a_name_spelt_otherwise() -> None:
    found = layout("/usr/lib/python3.9/site-packages", name="Odd_Name")
    assert found.target("/usr/include/python3.9/odd.name/a/b.h") == "Odd_Name-1.0.data/headers/a/b.h"


_PARTS = ["", "usr", "lib", "python3.9", "site-packages", "six.py", "..", ".", "bin", "include", "six", "six-1.0.data"]
_PARTS += ["six-1.0.dist-info", "RECORD", "scripts"]


@given(st.lists(st.sampled_from(_PARTS)).map("/".join), st.sampled_from(["/usr", "/", "/opt"]))
def test_any_recorded_path(recorded: str, prefix: str) -> None:
    place = layout(f"{prefix.rstrip('/')}/lib/python3.9/site-packages", prefix)
    path = place.absolute(recorded)
    assert path.startswith("/")
    assert ".." not in path.split("/")
    try:
        target = place.target(path)
    except OutsideError:
        assert not path.startswith(place.prefix + "/")
        return
    if target is not None:
        assert not target.startswith("/")
        assert target != "six-1.0.dist-info/RECORD"
        if target.startswith("six-1.0.data/scripts/"):
            assert path.startswith(f"{place.prefix}/bin/")


def test_bytecode() -> None:
    assert is_bytecode("__pycache__/a.cpython-39.pyc")
    assert is_bytecode("/usr/lib/a/__pycache__/a.txt")
    assert not is_bytecode("/usr/lib/a.pyc")
