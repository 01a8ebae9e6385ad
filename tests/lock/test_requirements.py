from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from envsync.errors import UnsafeValueError
from envsync.lock.requirements import render_constraints, render_os_packages, render_requirements
from envsync.model import ArchiveOrigin, DirectoryOrigin, Doubt, ListSource, VcsOrigin
from tests.factory import distribution, snapshot


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_constraints_pin_every_distribution_sorted_without_regard_to_case() -> None:
    text = render_constraints(snapshot(distribution("six"), distribution("PyYAML", "6.0"), distribution("attrs")))
    assert lines(text) == ["attrs==1.0", "PyYAML==6.0", "six==1.0"]
    assert text.startswith("# acme/app:1 (sha256:cccc")
    assert "# Python 3.9.18." in text


def test_a_vcs_or_url_origin_stays_a_direct_reference() -> None:
    text = render_constraints(
        snapshot(
            distribution("a", origin=VcsOrigin(url="https://example.com/a.git", vcs="git", commit="f" * 40)),
            distribution("b", origin=ArchiveOrigin(url="https://example.com/b.tgz", hashes=("sha256=" + "0" * 64,))),
        )
    )
    assert lines(text) == [
        f"a @ git+https://example.com/a.git@{'f' * 40}",
        f"b @ https://example.com/b.tgz#sha256={'0' * 64}",
    ]


def test_an_origin_inside_the_image_becomes_a_version_and_a_comment() -> None:
    text = render_constraints(
        snapshot(
            distribution("w", origin=ArchiveOrigin(url="file:///wheels/w.whl", hashes=("sha256=" + "0" * 64,))),
            distribution("p", origin=DirectoryOrigin(url="file:///src/p", editable=True)),
        )
    )
    assert lines(text) == ["p==1.0", "w==1.0"]
    assert f"# w was installed in the image from file:///wheels/w.whl sha256={'0' * 64}\nw==1.0" in text
    assert "# p was installed in the image editable, from file:///src/p\np==1.0" in text


def test_a_line_that_pip_printed_otherwise_tells_of_no_origin_inside_the_image() -> None:
    wheel = ArchiveOrigin(url="file:///w.whl", hashes=("sha256=" + "0" * 64,))
    text = render_constraints(snapshot(distribution("w", origin=wheel, frozen="w @ file:///w.whl")))
    assert lines(text) == ["w==1.0"]


@pytest.mark.parametrize(
    "requirement",
    [
        "b; " + "(" * 4000 + "os_name == 'posix'" + ")" * 4000,
        "b; python_version >= '" + "9" * 5000 + "'",
        "b; platform_release < 'x'",
    ],
)
def test_a_requirement_that_nobody_can_evaluate_is_none(requirement: str) -> None:
    text = render_requirements(snapshot(distribution("a", requires=(requirement,)), distribution("b")))
    assert lines(text) == ["a==1.0", "b==1.0"]
    assert "contradicts" not in text


def test_a_version_of_thousands_of_digits_is_required_but_not_compared() -> None:
    text = render_requirements(snapshot(distribution("a", requires=("b>=" + "9" * 5000,)), distribution("b")))
    assert lines(text) == ["a==1.0"]
    assert "contradicts" not in text


def test_versions_that_pep440_does_not_know_are_pinned_as_they_are() -> None:
    assert lines(render_constraints(snapshot(distribution("a", "1.0~beta")))) == ["a===1.0~beta"]


def test_requirements_are_what_no_other_one_needs() -> None:
    text = render_requirements(
        snapshot(
            distribution("requests", requires=("urllib3<3", "chardet; extra == 'old'", "win; sys_platform == 'win32'")),
            distribution("urllib3"),
            distribution("chardet"),
            distribution("win"),
        )
    )
    assert lines(text) == ["chardet==1.0", "requests==1.0", "win==1.0"]


def test_extras_that_are_asked_for_count() -> None:
    text = render_requirements(
        snapshot(
            distribution("app", requires=("requests[old]",)),
            distribution("requests", requires=("chardet; extra == 'old'",), extras=("old",)),
            distribution("chardet"),
        )
    )
    assert lines(text) == ["app==1.0"]


def test_an_extra_that_only_an_extra_asks_for_counts_once_that_one_does() -> None:
    def listed(asked: str) -> list[str]:
        dev = ("lib[fast]; extra == 'dev'", "speedups; extra == 'fast'", "lint; extra == 'dev'")
        others = (distribution("lib", requires=dev, extras=("dev", "fast")), distribution("speedups"))
        return lines(render_requirements(snapshot(distribution("app", requires=(asked,)), *others)))

    assert listed("lib") == ["app==1.0", "speedups==1.0"]
    assert listed("lib[dev]") == ["app==1.0"]


def test_old_versions_are_none_but_the_name_counts() -> None:
    text = render_requirements(
        snapshot(
            distribution("pandas", requires=("pytz (>=2011k)", "numpy>=1.dev-x; python_version > '3'")),
            distribution("pytz"),
            distribution("numpy"),
        )
    )
    assert lines(text) == ["pandas==1.0"]


def test_a_circle_that_nothing_needs_is_kept_whole() -> None:
    text = render_requirements(
        snapshot(distribution("a", requires=("b",)), distribution("b", requires=("a", "c")), distribution("c"))
    )
    assert lines(text) == ["a==1.0", "b==1.0"]


def test_a_circle_below_another_distribution_is_not_listed() -> None:
    text = render_requirements(
        snapshot(
            distribution("top", requires=("a",)),
            distribution("a", requires=("b",)),
            distribution("b", requires=("a",)),
        )
    )
    assert lines(text) == ["top==1.0"]


def test_a_local_project_is_commented_out_and_its_needs_move_up() -> None:
    text = render_requirements(
        snapshot(
            distribution("job", requires=("six",), origin=DirectoryOrigin(url="file:///src/job")),
            distribution("six"),
        )
    )
    assert lines(text) == ["six==1.0"]
    assert "# job==1.0  # job was installed in the image from file:///src/job" in text


def test_contradictions_are_named_in_the_header() -> None:
    text = render_requirements(snapshot(distribution("a", requires=("b>=2", "gone")), distribution("b")))
    assert "#     a 1.0 requires b>=2, but b 1.0 is installed" in text
    assert "#     a 1.0 requires gone, which is not installed" in text
    assert lines(text) == ["a==1.0"]


def test_a_published_list_says_what_it_is() -> None:
    source = ListSource(
        reference="digdag/digdag-python:3.9",
        url="https://example.com/list",
        date="2022-03-09",
        completeness="complete",
        doubts=(Doubt(name="idna", value="2.1", note="most likely 2.10"),),
    )
    text = render_constraints(snapshot(distribution("idna", "2.1"), source=source))
    assert "from a published list, not from the image:" in text
    assert "# Doubtful: idna 2.1: most likely 2.10" in text


@pytest.mark.parametrize(
    ("name", "version", "origin"),
    [
        ("evil\n--index-url http://evil", "1.0", None),
        ("-r", "1.0", None),
        ("ok", "1.0\n-r x", None),
        ("ok", "1.0 ; python_version < '3'", None),
        ("ok", "1.0 --hash=x", None),
        ("ok", "1", VcsOrigin(url="https://x/ --pre", vcs="git", commit="f" * 40)),
        ("ok", "1", ArchiveOrigin(url="https://x/a.whl\nevil")),
        ("ok", "1", ArchiveOrigin(url="-revil.txt")),
        ("ok", "1", VcsOrigin(url="https://x/a", vcs="git", commit="--upload-pack=touch")),
        ("ok", "1", ArchiveOrigin(url="https://x/a\u202e.whl")),
    ],
)
def test_injection_is_refused_by_name(name: str, version: str, origin: object) -> None:
    with pytest.raises(UnsafeValueError, match="unsafe requirement") as caught:
        render_constraints(snapshot(distribution(name, version, origin=origin)))
    assert "\n" not in caught.value.message
    assert "Nothing was written" in (caught.value.hint or "")


def test_a_hostile_origin_cannot_leave_its_comment() -> None:
    origin = DirectoryOrigin(url="file:///src/\n--index-url=http://evil\x1b[2J")
    text = render_requirements(snapshot(distribution("job", origin=origin)))
    assert lines(text) == []
    assert "\x1b" not in text


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=40))
def test_whatever_an_image_says_each_line_is_one_pinned_requirement(name: str, version: str, url: str) -> None:
    subject = distribution("x", origin=ArchiveOrigin(url=url) if url else None)
    subject = msgspec.structs.replace(subject, name=name, version=version)
    try:
        text = render_constraints(snapshot(subject))
    except UnsafeValueError:
        return
    (line,) = lines(text)
    assert line.isascii()
    if " @ " not in line:
        assert Requirement(line).name == name


def test_variables_of_the_reader_are_not_sent_to_a_host_of_the_image() -> None:
    url = "https://${USER}:${AWS_SECRET_ACCESS_KEY}@evil.example/a-1.0.tar.gz"
    text = render_constraints(snapshot(distribution("a", origin=ArchiveOrigin(url=url))))
    assert lines(text) == ["a @ https://evil.example/a-1.0.tar.gz"]
    with pytest.raises(UnsafeValueError):
        render_constraints(snapshot(distribution("a", origin=ArchiveOrigin(url="https://evil.example/${HOME}"))))


def test_a_repository_inside_the_image_becomes_a_version_and_a_comment() -> None:
    origin = VcsOrigin(url="file:///src/a", vcs="git", commit="f" * 40)
    assert lines(render_constraints(snapshot(distribution("a", origin=origin)))) == ["a==1.0"]
    assert lines(render_requirements(snapshot(distribution("a", origin=origin)))) == []


def test_os_packages_are_name_version_architecture() -> None:
    assert render_os_packages(snapshot()) == "libc6 2.36-9 amd64\nzlib1g 1:1.2.13 amd64\n"
