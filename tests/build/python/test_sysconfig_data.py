from __future__ import annotations

import ast
import sysconfig
from pathlib import Path
from pprint import pformat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build.python.sysconfig_data import build_variables
from tests.imagekit.machine import pyenv_python

HEAD = "# system configuration generated and used by the sysconfig module\n"


def _moved(variables: object, *old: str, new: str = "/new") -> dict[str, object]:
    told = build_variables(f"{HEAD}build_time_vars = {pformat(variables)}\n", frozenset(old), new)
    assert told is not None
    return ast.literal_eval(told.removeprefix(HEAD).removeprefix("build_time_vars = "))  # type: ignore[no-any-return]


def test_the_prefix_is_replaced_where_it_is_a_whole_path() -> None:
    variables = {
        "prefix": "/usr/local",
        "LIBDIR": "/usr/local/lib",
        "CFLAGS": "-I/usr/local/include -L/usr/local/lib -I/usr/locality",
        "CC": "/opt/usr/local/gcc",
        "CONFIG_ARGS": "'--prefix=/usr/local' 'CC=gcc'",
        "SOABI": "cpython-39-x86_64-linux-gnu",
        "WITH_DOC_STRINGS": 1,
    }
    assert _moved(variables) == {
        **variables,
        "prefix": "/new",
        "LIBDIR": "/new/lib",
        "CFLAGS": "-I/new/include -L/new/lib -I/usr/locality",
        "CONFIG_ARGS": "'--prefix=/new' 'CC=gcc'",
    }


def test_of_usr_only_folders_are_changed() -> None:
    variables = {"prefix": "/usr", "LIBDIR": "/usr/lib", "CC": "/usr/bin/gcc", "OTHER": "/opt/py/x"}
    assert _moved(variables, "/opt/py") == {
        "prefix": "/new",
        "LIBDIR": "/new/lib",
        "CC": "/usr/bin/gcc",
        "OTHER": "/new/x",
    }


def test_what_python_itself_wrote() -> None:
    (path,) = (pyenv_python("3.9") / "lib" / "python3.9").glob("_sysconfigdata_*.py")
    source = path.read_text()
    told = build_variables(source, frozenset(), "/new")
    assert told is not None
    names: dict[str, dict[str, object]] = {}
    exec(told, names)
    before: dict[str, dict[str, object]] = {}
    exec(source, before)
    assert names["build_time_vars"].keys() == before["build_time_vars"].keys()
    assert names["build_time_vars"]["LIBDIR"] == "/new/lib"
    assert sysconfig.get_config_var("SOABI") is None or "SOABI" in names["build_time_vars"]
    assert str(Path(str(before["build_time_vars"]["prefix"]))) not in str(names["build_time_vars"]["LIBDEST"])


@pytest.mark.parametrize(
    "source",
    [
        "",
        "build_time_vars = ",
        "build_time_vars = [1]",
        "build_time_vars = dict(a=1)",
        "other = {'a': 1}",
        "a = build_time_vars = {'a': 1}",
        "build_time_vars = {'a': 1}\nb = 2",
        "build_time_vars = {[]: 1}",
        f"build_time_vars = {{'a': 0x{'f' * 9000}}}",
        f"{'a' + '.b' * 900} = {{}}",
        f"build_time_vars = {'(' * 5000}",
        "build_time_vars = {'a': '\0'}",
    ],
)
def test_any_other_form_is_left_alone(source: str) -> None:
    assert build_variables(source, frozenset(), "/new") is None


_VALUES = st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.tuples(st.text()))


@given(st.dictionaries(st.text(), _VALUES), st.frozensets(st.text()), st.text())
def test_never_fails(variables: dict[str, object], old: frozenset[str], new: str) -> None:
    told = build_variables(f"build_time_vars = {variables!r}\n", old, new)
    if told is not None:
        assert ast.literal_eval(told.removeprefix(HEAD).removeprefix("build_time_vars = ")).keys() == variables.keys()


@given(st.text())
def test_any_text_is_one_that_can_be_written_or_none(source: str) -> None:
    told = build_variables(source, frozenset(), "/new")
    assert told is None or told.encode()
