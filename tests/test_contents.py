"""The normal form of what a distribution consists of."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.contents import digest_of, installed_path, is_generated, normal_script, wheel_path, without_compiled

INFO = "foo_bar-1.0.dist-info"
DATA = "foo_bar-1.0.data"


@pytest.mark.parametrize(
    ("recorded", "normal"),
    [
        ("foo/__init__.py", "foo/__init__.py"),
        ("foo/__pycache__/__init__.cpython-39.pyc", None),
        ("foo/old.pyc", "foo/old.pyc"),
        (f"{INFO}/METADATA", f"{INFO}/METADATA"),
        (f"{INFO}/licenses/RECORD", f"{INFO}/licenses/RECORD"),
        (f"{INFO}/RECORD", None),
        (f"{INFO}/INSTALLER", None),
        (f"{INFO}/direct_url.json", None),
        ("other-1.0.dist-info/RECORD", "other-1.0.dist-info/RECORD"),
        ("../../../bin/tool", "bin/tool"),
        ("../../../bin/foo", None),
        ("../../../bin/foo3.9", None),
        ("../../../include/python3.7m/Green_Let/greenlet.h", "include/green-let/greenlet.h"),
        ("../../../include/python3.7m/greenlet/greenlet.h", "include/greenlet/greenlet.h"),
        ("../../../include/site/python3.9/greenlet/greenlet.h", "include/greenlet/greenlet.h"),
        ("../../../share/foo/x", "share/foo/x"),
        ("../../share/foo/x", "share/foo/x"),
        ("../../../share/../../etc/passwd", None),
        ("/etc/passwd", None),
        ("../..", None),
        ("foo/../bar", None),
    ],
)
def test_where_a_file_is_installed(recorded: str, normal: str | None) -> None:
    assert installed_path(recorded, INFO, {"foo"}) == normal


@pytest.mark.parametrize(
    ("stored", "normal"),
    [
        ("foo/__init__.py", "foo/__init__.py"),
        (f"{INFO}/RECORD", None),
        (f"{INFO}/METADATA", f"{INFO}/METADATA"),
        (f"{DATA}/scripts/tool", "bin/tool"),
        (f"{DATA}/scripts/foo", None),
        (f"{DATA}/headers/greenlet.h", "include/foo-bar/greenlet.h"),
        (f"{DATA}/data/share/foo/x", "share/foo/x"),
        (f"{DATA}/data/bin/tool", "bin/tool"),
        (f"{DATA}/data/include/python3.9/foo/x.h", "include/foo/x.h"),
        (f"{DATA}/platlib/foo/x.so", "foo/x.so"),
        (f"{DATA}/purelib/../x", None),
        (f"{DATA}/nonsense/x", None),
        ("../x", None),
    ],
)
def test_where_a_file_of_a_wheel_goes(stored: str, normal: str | None) -> None:
    assert wheel_path(stored, "foo-bar", DATA, {"foo"}) == normal


@pytest.mark.parametrize(
    ("script", "generated"),
    [("pip", True), ("pip3", True), ("pip3.10", True), ("pip-3.10", True), ("easy_install-3.9", True), ("pipx", False)],
)
def test_scripts_of_entry_points(script: str, generated: bool) -> None:
    assert is_generated(script, {"pip", "easy_install"}) is generated


@pytest.mark.parametrize(
    ("script", "normal"),
    [
        (b"#!/usr/local/bin/python3.9\nx\n", b"#!python\nx\n"),
        (b"#!/opt/my env/bin/python -E\nx\n", b"#!python\nx\n"),
        (b"#!/bin/sh\n'''exec' \"/a b/python\" \"$0\" \"$@\"\n' '''\nx\n", b"#!python\nx\n"),
        (b"#!/usr/bin/env python3\nx\n", b"#!/usr/bin/env python3\nx\n"),
        (b"#!/bin/sh\nx\n", b"#!/bin/sh\nx\n"),
        (b"#!python", b"#!python"),
        (b"\x7fELF", b"\x7fELF"),
    ],
)
def test_the_first_line_of_a_script(script: bytes, normal: bytes) -> None:
    assert normal_script(script) == normal
    assert normal_script(normal) == normal


@given(st.dictionaries(st.text(min_size=1), st.binary(min_size=32, max_size=32)))
def test_a_digest_does_not_depend_on_the_order(files: dict[str, bytes]) -> None:
    assert digest_of(files) == digest_of(reversed(files.items()))
    changed = {**files, "another": hashlib.sha256(b"").digest()}
    assert ("another" in files) or digest_of(changed) != digest_of(files)


@given(st.text())
def test_a_normal_path_stays_inside(path: str) -> None:
    for found in (installed_path(path, INFO), wheel_path(path, "foo", DATA)):
        assert found is None or (not found.startswith("/") and ".." not in found.split("/"))


def test_bytecode_counts_only_without_its_source() -> None:
    assert without_compiled(["a.py", "a.pyc", "b.pyc", "c.pyo", "c.py"]) == {"a.py", "b.pyc", "c.py"}
