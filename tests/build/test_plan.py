"""Where each distribution comes from, and what of an image's word never reaches a requirements file."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from envsync.build.plan import FromIndex, FromUrl, NotReproducible, Part, make_plan
from envsync.errors import UnsafeValueError
from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, Origin, VcsOrigin
from envsync.names import normalized
from tests.build.making import lock

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA = "sha256=" + "a" * 64


def plan(origin: Origin | None, *, name: str = "thing", version: str = "1.0", location: str | None = None) -> Part:
    place = PurePosixPath(location) if location else None
    (part,) = make_plan(lock(Distribution(name=name, version=version, origin=origin, location=place))).parts
    return part


def test_an_index_distribution_is_pinned() -> None:
    assert plan(None, name="Ruamel.YAML", version="0.18.6+local.1") == FromIndex(
        name="Ruamel.YAML", version="0.18.6+local.1"
    )


def test_a_wheel_of_the_image_keeps_its_hash() -> None:
    part = plan(ArchiveOrigin(url="file:///wheels/thing-1.0-py3-none-any.whl", hashes=("md5=1", SHA)))
    assert isinstance(part, FromIndex)
    assert part.local_origin
    assert part.requirement == f"thing==1.0 --hash=sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (
            VcsOrigin(url="https://example.org/x.git", vcs="git", commit=COMMIT),
            f"thing @ git+https://example.org/x.git@{COMMIT}",
        ),
        (
            VcsOrigin(url="ssh://git@example.org/x.git", vcs="git", commit=COMMIT, subdirectory="a/b"),
            f"thing @ git+ssh://git@example.org/x.git@{COMMIT}#subdirectory=a/b",
        ),
        (
            ArchiveOrigin(url="https://example.org/x-1.0.zip", hashes=(SHA,), subdirectory="a"),
            f"thing @ https://example.org/x-1.0.zip#{SHA}&subdirectory=a",
        ),
        (ArchiveOrigin(url="http://example.org/x-1.0.zip?a=b"), "thing @ http://example.org/x-1.0.zip?a=b"),
    ],
)
def test_direct_references_are_as_pip_freeze_prints_them(origin: Origin, line: str) -> None:
    part = plan(origin)
    assert isinstance(part, FromUrl)
    assert part.requirement == line


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        (DirectoryOrigin(url="file:///src/x"), "a local project that exists only inside the image, at file:///src/x"),
        (
            DirectoryOrigin(url="file:///src/x", editable=True),
            "an editable project that exists only inside the image, at file:///src/x",
        ),
        (
            VcsOrigin(url="file:///repo", vcs="git", commit=COMMIT),
            "installed from a git repository that exists only inside the image, at file:///repo",
        ),
        (
            VcsOrigin(url="https://example.org/x", vcs="hg", commit=COMMIT),
            "installed from hg (https://example.org/x); only git can be reproduced",
        ),
        (
            VcsOrigin(url="https://example.org/x", vcs="git", commit="main"),
            "its git commit 'main' is not a full commit hash",
        ),
        (
            VcsOrigin(url="ssh://-oProxyCommand=x/y", vcs="git", commit=COMMIT),
            "its git URL 'ssh://-oProxyCommand=x/y' is not a plain http, https, ssh or git URL",
        ),
        (
            ArchiveOrigin(url="https://example.org/${HOME}/x.whl"),
            "its URL 'https://example.org/${HOME}/x.whl' is not a plain http or https URL",
        ),
        (ArchiveOrigin(url="https://example.org/x.whl", subdirectory="../x"), "its subdirectory '../x' is none"),
    ],
)
def test_not_reproducible(origin: Origin, reason: str) -> None:
    is_project = isinstance(origin, DirectoryOrigin)
    assert plan(origin) == NotReproducible(name="thing", version="1.0", reason=reason, editable=is_project)


def test_versions_that_no_installer_takes() -> None:
    part = plan(None, version="2004d-old")
    assert isinstance(part, NotReproducible)
    assert part.reason == "its version '2004d-old' does not follow PEP 440, so uv and pip refuse to install it"


def test_the_artefact_of_debian() -> None:
    part = plan(None, name="pkg_resources", version="0.0.0")
    assert isinstance(part, NotReproducible)
    assert part.reason.startswith("an artefact of Debian's venv module")


def test_a_name_is_planned_once() -> None:
    made = make_plan(lock("Apple_Pie==1", "apple-pie==2"))
    assert [part.name for part in made.parts] == ["Apple_Pie"]


TEXT = st.text(st.sampled_from("ab1.-_+!= \n\r\t#@$;{}\\'\"[],&<>~/:\x00\u2028é"), max_size=14)
URL = st.one_of(TEXT, TEXT.map(lambda text: f"https://{text}"), TEXT.map(lambda text: f"ssh://git@host/{text}"))
ORIGIN = st.one_of(
    st.none(),
    st.builds(
        VcsOrigin,
        url=URL,
        vcs=st.sampled_from(["git", "hg"]) | TEXT,
        commit=st.just(COMMIT) | TEXT,
        subdirectory=st.none() | TEXT,
    ),
    st.builds(ArchiveOrigin, url=URL, hashes=st.tuples(TEXT | st.just(SHA)), subdirectory=st.none() | TEXT),
    st.builds(DirectoryOrigin, url=URL),
)


@given(st.just("thing") | TEXT, st.just("1.0") | TEXT, ORIGIN)
def test_whatever_an_image_says_one_line_is_one_requirement(name: str, version: str, origin: Origin | None) -> None:
    try:
        part = plan(origin, name=name, version=version)
    except UnsafeValueError:
        return
    if isinstance(part, NotReproducible):
        return
    line = part.requirement
    assert len(line.splitlines()) == 1
    assert "$" not in line
    assert not line.startswith("-")
    words = line.split(" --hash=sha256:")
    assert all(set(word) <= set("0123456789abcdef") for word in words[1:])
    requirement = Requirement(words[0])
    assert normalized(requirement.name) == normalized(name)
    assert requirement.marker is None
    assert not requirement.extras
