"""What distributions are known to need of a system."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.known_needs import KnownNeedsError, choices, known_needs, needs_of, parse_known_needs
from envsync.files import HostTree
from envsync.model import Distribution
from tests.catalog.trees import write

GOOD = {"distribution": "x", "versions": "<2", "commands": [["g++", "clang++"]], "source": "https://e.org/1"}
SITE = PurePosixPath("/site")


def text(**changes: object) -> bytes:
    fields = {**GOOD, **changes}
    lines = "".join(f"{key} = {value!r}\n" for key, value in fields.items() if value is not None)
    return f"[[need]]\n{lines}".encode()


def needed(root: Path, *installed: tuple[str, str]) -> list[str]:
    distributions = [Distribution(name=name, version=version, location=SITE) for name, version in installed]
    return [one.name for one, _ in needs_of(HostTree(str(root)), distributions)]


def test_the_file_that_comes_along_is_right() -> None:
    needs = [need for needs in known_needs().values() for need in needs]
    names = [need.distribution.lower() for need in needs]
    assert 40 <= len(needs) <= 200
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (text(distribution="-x"), "need[0].distribution: '-x' is no name of a distribution"),
        (text(unless=["y z"]), "need[0].distribution: 'y z' is no name of a distribution"),
        (text(versions="two"), "need[0].versions: 'two' is no version specifier"),
        (text(commands=[]), "need[0].commands: is empty, and so is all else that it may need"),
        (text(commands=["/bin/sh"]), "need[0].command: '/bin/sh' is no name of one"),
        (text(commands=[[]]), "need[0].command: '' is no name of one"),
        (text(optional_libraries=["../x.so"]), "need[0].soname: '../x.so' is no name of one"),
        (text(bundled=["../../etc/x"]), "need[0].bundled: '../../etc/x' is no relative path"),
        (text(bundled=["/x/y"]), "need[0].bundled: '/x/y' is no relative path"),
        (text(source="http://e.org/1"), "need[0].source: 'http://e.org/1' is no https URL"),
        (text(source=None), "Object missing required field `source` - at `$.need[0]`"),
        (text(data=["tea"]), "Invalid enum value 'tea' - at `$.need[0].data[0]`"),
        (text(colour="red"), "Object contains unknown field `colour` - at `$.need[0]`"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, problem: str) -> None:
    assert len(parse_known_needs(text())) == 1
    with pytest.raises(KnownNeedsError) as caught:
        parse_known_needs(data)
    assert caught.value.message == f"needs_of_distributions.toml: {problem}"


@given(
    st.binary()
    | st.text().map(lambda value: text(distribution=value))
    | st.text().map(lambda value: text(commands=[value]))
)
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        found = parse_known_needs(data)
    except KnownNeedsError:
        return
    for need in found:
        assert all(all(choice) for choice in choices(need.commands))


def test_names_and_versions_decide(tmp_path: Path) -> None:
    assert needed(tmp_path, ("gitpython", "3.1"), ("Cairo_CFFI", "1"), ("six", "1")) == ["gitpython"]
    assert needed(tmp_path, ("pystan", "2.19.1.1")) == ["pystan"]
    assert needed(tmp_path, ("pystan", "3.0")) == []
    assert needed(tmp_path, ("pystan", "of yesterday")) == []


def test_what_a_distribution_brings_is_not_needed(tmp_path: Path) -> None:
    assert needed(tmp_path, ("imageio-ffmpeg", "0.4")) == ["imageio-ffmpeg"]
    write(tmp_path, "site/imageio_ffmpeg/binaries/README.md")
    assert needed(tmp_path, ("imageio-ffmpeg", "0.4")) == ["imageio-ffmpeg"]
    write(tmp_path, "site/imageio_ffmpeg/binaries/ffmpeg-linux64-v4.2.2")
    assert needed(tmp_path, ("imageio-ffmpeg", "0.4")) == []


def test_what_another_distribution_brings_is_not_needed(tmp_path: Path) -> None:
    assert needed(tmp_path, ("pyvips", "2.2")) == ["pyvips"]
    assert needed(tmp_path, ("pyvips", "2.2"), ("pyvips_binary", "8.16")) == []
