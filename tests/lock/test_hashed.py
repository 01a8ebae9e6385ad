from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from envsync.errors import LockError, UnsafeValueError
from envsync.lock.codec import decode_snapshot, encode_snapshot
from envsync.lock.hashed import WHEELS, artifact, has_artifacts, render_hashed
from envsync.lock.pylock import render_pylock
from envsync.lock.store import write_lock
from envsync.model import ArchiveOrigin, ImageWheel, IndexFile, VcsOrigin
from tests.factory import distribution, snapshot

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHA, OTHER = "a" * 64, "b" * 64
FILE = IndexFile(
    filename="six-1.16.0-py2.py3-none-any.whl",
    sha256=SHA,
    url="https://files.example/six-1.16.0-py2.py3-none-any.whl",
    size=11053,
    uploaded="2021-05-05T14:18:17.237Z",
    proof="proved",
)
WHEEL = ImageWheel(filename="gone-0.9-py3-none-any.whl", sha256=OTHER, size=900, reason="no index has it")
SIX = distribution("six", "1.16.0", file=FILE)
GONE = distribution("gone", "0.9", wheel=WHEEL)
COMMIT = VcsOrigin(url="https://git.example/a.git", vcs="git", commit="f" * 40, requested_revision="v1")


def test_the_file_of_the_index_unless_it_is_not_what_the_image_has() -> None:
    both = {"file": FILE, "wheel": WHEEL}
    assert artifact(distribution("six", **both)) == (FILE.filename, SHA)
    assert artifact(distribution("six", **both, patched=("six.py",))) == (WHEEL.filename, OTHER)
    assert artifact(distribution("six", wheel=WHEEL)) == (WHEEL.filename, OTHER)
    assert artifact(distribution("six")) is None


def test_requirements_with_hashes() -> None:
    inferred = distribution(
        "idna", "3.6", file=IndexFile(filename="idna-3.6-py3-none-any.whl", sha256=SHA, proof="inferred")
    )
    assert render_hashed(snapshot(SIX, GONE, inferred, distribution("lost"))).splitlines()[2:] == [
        "# The very files, for Python 3.9.18 on linux/amd64:",
        "#     pip install --require-hashes --no-deps --find-links wheels/links.html -r requirements.lock",
        "# 1 wheel is repacked from the image, put in this lock's folder by:",
        f"#     envsync pull {snapshot().source.reference} --wheelhouse LOCK/wheels",
        "# repacked from the image: gone-0.9-py3-none-any.whl",
        "gone==0.9 \\",
        f"    --hash=sha256:{OTHER}",
        "# inferred from its tags, not proved: idna-3.6-py3-none-any.whl",
        "idna==3.6 \\",
        f"    --hash=sha256:{SHA}",
        "# lost==1.0: no file of it is known",
        "six==1.16.0 \\",
        f"    --hash=sha256:{SHA}",
    ]


def test_an_origin_is_no_part_of_it() -> None:
    one = distribution("a", origin=COMMIT, wheel=WHEEL, frozen="a @ git+https://git.example/a.git@v1")
    assert "a==1.0 \\\n" in render_hashed(snapshot(one))
    assert "git.example" not in render_hashed(snapshot(one))


def test_a_name_that_is_more_than_one_requirement_is_refused() -> None:
    with pytest.raises(UnsafeValueError):
        render_hashed(snapshot(distribution("six\n--index-url https://evil.example", file=FILE)))


def test_what_conda_brought_is_conda_s() -> None:
    one = snapshot(distribution("six", file=FILE, conda="six-1.16.0-py_0"))
    assert "six" not in render_hashed(one)
    assert "packages = []" in render_pylock(one)


def test_nothing_is_known() -> None:
    assert not has_artifacts(snapshot(distribution("six")))
    assert has_artifacts(snapshot(distribution("six"), GONE))


# --- pylock.toml -------------------------------------------------------------------------------------


def read(text: str) -> Pylock:
    lock = Pylock.from_dict(tomllib.loads(text))
    lock.validate()
    return lock


def test_pylock_has_each_file() -> None:
    commit = distribution("a", origin=COMMIT)
    text = render_pylock(snapshot(SIX, GONE, commit, distribution("lost"), distribution("odd", "1.0.x")))
    lock = read(text)
    assert str(lock.requires_python) == "==3.9.*"
    assert [str(package.name) for package in lock.packages] == ["a", "gone", "six"]
    vcs, gone, six = lock.packages
    assert vcs.vcs is not None
    assert (vcs.vcs.url, vcs.vcs.commit_id, vcs.vcs.requested_revision) == (COMMIT.url, COMMIT.commit, "v1")
    (own,) = gone.wheels or ()
    assert (own.path, own.url, own.size, own.hashes) == (f"wheels/{WHEEL.filename}", None, 900, {"sha256": OTHER})
    (theirs,) = six.wheels or ()
    assert (theirs.path, theirs.url, theirs.size, theirs.hashes) == (None, FILE.url, 11053, {"sha256": SHA})
    assert theirs.upload_time is not None
    assert theirs.upload_time.isoformat() == "2021-05-05T14:18:17.237000+00:00"
    assert lock.tool == {"envsync": {"absent": ["lost==1.0", "odd==1.0.x"]}}


def test_pylock_is_the_same_each_time_and_reads_as_it_was_written() -> None:
    one = snapshot(GONE, SIX)
    assert render_pylock(one) == render_pylock(snapshot(SIX, GONE))
    assert read(render_pylock(one)).to_dict() == read(render_pylock(one)).to_dict()


def test_a_repository_of_the_image_s_own_is_left_out() -> None:
    inside = distribution("a", origin=VcsOrigin(url="file:///src/a", vcs="git", commit="f" * 40))
    assert "file:" not in render_pylock(snapshot(inside, SIX))


def test_an_archive_of_the_web_without_a_known_file_is_absent() -> None:
    one = distribution("a", origin=ArchiveOrigin(url="https://a.example/a-1.0.tar.gz"))
    assert read(render_pylock(snapshot(one, SIX))).tool == {"envsync": {"absent": ["a==1.0"]}}


def test_a_time_that_is_none_is_left_out() -> None:
    one = distribution(
        "six", "1.16.0", file=IndexFile(filename=FILE.filename, sha256=SHA, url=FILE.url, uploaded="x", proof="proved")
    )
    (wheel,) = read(render_pylock(snapshot(one))).packages[0].wheels or ()
    assert wheel.upload_time is None


@pytest.mark.parametrize(
    "name", ["six-1.15.0-py3-none-any.whl", "five-1.16.0-py3-none-any.whl", "six-1.16.0-x-py3-none-any.whl"]
)
def test_a_file_of_another_name_has_no_place_in_it(name: str) -> None:
    one = distribution("six", "1.16.0", file=IndexFile(filename=name, sha256=SHA, proof="proved"))
    lock = read(render_pylock(snapshot(one, GONE)))
    assert lock.tool == {"envsync": {"absent": ["six==1.16.0"]}}


# --- a lock is anybody's word ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../x.whl", "a b.whl", "a.whl\n--index-url x", "a.whl\n", "", "/x.whl", ".x"])
@pytest.mark.parametrize("kind", ["file", "wheel"])
def test_names_that_are_no_file_s_are_refused(kind: str, name: str) -> None:
    values = (
        {"file": IndexFile(filename=name, sha256=SHA, proof="proved")}
        if kind == "file"
        else {"wheel": ImageWheel(filename=name, sha256=SHA, size=1, reason="x")}
    )
    data = encode_snapshot(snapshot(distribution("six", **values)))
    with pytest.raises(
        LockError, match=rf"damaged: .* at `\$\.interpreters\[0\]\.distributions\[0\]\.{kind}\.filename"
    ):
        decode_snapshot(data, "x")


@pytest.mark.parametrize("sha256", ["", "a" * 63, "a" * 64 + "\n", "A" * 64, "a" * 64 + " --index-url x", "/etc"])
def test_hashes_that_are_none_are_refused(sha256: str) -> None:
    wheel = ImageWheel(filename=WHEEL.filename, sha256=sha256, size=1, reason="x")
    with pytest.raises(LockError, match=r"damaged: .*\.wheel\.sha256"):
        decode_snapshot(encode_snapshot(snapshot(distribution("six", wheel=wheel))), "x")


def test_files_come_back() -> None:
    one = snapshot(SIX, GONE)
    assert decode_snapshot(encode_snapshot(one), "x") == one


def test_wheels_beside_a_lock_stay_when_it_is_written(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    (place / WHEELS).mkdir(parents=True)
    (place / WHEELS / "gone-0.9-py3-none-any.whl").write_bytes(b"wheel")
    assert write_lock(place, snapshot(SIX)).status == "new"
    assert write_lock(place, snapshot(SIX, GONE)).status == "replaced"
    assert (place / WHEELS / "gone-0.9-py3-none-any.whl").read_bytes() == b"wheel"
    assert "gone==0.9" in (place / "requirements.lock").read_text()
