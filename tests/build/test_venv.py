"""Real environments, made by uv from an index on the loopback device."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from envsync.build import venv as building
from envsync.build.backend import check_is_environment
from envsync.build.events import Event, Installing, InterpreterFound, Line, Resolving
from envsync.build.interpreter import find_interpreter
from envsync.build.marker import read_marker
from envsync.build.plan import make_plan
from envsync.build.target import check_target
from envsync.errors import BuildError, LockError, UnsafeValueError
from envsync.model import ArchiveOrigin, DirectoryOrigin, Distribution, VcsOrigin
from envsync.writing import WriteError
from tests.build.making import BASE_PYTHON, freeze, leftovers, lock, make, run_python, site_packages, tree
from tests.build.wheels import Index, project, sdist, wheel


def test_an_environment_holds_the_distributions_of_its_lock_and_no_others(index: Index, tmp_path: Path) -> None:
    target = tmp_path / ".venv"
    events: list[Event] = []
    built = make(lock("Apple==1.0", "berry==1.0"), target, on_event=events.append)
    assert freeze(target) == ["apple==1.0", "berry==1.0"]
    assert (built.names, built.installed, built.unchanged, built.removed) == (("Apple", "berry"), 2, 0, 0)
    assert built.python.exact
    assert leftovers(target) == []
    assert isinstance(events[0], InterpreterFound)
    assert Resolving(count=2) in events
    assert Installing(count=2) in events
    assert any(isinstance(event, Line) and "apple==1.0" in event.text for event in events)


@pytest.mark.parametrize("name", [".venv", "with space", "näïve", "e", "it's", "n" * 110])
def test_staged_equals_built_in_place(index: Index, tmp_path: Path, name: str) -> None:
    """Byte for byte, whatever the path needs: quotes, or the detour of a long shebang, or that only while staged."""
    target = tmp_path / name
    snapshot = lock("apple==1.0", "berry==1.0", "cherry==1.0")
    make(snapshot, target)
    staged = tree(target)
    scripts = {path.name: path.read_bytes() for path in (target / "bin").iterdir() if path.is_file()}
    assert subprocess.run([target / "bin" / "pit"], capture_output=True, text=True, check=True).stdout == "pit\n"
    shutil.rmtree(target)

    target.mkdir()
    python = find_interpreter(snapshot.python, requested=BASE_PYTHON)
    job = _job(snapshot, target, python=python)
    job.backend.make(target, python, prompt=job.prompt)
    job.backend.install(
        building.Request(
            env=target,
            python=python.version,
            wanted=make_plan(snapshot).makeable,
            timeout=60,
            on_event=lambda event: None,
        )
    )
    in_place = tree(target)
    for path in (target / "bin").iterdir():
        if path.is_file():
            assert scripts[path.name] == path.read_bytes()
    assert staged.pop("envsync.json")
    assert staged == in_place


def _job(snapshot: building.Snapshot, target: Path, *, python: building.LocalPython) -> building._Job:
    return building._Job(
        place=target,
        plan=make_plan(snapshot),
        python=python,
        options=building.BuildOptions(),
        lock_id=building.LockIdentity.of(snapshot, snapshot_json=b"", directory="x"),
        on_event=lambda event: None,
    )


def test_the_marker_says_what_it_is_a_twin_of(index: Index, tmp_path: Path) -> None:
    make(lock("apple==1.0"), tmp_path / "env")
    marker = read_marker(tmp_path / "env")
    assert marker is not None
    assert marker.lock.reference == "acme/app:1"
    assert marker.lock.published_list
    assert marker.lock.directory == "lockfiles/acme/app/1"
    assert marker.environment == str(tmp_path / "env")
    assert (marker.backend, marker.not_reproducible) == ("uv", ())


def test_nothing_is_done_when_nothing_differs(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "env"
    make(lock("apple==1.0", "berry==1.0"), target)
    inode = target.stat().st_ino
    before = tree(target)
    events: list[Event] = []
    built = make(lock("apple==1.0", "berry==1.0"), target, on_event=events.append)
    assert (built.unchanged, built.installed, built.removed) == (2, 0, 0)
    assert [type(event) for event in events] == [InterpreterFound]
    assert target.stat().st_ino == inode
    assert tree(target) == before


def test_a_lock_that_only_has_another_digest_rewrites_the_marker_alone(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "env"
    make(lock("apple==1.0"), target)
    before = tree(target)
    make(lock("apple==1.0", reference="acme/app:2"), target)
    after = tree(target)
    assert before.pop("envsync.json") != after.pop("envsync.json")
    assert before == after


def test_an_update_equals_an_environment_made_anew(index: Index, tmp_path: Path) -> None:
    """Upgrade, add and remove at once; a distribution that the user added goes as well."""
    target = tmp_path / "env"
    make(lock("apple==1.0", "berry==1.0"), target)
    _unpack(site_packages(target), wheel("stranger", "3"))
    kept = site_packages(target) / "berry" / "__init__.py"
    inode = kept.stat().st_ino
    wanted = lock("apple==2.0", "berry==1.0", "cherry==1.0")
    built = make(wanted, target)
    assert (built.unchanged, built.installed, built.removed) == (1, 2, 1)
    assert freeze(target) == ["apple==2.0", "berry==1.0", "cherry==1.0"]
    assert kept.stat().st_ino == inode
    updated = tree(target)
    shutil.rmtree(target)
    make(wanted, target)
    assert updated == tree(target)


def _unpack(place: Path, made: tuple[str, bytes]) -> None:
    import io
    import zipfile

    zipfile.ZipFile(io.BytesIO(made[1])).extractall(place)


def test_all_distributions_may_go(index: Index, tmp_path: Path) -> None:
    make(lock("apple==1.0", "berry==1.0"), tmp_path / "env")
    built = make(lock(), tmp_path / "env")
    assert (built.removed, freeze(tmp_path / "env")) == (2, [])


def test_a_distribution_that_the_user_removed_comes_back(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "env"
    make(lock("apple==1.0", "berry==1.0"), target)
    shutil.rmtree(site_packages(target) / "berry-1.0.dist-info")
    built = make(lock("apple==1.0", "berry==1.0"), target)
    assert (built.unchanged, built.installed) == (1, 1)
    assert freeze(target) == ["apple==1.0", "berry==1.0"]


def test_what_was_installed_from_elsewhere_is_installed_again(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "env"
    make(lock("apple==1.0"), target)
    info = site_packages(target) / "apple-1.0.dist-info"
    (info / "direct_url.json").write_text('{"url": "https://example.org/apple.whl", "archive_info": {}}')
    with (info / "RECORD").open("a") as record:
        record.write("apple-1.0.dist-info/direct_url.json,,\n")
    built = make(lock("apple==1.0"), target)
    assert built.installed == 1
    assert not (info / "direct_url.json").exists()


def test_an_interpreter_that_went_away_means_a_new_environment(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "env"
    make(lock("apple==1.0"), target)
    (target / "bin" / "python").unlink()
    (target / "bin" / "python").symlink_to(tmp_path / "gone")
    built = make(lock("apple==1.0"), target)
    assert built.installed == 1
    assert freeze(target) == ["apple==1.0"]


def test_a_moved_environment_is_made_anew(index: Index, tmp_path: Path) -> None:
    make(lock("apple==1.0"), tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    built = make(lock("apple==1.0"), tmp_path / "after")
    assert built.installed == 1
    assert str(tmp_path / "after") in (tmp_path / "after" / "bin" / "apple").read_text()


@pytest.mark.parametrize("offending", ["nowhere==1.0", "apple==9.0"])
def test_a_distribution_that_the_index_lacks_is_named_and_the_old_environment_stays(
    index: Index, tmp_path: Path, offending: str
) -> None:
    target = tmp_path / "env"
    make(lock("apple==1.0", "berry==1.0"), target)
    before = tree(target)
    with pytest.raises(BuildError) as caught:
        make(lock("apple==2.0" if "apple" not in offending else "berry==1.0", offending), target, strict=True)
    name, _, version = offending.partition("==")
    cause = (
        "the index has no distribution of this name" if name == "nowhere" else "the index does not have this version"
    )
    assert caught.value.message == f"{name} {version}: {cause}"
    assert "private index" in str(caught.value.hint)
    assert tree(target) == before
    assert leftovers(target) == []


def test_a_wheel_for_other_platforms_only(index: Index, tmp_path: Path) -> None:
    index.add(wheel("damson", "1.0", tag="cp27-cp27m-win32"))
    with pytest.raises(
        BuildError, match=r"^damson 1\.0: the index has no wheels with a matching .+ tag, and"
    ) as caught:
        make(lock("damson==1.0"), tmp_path / "env")
    assert "published for other interpreters or platforms only" in str(caught.value.hint)
    assert not (tmp_path / "env").exists()


def test_a_build_that_fails_shows_its_last_lines(index: Index, tmp_path: Path) -> None:
    failing = "import subprocess; subprocess.run(['/bin/sh', '-c', 'fig_config --libs']); raise SystemExit(3)"
    index.add(sdist("fig", "1.0", during=failing), wheel("setuptools", "57.5"), wheel("wheel", "0.40"))
    with pytest.raises(BuildError) as caught:
        make(lock("apple==1.0", "fig==1.0"), tmp_path / "env", strict=True)
    assert caught.value.message == "fig 1.0: its build failed: fig_config is missing"
    assert "fig_config: not found" in caught.value.output
    assert "os-packages.txt" in str(caught.value.hint)


def test_an_sdist_that_needs_what_it_does_not_declare_is_built_inside_the_environment(
    index: Index, tmp_path: Path
) -> None:
    """As old sdists that import numpy or pkg_resources; grape even needs what has to be built so itself."""
    index.add(sdist("grape", "1.0", before="import fig"), sdist("fig", "1.0", before="import apple, setuptools"))
    index.add(wheel("setuptools", "57.5"), wheel("setuptools", "80.0"), wheel("wheel", "0.40"))
    events: list[Event] = []
    make(lock("grape==1.0", "fig==1.0", "apple==1.0"), tmp_path / "env", on_event=events.append)
    assert freeze(tmp_path / "env") == ["apple==1.0", "fig==1.0", "grape==1.0"]
    told = "fig 1.0 does not build in isolation: building it inside the environment"
    assert Line(text=told) in events


def test_an_unreachable_index(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(BuildError) as caught:
        make(lock("apple==1.0"), tmp_path / "env")
    expected = "apple 1.0: http://127.0.0.1:9/simple/apple/ cannot be reached (Connection refused"
    assert caught.value.message.startswith(expected)
    assert "Check the network" in str(caught.value.hint)


def test_offline_without_the_file_in_the_cache(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(BuildError) as caught:
        make(lock("apple==1.0"), tmp_path / "env", offline=True)
    assert caught.value.message == "apple 1.0: the cache does not have it, and the network is not to be used"
    assert "without --offline" in str(caught.value.hint)


# --- origins -------------------------------------------------------------------------------------------


def _from_file(name: str, *hashes: str) -> Distribution:
    origin = ArchiveOrigin(url=f"file:///wheels/{name}-1.0-py3-none-any.whl", hashes=hashes)
    return Distribution(name=name, version="1.0", origin=origin)


def _sha256(made: tuple[str, bytes]) -> str:
    import hashlib

    return f"sha256={hashlib.sha256(made[1]).hexdigest()}"


def test_wheels_of_the_image_are_looked_for_on_the_index(index: Index, tmp_path: Path) -> None:
    right = _from_file(
        "berry", _sha256(wheel("berry", "1.0", {"berry/__init__.py": "x = 1\n", "berry/data.txt": "é\n"}))
    )
    wrong = _from_file("cherry", "sha256=" + "0" * 64)
    distributions = (_from_file("absent"), "apple==1.0", right, wrong, _from_file("missing"))
    built = make(lock(*distributions), tmp_path / "env")
    assert freeze(tmp_path / "env") == ["apple==1.0", "berry==1.0"]
    assert built.names == ("apple", "berry")
    assert {part.name: part.reason for part in built.not_reproducible} == {
        "absent": "from file:///wheels/absent-1.0-py3-none-any.whl; no index that is configured here has it",
        "cherry": "from file:///wheels/cherry-1.0-py3-none-any.whl; no index that is configured here has the file "
        "with its hash, only others of that name and version",
        "missing": "from file:///wheels/missing-1.0-py3-none-any.whl; no index that is configured here has it",
    }
    marker = read_marker(tmp_path / "env")
    assert marker is not None
    assert [part.name for part in marker.not_reproducible] == ["absent", "cherry", "missing"]
    again = make(lock(*distributions), tmp_path / "env")
    assert (again.unchanged, again.installed, again.not_reproducible) == (2, 0, built.not_reproducible)


def test_a_local_project_is_never_looked_up(index: Index, tmp_path: Path) -> None:
    mine = Distribution(name="apple", version="1.0", origin=DirectoryOrigin(url="file:///src/apple"))
    built = make(lock(mine, "berry==1.0"), tmp_path / "env")
    assert freeze(tmp_path / "env") == ["berry==1.0"]
    (part,) = built.not_reproducible
    assert part.reason == "a local project that exists only inside the image, at file:///src/apple"


def test_an_os_package_that_no_index_has(index: Index, tmp_path: Path) -> None:
    place = PurePosixPath("/usr/lib/python3/dist-packages")
    built = make(lock(Distribution(name="python-apt", version="2.6.0", location=place)), tmp_path / "env")
    (part,) = built.not_reproducible
    expected = "from an OS package, in /usr/lib/python3/dist-packages; no index that is configured here has it"
    assert part.reason == expected


def test_git_and_web_archives(index: Index, tmp_path: Path) -> None:
    url, commit = _repository(index)
    origin = VcsOrigin(url=url, vcs="git", commit=commit)
    index.add(wheel("damson", "1.0"))
    archive = ArchiveOrigin(
        url=f"{index.url}damson/damson-1.0-py3-none-any.whl", hashes=(_sha256(wheel("damson", "1.0")),)
    )
    snapshot = lock(
        Distribution(name="elder", version="0.5", origin=origin),
        Distribution(name="damson", version="1.0", origin=archive),
    )
    built = make(snapshot, tmp_path / "env")
    assert built.installed == 2
    recorded = json.loads((site_packages(tmp_path / "env") / "elder-0.5.dist-info" / "direct_url.json").read_text())
    assert (recorded["url"], recorded["vcs_info"]["commit_id"]) == (url, commit)
    again = make(snapshot, tmp_path / "env")
    assert (again.installed, again.unchanged) == (0, 2)


def _repository(index: Index) -> tuple[str, str]:
    """A git repository with the project elder, behind the plain HTTP of the index."""
    place = index.folder / "elder.git"
    place.mkdir()
    for name, text in project("elder", "0.5").items():
        (place / name).write_text(text)
    git = ["git", "-C", str(place), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"], ["update-server-info"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return f"{index.address}/elder.git/.git", head.stdout.strip()


def test_an_unreachable_repository(index: Index, tmp_path: Path) -> None:
    origin = VcsOrigin(url="http://127.0.0.1:9/x.git", vcs="git", commit="1" * 40)
    with pytest.raises(BuildError) as caught:
        make(lock(Distribution(name="elder", version="1.0", origin=origin)), tmp_path / "env")
    assert caught.value.message.startswith(
        "elder 1.0: git cannot get its commit: unable to access 'http://127.0.0.1:9/"
    )
    assert "git ls-remote" in str(caught.value.hint)


def test_what_no_repository_has_is_left_out(index: Index, tmp_path: Path) -> None:
    url, commit = _repository(index)
    gone = VcsOrigin(url="http://127.0.0.1:9/x.git", vcs="git", commit="1" * 40)
    other = VcsOrigin(url=url, vcs="git", commit="2" * 40)
    snapshot = lock(
        "apple==1.0",
        Distribution(name="elder", version="1.0", origin=gone),
        Distribution(name="fig", version="2.0", origin=other),
    )
    built = make(snapshot, tmp_path / "env")
    assert freeze(tmp_path / "env") == ["apple==1.0"]
    elder, fig = built.not_reproducible
    assert elder.reason.startswith("git cannot get its commit: unable to access 'http://127.0.0.1:9/")
    assert fig.reason.startswith("git cannot get its commit")
    assert "Git operation failed" in elder.output
    assert "git ls-remote" in str(elder.hint)
    assert "--from image" in str(elder.hint)
    with pytest.raises(BuildError, match=r"(elder 1|fig 2)\.0: git cannot get its commit"):
        make(snapshot, tmp_path / "env", strict=True)
    assert freeze(tmp_path / "env") == ["apple==1.0"]

    there = VcsOrigin(url=url, vcs="git", commit=commit)
    mended = lock("apple==1.0", Distribution(name="elder", version="0.5", origin=there))
    assert make(mended, tmp_path / "env").not_reproducible == ()


def test_a_repository_that_is_there_again(index: Index, tmp_path: Path) -> None:
    url, commit = _repository(index)
    folder = index.folder / "elder.git"
    folder.rename(tmp_path / "away")
    origin = VcsOrigin(url=url, vcs="git", commit=commit)
    snapshot = lock("apple==1.0", Distribution(name="elder", version="0.5", origin=origin))
    (elder,) = make(snapshot, tmp_path / "env").not_reproducible
    assert (elder.name, elder.tried) == ("elder", "")
    assert len(make(snapshot, tmp_path / "env").not_reproducible) == 1
    (tmp_path / "away").rename(folder)
    assert make(snapshot, tmp_path / "env").not_reproducible == ()
    assert freeze(tmp_path / "env") == ["apple==1.0", "elder==0.5"]


def test_an_archive_with_another_hash(index: Index, tmp_path: Path) -> None:
    index.add(wheel("damson", "1.0"))
    origin = ArchiveOrigin(url=f"{index.url}damson/damson-1.0-py3-none-any.whl", hashes=("sha256=" + "0" * 64,))
    with pytest.raises(BuildError) as caught:
        make(lock(Distribution(name="damson", version="1.0", origin=origin)), tmp_path / "env")
    assert caught.value.message == "damson 1.0: the index has a file with another hash than the lock's"


# --- what must not interfere ------------------------------------------------------------------------------


def test_settings_of_the_user_do_not_alter_the_result(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("apple<2\n")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\n'
        '[tool.uv]\nconstraint-dependencies = ["apple<2"]\noverride-dependencies = ["apple==1.0"]\n'
    )
    other = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", other], check=True)
    for name, value in {
        "VIRTUAL_ENV": str(other),
        "CONDA_PREFIX": str(other),
        "PATH": f"{other}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": "/nowhere",
        "UV_CONSTRAINT": str(constraints),
        "UV_SYSTEM_PYTHON": "1",
        "UV_REQUIRE_HASHES": "1",
        "UV_PROJECT_ENVIRONMENT": str(other),
        "PIP_REQUIRE_VIRTUALENV": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    before = tree(other)
    built = make(lock("apple==2.0"), Path(".venv"))
    monkeypatch.undo()
    assert built.path == tmp_path / ".venv"
    assert freeze(tmp_path / ".venv") == ["apple==2.0"]
    assert tree(other) == before


@pytest.mark.parametrize(
    ("name", "version"),
    [("apple\n--index-url=http://evil.example", "1"), ("-e", "1"), ("apple", "1.0 --hash=x"), ("a", "1\nberry==1.0")],
)
def test_a_name_or_version_that_could_inject_is_refused(tmp_path: Path, name: str, version: str) -> None:
    with pytest.raises(UnsafeValueError, match="could add lines or options to a requirements file"):
        make(lock(Distribution(name=name, version=version)), tmp_path / "env")
    assert list(tmp_path.iterdir()) == []


# --- places -----------------------------------------------------------------------------------------------


def test_a_folder_that_envsync_did_not_make_is_never_touched(tmp_path: Path) -> None:
    target = tmp_path / "env"
    target.mkdir()
    (target / "precious").write_text("x")
    with pytest.raises(BuildError, match=r"exists, and envsync did not make it") as caught:
        make(lock(), target)
    assert "never touches what it did not make" in str(caught.value.hint)
    assert tree(tmp_path).keys() == {"env", "env/precious"}


def test_an_empty_folder_is_used(index: Index, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    make(lock("apple==1.0"), tmp_path / "env")
    assert freeze(tmp_path / "env") == ["apple==1.0"]


def test_a_damaged_marker(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "envsync.json").write_text("{")
    with pytest.raises(LockError, match=r"env/envsync\.json: damaged: ") as caught:
        make(lock(), tmp_path / "env")
    assert str(caught.value.hint) == f"Delete {tmp_path / 'env'} and make it again with envsync create."


def test_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("x")
    with pytest.raises(BuildError, match=r"env: is a file \(expected a folder, or nothing\)"):
        make(lock(), tmp_path / "env")


def test_a_target_inside_another_environment(tmp_path: Path) -> None:
    """It would go with what is around it, when that is replaced."""
    outer = tmp_path / "outer"
    (outer / "bin").mkdir(parents=True)
    (outer / "bin" / "python").touch()
    (outer / "envsync.json").write_text("{}")
    with pytest.raises(BuildError) as caught:
        make(lock("apple==1.0"), outer / "lib" / "env")
    assert caught.value.message == (
        f"{outer}/lib/env: is inside the environment {outer}, and would be lost when that is made anew"
    )
    assert caught.value.hint == "Name a folder outside of it."
    assert sorted(path.name for path in outer.iterdir()) == ["bin", "envsync.json"]


def test_a_target_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match=r"file.*: cannot be written: "):
        make(lock(), tmp_path / "file" / "env")


def test_a_place_that_is_not_the_users(tmp_path: Path) -> None:
    """As somebody who is not root: neither below a folder that is closed, nor beside one that is read-only."""
    closed, fixed = tmp_path / "closed", tmp_path / "fixed"
    closed.mkdir(mode=0o700)
    fixed.mkdir(mode=0o755)
    fixed.chmod(0o555)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    else:
        closed.chmod(0)
    try:
        for target in (closed / "env", closed / "a" / "env", fixed / "env"):
            with pytest.raises(BuildError, match="is not a folder that you may write to") as caught:
                check_target(target)
            assert str(caught.value.hint) == "Name a folder elsewhere, or have its permissions changed."
    finally:
        if is_root:
            os.seteuid(0)
        closed.chmod(0o700)


def test_the_environment_that_envsync_runs_in(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is the environment that envsync itself runs in"):
        make(lock(), Path(sys.prefix))


def test_a_name_that_is_kept_for_staging(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"names with '\.envsync-' are envsync's own"):
        make(lock(), tmp_path / ".envsync-x")


def test_links(index: Index, tmp_path: Path) -> None:
    """A linked parent is kept in paths, as typed; a link that is the target stands for what it leads to."""
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    built = make(lock("apple==1.0"), tmp_path / "linked" / ".venv")
    assert built.path == tmp_path / "linked" / ".venv"
    assert f"{tmp_path}/linked/.venv/bin/python" in (built.path / "bin" / "apple").read_text()
    (tmp_path / "short").symlink_to("real/.venv2")
    make(lock("apple==1.0"), tmp_path / "short")
    assert (tmp_path / "short").is_symlink()
    assert freeze(tmp_path / "real" / ".venv2") == ["apple==1.0"]
    make(lock("apple==2.0"), tmp_path / "short")
    assert (tmp_path / "short").is_symlink()
    assert run_python(tmp_path / "short", "-c", "import apple; print(apple.version)") == "2.0\n"
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == [".venv", ".venv2"]


def test_an_update_never_writes_into_files_of_the_old_environment(index: Index, tmp_path: Path) -> None:
    """Two distributions own one file: the clone shares its inode with the environment that must stay untouched."""
    index.add(wheel("one", "1.0", {"shared.py": "one\n"}), wheel("two", "1.0", {"shared.py": "two\n"}))
    target = tmp_path / "env"
    make(lock("one==1.0"), target)
    keeper = tmp_path / "keeper"
    os.link(site_packages(target) / "shared.py", keeper)
    for mode in ("copy", "hardlink"):
        os.environ["UV_LINK_MODE"] = mode
        try:
            make(lock("one==1.0", "two==1.0"), target)
            assert (site_packages(target) / "shared.py").read_text() == "two\n"
            assert keeper.read_text() == "one\n"
            make(lock("one==1.0"), target)
        finally:
            del os.environ["UV_LINK_MODE"]


@pytest.mark.network
@pytest.mark.parametrize("backend", ["uv", "pip"])
def test_an_environment_without_its_pyvenv_cfg_never_reaches_the_base(backend: str, tmp_path: Path) -> None:
    """Without that file the interpreter in ``bin`` is the base itself, whose distributions must stay."""
    env = tmp_path / "env"
    wanted = lock("six==1.16.0", "pip==24.0")
    first = make(wanted, env, backend=backend)
    base = first.python.path.resolve().parents[1] / "lib"
    before = sorted(path.name for path in base.glob("python3.*/site-packages/*"))
    (env / "pyvenv.cfg").unlink()
    shutil.rmtree(next(env.glob("lib/python3.*/site-packages/six-*.dist-info")))
    make(wanted, env, backend=backend)
    assert (env / "pyvenv.cfg").is_file()
    assert next(env.glob("lib/python3.*/site-packages/six-*.dist-info")).is_dir()
    assert sorted(path.name for path in base.glob("python3.*/site-packages/*")) == before


def test_nothing_is_installed_into_what_is_no_venv(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"no environment \(expected pyvenv\.cfg, or conda-meta, in it\)"):
        check_is_environment(tmp_path)
