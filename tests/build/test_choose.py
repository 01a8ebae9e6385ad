from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build.choose import Prefer, Sources, Target, nearest_versions, risk_of
from envsync.build.plan import FromImage, FromIndex, FromUrl, NotReproducible, Part, part_by_origin
from envsync.index import IndexFile, Listed, Unanswered
from envsync.model import DirectoryOrigin, Distribution, ImageWheel, VcsOrigin
from envsync.model import IndexFile as LockedFile
from tests.factory import distribution

SHA, OTHER = "a" * 64, "b" * 64
TARGET = Target(
    python="3.9.18",
    tags={"cp39-cp39-manylinux_2_17_x86_64": 0, "cp39-cp39-linux_x86_64": 1, "py3-none-any": 2, "py2.py3-none-any": 3},
)
PURE = "a-1.0-py3-none-any.whl"
COMPILED = "a-1.0-cp39-cp39-manylinux_2_17_x86_64.whl"
FOREIGN = "a-1.0-cp38-cp38-manylinux_2_17_x86_64.whl"
SDIST = "a-1.0.tar.gz"
ABSENT = Unanswered(reason="not on https://index.example", absent=True)
DOWN = Unanswered(reason="https://index.example: 503", absent=False)


def listed(*names: str, others: tuple[str, ...] = (), **fields: object) -> Listed:
    files = tuple(
        IndexFile(
            filename=name,
            project="a",
            url=f"https://index.example/{name}",
            index="https://index.example/simple",
            **{"hashes": (f"sha256={SHA}",), **fields},  # type: ignore[arg-type]
        )
        for name in names
    )
    return Listed(files=files, other_versions=others)


def locked(filename: str = PURE, **fields: object) -> LockedFile:
    values = {"filename": filename, "sha256": SHA, "proof": "proved", **fields}
    return LockedFile(**values)  # type: ignore[arg-type]


def repacked(filename: str = PURE, reason: str = "no index has it") -> ImageWheel:
    return ImageWheel(filename=filename, sha256=OTHER, size=1, reason=reason)


def choose(
    one: Distribution,
    answer: Listed | Unanswered | None = None,
    *,
    prefer: Prefer = "auto",
    target: Target = TARGET,
    at_hand: bool = True,
    fitting: Listed | None = None,
) -> Part:
    sources = Sources(
        target=target,
        prefer=prefer,
        answers={} if answer is None else {"a": answer},
        image_wheel=lambda wheel: Path("/cache") / wheel.filename if at_hand else None,
        build_requires=lambda name, _version: ("numpy",) if name == "a" else (),
        as_of="2019-07-16T00:00:00Z",
        files_of=lambda _name, versions: dict.fromkeys(versions, fitting.files if fitting is not None else ()),
    )
    return sources.choose(one, part_by_origin(one))


# --- files that the image was made from --------------------------------------------------------------


def test_the_proved_file_with_its_hash() -> None:
    part = choose(distribution("a", file=locked()), listed(PURE))
    assert part == FromIndex(
        name="a",
        version="1.0",
        filename=PURE,
        hashes=(f"sha256={SHA}",),
        proof="proved",
        reason="its RECORD is the image's",
    )


def test_what_is_inferred_or_noted_is_said() -> None:
    part = choose(distribution("a", file=locked(proof="inferred", note="not proved: 404")), listed(PURE))
    assert part.reason == "its name and tags are the image's; not proved: 404"


@pytest.mark.parametrize("answer", [None, DOWN])
def test_an_index_that_does_not_answer_is_no_reason_to_take_another_file(answer: Unanswered | None) -> None:
    part = choose(distribution("a", file=locked()), answer)
    assert isinstance(part, FromIndex)
    assert (part.filename, part.proof) == (PURE, "proved")


@pytest.mark.parametrize("answer", [ABSENT, listed(), listed(PURE, hashes=(f"sha256={OTHER}",))])
def test_what_the_index_no_longer_has_comes_from_the_image(answer: Listed | Unanswered) -> None:
    part = choose(distribution("a", file=locked(), wheel=repacked(reason="asked for")), answer)
    assert isinstance(part, FromImage)
    assert (part.sha256, part.path) == (OTHER, f"/cache/{PURE}")


def test_what_was_patched_comes_from_the_image() -> None:
    one = distribution("a", file=locked(), patched=("a.py",), wheel=repacked(reason="not as its RECORD says: a.py"))
    part = choose(one, listed(PURE))
    assert isinstance(part, FromImage)
    assert part.reason == "not as its RECORD says: a.py"
    asked = choose(one, listed(PURE), prefer="index")
    assert isinstance(asked, FromIndex)
    assert (asked.proof, asked.reason) == ("chosen", "the image's own is not as its RECORD says (a.py)")


# --- on other machines -------------------------------------------------------------------------------


def test_another_platform_gets_another_wheel() -> None:
    part = choose(distribution("a", file=locked(FOREIGN)), listed(FOREIGN, PURE, COMPILED, SDIST))
    assert isinstance(part, FromIndex)
    assert (part.filename, part.proof) == (COMPILED, "chosen")
    assert part.reason == f"the image's own, {FOREIGN}, is for another Python or platform"


def test_an_sdist_is_built_as_of_the_date_with_what_it_is_known_to_need() -> None:
    part = choose(distribution("a"), listed(FOREIGN, SDIST, "a-1.0.zip"))
    assert isinstance(part, FromIndex)
    assert (part.filename, part.is_sdist, part.reason) == (SDIST, True, "no wheel fits this machine")
    assert (part.build_requires, part.as_of) == (("numpy",), "2019-07-16T00:00:00Z")


def test_requires_python_is_judged_for_the_target() -> None:
    part = choose(distribution("a"), listed(COMPILED, requires_python=">=3.10"))
    assert isinstance(part, NotReproducible)
    assert part.reason == (
        "the index has nothing of 1.0 that fits this machine and Python 3.9.18; not repacked from the image"
    )
    for admitted in (">=3.9", "no specifier", None):
        assert isinstance(choose(distribution("a"), listed(COMPILED, requires_python=admitted)), FromIndex)


def test_yanked_files_count_and_are_told() -> None:
    part = choose(distribution("a"), listed(PURE, yanked="broken"))
    assert part.reason == "fits best; which file the image was made from is not known; yanked: broken"


@pytest.mark.parametrize(
    ("filename", "target", "reason"),
    [
        (FOREIGN, {}, f"the image's own wheel fits Python and platform of the image only ({FOREIGN})"),
        (COMPILED, {"foreign": "another CPU"}, "the image's own wheel does not run here: another CPU"),
        (
            "a-1.0-cp39-cp39-linux_x86_64.whl",
            {"older": "it was built with glibc 2.36, this machine has 2.31"},
            "the image's own wheel does not run here: it was built with glibc 2.36, this machine has 2.31",
        ),
    ],
)
@pytest.mark.parametrize("prefer", ["auto", "image"])
def test_wheels_of_the_image_that_do_not_run_here(
    filename: str, target: dict[str, str], reason: str, prefer: Prefer
) -> None:
    here = Target(python=TARGET.python, tags=TARGET.tags, **target)
    part = choose(distribution("a", wheel=repacked(filename)), ABSENT, target=here, prefer=prefer)
    assert isinstance(part, NotReproducible)
    assert f"no index that is configured here has it; {reason}" in part.reason


def test_pure_wheels_and_those_that_say_their_libc_run_all_the_same() -> None:
    for filename, target in ((PURE, {"foreign": "another CPU"}), (COMPILED, {"older": "an older one"})):
        here = Target(python=TARGET.python, tags=TARGET.tags, **target)
        assert isinstance(choose(distribution("a", wheel=repacked(filename)), ABSENT, target=here), FromImage)


# --- nowhere -----------------------------------------------------------------------------------------


def test_the_nearest_release_that_fits_and_the_risk() -> None:
    one = distribution("a", "3.1.0.dev98")
    part = choose(one, listed(others=("2.0", "3.0.9", "4.0")), fitting=listed(PURE))
    assert isinstance(part, NotReproducible)
    assert part.reason == "no index that is configured here has 3.1.0.dev98; not repacked from the image"
    assert (part.nearest, part.risk) == (
        "a==3.0.9",
        "another minor version: functions may be absent or behave differently",
    )
    assert choose(one, listed(others=("2.0",))).nearest is None  # type: ignore[union-attr]


def test_a_wheel_that_is_no_longer_at_hand() -> None:
    part = choose(distribution("a", wheel=repacked()), ABSENT, at_hand=False)
    assert isinstance(part, NotReproducible)
    assert part.reason == "no index that is configured here has it; the image's own wheel is no longer at hand"


def test_an_index_that_was_not_asked_or_is_down_leaves_it_to_the_installer() -> None:
    assert choose(distribution("a")) == FromIndex(name="a", version="1.0")
    assert choose(distribution("a"), DOWN).reason == "not looked up: https://index.example: 503"


# --- origins -----------------------------------------------------------------------------------------

GONE = VcsOrigin(url="https://git.example/a.git", vcs="git", commit="f" * 40)


def test_a_commit_comes_from_the_image_unless_the_index_is_preferred() -> None:
    one = distribution("a", origin=GONE, wheel=repacked(reason="it did not come from an index"))
    assert isinstance(choose(one), FromImage)
    assert isinstance(choose(one, prefer="index"), FromUrl)
    assert isinstance(choose(distribution("a", origin=GONE)), FromUrl)


def test_an_editable_project_is_left_out() -> None:
    one = distribution("a", origin=DirectoryOrigin(url="file:///src/a", editable=True))
    part = choose(one, ABSENT)
    assert isinstance(part, NotReproducible)
    assert part.editable


def test_from_the_image_when_asked_for_and_what_is_lacking_is_said() -> None:
    one = distribution("a", file=locked(), wheel=repacked(reason="asked for"))
    part = choose(one, listed(PURE), prefer="image")
    assert isinstance(part, FromImage)
    assert part.reason == "as was asked for"
    lacking = choose(distribution("a", file=locked()), listed(PURE), prefer="image")
    assert lacking.reason == "not repacked from the image; its RECORD is the image's"


# --- versions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "others", "first"),
    [
        ("1.5.2", ["1.5.1", "1.5.3", "1.4.9"], "1.5.1"),
        ("1.5.2", ["1.5.3", "1.4.9"], "1.5.3"),
        ("1.5.2", ["1.4.9", "1.6"], "1.4.9"),
        ("1.5.2", ["2.0", "1.6"], "1.6"),
        ("1.5.2", ["1.5.3rc1", "1.0"], "1.0"),
        ("1.5.2", ["nonsense", "1.5.2"], None),
        ("nonsense", ["1.0"], None),
    ],
)
def test_nearest(version: str, others: list[str], first: str | None) -> None:
    assert next(iter(nearest_versions(version, others)), None) == first


@given(st.text(max_size=20), st.lists(st.text(max_size=20)))
def test_any_versions_have_nearest_ones(version: str, others: list[str]) -> None:
    for one in nearest_versions(version, others):
        assert risk_of(version, one)


def test_risks() -> None:
    assert risk_of("1.2.3", "2.0") == "another major version: interfaces may be gone"
    assert risk_of("1.2.3", "1.2.4") == "the same series: behaviour may differ in details"
