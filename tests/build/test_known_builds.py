"""What builds are known to need, and what of it is put beside one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build.build_tools import constraints, is_met, known_requirements, provider
from envsync.build.failure import build_failure, missing_module
from envsync.build.known_builds import known_builds, parse_known_builds, requirement_name
from envsync.build.plan import FromIndex
from envsync.errors import BuildError

GOOD = {"name": "x", "versions": "<2", "requires": ["Cython<3"], "why": "it does", "source": "https://e.org/1"}


def text(**changes: object) -> bytes:
    fields = {**GOOD, **changes}
    lines = "".join(f"{key} = {value!r}\n" for key, value in fields.items() if value is not None)
    return f"[[build]]\n{lines}".encode()


def pins(*lines: str) -> tuple[FromIndex, ...]:
    return tuple(FromIndex(name=name, version=version) for name, _, version in (line.partition("==") for line in lines))


def test_the_file_that_comes_along_is_right() -> None:
    found = known_builds()
    assert 8 <= len(found) <= 40
    assert [(one.name, one.versions) for one in found] == [*dict.fromkeys((one.name, one.versions) for one in found)]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (text(name="-x"), "build[0].name: '-x' is no name of a distribution"),
        (text(versions="two"), "build[0].versions: 'two' is no version specifier"),
        (text(requires=[]), "build[0].requires: is empty"),
        (
            text(requires=["a @ https://e.org"]),
            "build[0].requires: 'a @ https://e.org' is no requirement (expected a name, or a name and versions)",
        ),
        (
            text(requires=["--index-url"]),
            "build[0].requires: '--index-url' is no requirement (expected a name, or a name and versions)",
        ),
        (text(why=""), "build[0].why: is empty"),
        (text(source="http://e.org/1"), "build[0].source: 'http://e.org/1' is no https URL"),
        (text(source=None), "Object missing required field `source` - at `$.build[0]`"),
        (text(colour="red"), "Object contains unknown field `colour` - at `$.build[0]`"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, problem: str) -> None:
    assert len(parse_known_builds(text())) == 1
    with pytest.raises(BuildError) as caught:
        parse_known_builds(data)
    assert caught.value.message == f"known_builds.toml: {problem}"


@given(
    st.binary() | st.text().map(lambda value: text(name=value)) | st.text().map(lambda value: text(requires=[value]))
)
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        found = parse_known_builds(data)
    except BuildError:
        return
    for one in found:
        for requirement in one.requires:
            is_met(requirement, pins("cython==3.0"))


def test_what_the_lock_satisfies_is_not_supplied() -> None:
    part = FromIndex(name="Fbprophet", version="0.5")
    assert known_requirements(part, (), known_builds()) == ("Cython<3", "pystan<3", "numpy")
    wanted = pins("cython==3.0.1", "PyStan==2.19.0.0", "numpy==1.16.4")
    assert known_requirements(part, wanted, known_builds()) == ("Cython<3",)
    assert constraints(wanted, ("Cython<3", "wheel")) == ("PyStan==2.19.0.0", "numpy==1.16.4")
    assert known_requirements(FromIndex(name="pyspark", version="3.0.1"), (), known_builds()) == ()
    assert known_requirements(FromIndex(name="six", version="1.0"), (), known_builds()) == ()


def test_requirements_have_a_name() -> None:
    assert requirement_name("Ruamel_YAML>=1,<2") == "ruamel-yaml"
    assert requirement_name("x; python_version<'3'") is None


def test_the_module_that_a_build_misses() -> None:
    output = (
        "  Traceback\n    ImportError: No module named foo\n"
        "│   ModuleNotFoundError: No module named 'Cython.Build'\nhint: none"
    )
    assert missing_module(output) == "Cython"
    assert provider("Cython") == "Cython"
    assert provider("pkg_resources") == "setuptools<81"
    assert provider("os") is None
    assert provider(None) is None
    assert missing_module("RuntimeError: No module named 'x'") is None


def test_no_build_requirement_helps_where_the_machine_lacks_something() -> None:
    assert build_failure("x", "src/x.c:1: fatal error: Python.h: No such file or directory").missing == "Python.h"
    assert build_failure("x", "ValueError: no").missing is None
